/**
 * Delivers what waits in the table `alert_messages`, each channel by itself, and tries again for a day. The other processes do the
 * same; a message has one of them at a time.
 */
import type { Events } from '../monitoring/events.js';
import type { Database } from '../storage/database.js';
import type { AlertChannel, DeliveryFailure } from './channel.js';
import { claimMessage, noteDelivered, noteFailed, type ClaimedMessage } from './message-outbox.js';

export interface DelivererOptions {
  readonly database: Database;
  readonly channels: readonly AlertChannel[];
  readonly events: Events;
  /** Before each further attempt; their number is that of the attempts less one. */
  readonly retrySeconds?: readonly number[];
  /** Longer than any attempt takes: after it a message counts as left by a process that ended. */
  readonly claimSeconds?: number;
}

/** A receiver that is put in order within a day gets what it missed. */
const DEFAULT_RETRY_SECONDS: readonly number[] = [2, 10, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 28_800];
const DEFAULT_CLAIM_SECONDS = 120;
/** Of one channel at a time; others get in between. */
const MESSAGES_A_ROUND = 20;

export class MessageDeliverer {
  readonly #options: DelivererOptions;
  readonly #stopping = new AbortController();

  constructor(options: DelivererOptions) {
    this.#options = options;
  }

  /** Delivers what is due. @throws OperationalError of the database */
  async deliverDue(): Promise<void> {
    await Promise.all(this.#options.channels.map((channel) => this.#deliverThrough(channel)));
  }

  /** Breaks off what is under way: it counts as an attempt that failed. */
  stop(): void {
    this.#stopping.abort();
  }

  async #deliverThrough(channel: AlertChannel): Promise<void> {
    const { database, claimSeconds = DEFAULT_CLAIM_SECONDS } = this.#options;
    for (let round = 0; round < MESSAGES_A_ROUND && !this.#stopping.signal.aborted; round++) {
      const claimed = await claimMessage(database, channel.name, claimSeconds);
      if (claimed === undefined) return;
      await this.#settle(channel, claimed, await channel.deliver(claimed.message, this.#stopping.signal));
    }
  }

  async #settle(
    { name: channel }: AlertChannel,
    { seq, attempt, message }: ClaimedMessage,
    failure: DeliveryFailure | undefined,
  ): Promise<void> {
    const { database, events, retrySeconds = DEFAULT_RETRY_SECONDS } = this.#options;
    const { id, groupKey: group } = message;
    if (failure === undefined) {
      await noteDelivered(database, seq);
      events.emit('alert_delivered', { channel, id, group, attempt });
      return;
    }
    const { reason } = failure;
    const seconds = failure.isFinal ? undefined : retrySeconds[attempt - 1];
    await noteFailed(database, seq, reason, seconds);
    if (seconds === undefined) events.emit('alert_undelivered', { channel, id, group, attempts: attempt, reason });
    else events.emit('alert_delivery_failed', { channel, id, group, attempt, reason, retryInSeconds: seconds });
  }
}
