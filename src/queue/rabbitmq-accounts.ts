/**
 * What one process knows about the content of a queue on a broker, which tells the number of messages and nothing else.
 *
 * Counted exactly: what was published here and not yet delivered here, and what the consumer holds. Everything else that
 * waits on the broker is known by number alone, until it is delivered; from then on it counts as recovered.
 */
import { randomBytes } from 'node:crypto';
import type { QueueDepth } from './queue.js';

export interface MessageSize {
  /** Null when nobody counted: then it is one. */
  readonly records: number | null;
  readonly bytes: number;
}

type Tally = { -readonly [K in keyof QueueDepth]: QueueDepth[K] };

/** Publications that failed and may be on the broker all the same: more than these are not remembered. */
const MAX_ABANDONED = 100_000;

export class RabbitmqAccounts {
  readonly #instance = randomBytes(9).toString('base64url');
  readonly #recovered: (records: number) => void;
  /** Published here, confirmed, and not delivered here. */
  readonly #waiting: Tally = { messages: 0, records: 0, bytes: 0 };
  /** Delivered and not acknowledged, over lost connections too. */
  readonly #inHand: Tally = { messages: 0, records: 0, bytes: 0 };
  /** Messages on the broker that this process has not seen. */
  #unseen = 0;
  #lastSequence = 0;
  /** Messages of this process come in the order of their numbers: up to here each has been delivered once. */
  #deliveredThrough = 0;
  /** Numbers beyond that whose publisher was told that they failed. */
  readonly #abandoned = new Set<number>();
  /** Moves with everything that happens here: a broker's answer about a quiet moment is exact. */
  #activity = 0;
  #activityAtObservation = -1;

  /** @param recovered is told how many records came that this process has not received, or not for the first time */
  constructor(recovered: (records: number) => void) {
    this.#recovered = recovered;
  }

  depth(): QueueDepth {
    const sum = (key: keyof QueueDepth): number => Math.max(0, this.#waiting[key] + this.#inHand[key]);
    return { messages: sum('messages') + this.#unseen, records: sum('records'), bytes: sum('bytes') };
  }

  nextMessageId(): string {
    return `${this.#instance}:${++this.#lastSequence}`;
  }

  /** A publication has succeeded as a whole. */
  published(sizes: readonly MessageSize[]): void {
    this.#activity++;
    for (const size of sizes) add(this.#waiting, size, 1);
  }

  /** A publication has failed: what it sent may be on the broker all the same, and its publisher sends it again. */
  abandoned(messageIds: readonly string[], sizes: readonly MessageSize[]): void {
    this.#activity++;
    messageIds.forEach((id, index) => {
      const sequence = this.#sequenceOf(id) as number;
      const size = sizes[index] as MessageSize;
      if (sequence > this.#deliveredThrough) {
        if (this.#abandoned.size < MAX_ABANDONED) this.#abandoned.add(sequence);
        return;
      }
      // Its delivery was faster than the failure, and was taken for that of a good one.
      add(this.#waiting, size, 1);
      this.#recovered(size.records ?? 1);
    });
  }

  delivered(messageId: string | undefined, size: MessageSize): void {
    this.#activity++;
    add(this.#inHand, size, 1);
    const sequence = this.#sequenceOf(messageId);
    if (sequence !== undefined && sequence > this.#deliveredThrough) {
      for (const number of this.#abandoned) {
        if (number < sequence)
          this.#abandoned.delete(number); // they were not on the broker, or would have come before
        else break;
      }
      this.#deliveredThrough = sequence;
      if (!this.#abandoned.delete(sequence)) return add(this.#waiting, size, -1);
    }
    this.#unseen = Math.max(0, this.#unseen - 1);
    this.#recovered(size.records ?? 1);
  }

  /** Acknowledged, or settled on a connection that is gone. */
  settled(sizes: readonly MessageSize[]): void {
    this.#activity++;
    for (const size of sizes) add(this.#inHand, size, -1);
  }

  /** The consumer has given these back to the broker. */
  returned(sizes: readonly MessageSize[]): void {
    this.settled(sizes);
    this.#unseen += sizes.length;
  }

  /**
   * The broker says how many messages are ready.
   * @param waiting those, and the ones that were sent here and not yet handed on
   * @param unconfirmed publications that may be among them or not
   * @param consuming whether a consumer of this process may be taking them
   */
  observed(waiting: number, unconfirmed: number, consuming: boolean): void {
    const quiet = this.#activity === this.#activityAtObservation;
    this.#activityAtObservation = this.#activity;
    // Another process consumes what was published here: what is left is an estimate by the mean size.
    if (waiting < this.#waiting.messages && (quiet || !consuming)) scale(this.#waiting, waiting);
    this.#unseen = Math.max(0, waiting - this.#waiting.messages - unconfirmed);
  }

  #sequenceOf(messageId: string | undefined): number | undefined {
    const [instance, sequence] = messageId?.split(':') ?? [];
    return instance === this.#instance ? Number(sequence) : undefined;
  }
}

function add(tally: Tally, { records, bytes }: MessageSize, sign: 1 | -1): void {
  tally.messages += sign;
  tally.records += sign * (records ?? 1);
  tally.bytes += sign * bytes;
}

function scale(tally: Tally, messages: number): void {
  const share = messages / tally.messages;
  tally.messages = messages;
  tally.records = Math.round(tally.records * share);
  tally.bytes = Math.round(tally.bytes * share);
}
