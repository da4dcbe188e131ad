/**
 * Looks once a minute what rules find, writes the messages that are due and delivers them. Any number of processes do: one at a
 * time looks, and what an alert's state is, the database knows.
 */
import type { Events } from '../monitoring/events.js';
import type { Database } from '../storage/database.js';
import { OperationalError } from '../telemetry/operational-error.js';
import type { AlertRule } from './alert.js';
import { applyFindings, countFiring, type RuleFindings, type Transition } from './alert-store.js';
import type { AlertChannel } from './channel.js';
import { MessageDeliverer, type DelivererOptions } from './message-deliverer.js';
import { writeDueMessages } from './message-outbox.js';
import type { MessageTimes } from './plan-messages.js';

export interface AlertKeeperOptions extends Pick<DelivererOptions, 'retrySeconds' | 'claimSeconds'> {
  readonly database: Database;
  readonly rules: readonly AlertRule[];
  /** None: alerts are in the log and in the database alone. */
  readonly channels: readonly AlertChannel[];
  readonly times: MessageTimes;
  readonly events: Events;
  readonly lookIntervalMs?: number;
  readonly tellIntervalMs?: number;
}

const DEFAULT_LOOK_INTERVAL_MS = 60_000;
const DEFAULT_TELL_INTERVAL_MS = 5000;

const EVENT_OF = { firing: 'alert_raised', resolved: 'alert_resolved', regraded: 'alert_regraded' } as const;

export class AlertKeeper {
  readonly #options: AlertKeeperOptions;
  readonly #deliverer: MessageDeliverer;
  readonly #timers: NodeJS.Timeout[] = [];
  /** By what is done, so that a slow receiver keeps nobody from looking, and nothing overtakes itself. */
  readonly #underWay = new Map<() => Promise<void>, Promise<void>>();

  constructor(options: AlertKeeperOptions) {
    this.#options = options;
    this.#deliverer = new MessageDeliverer(options);
  }

  /** Begins to look, for the first time after a minute: what has just started need not be complained about. */
  start(): void {
    const { lookIntervalMs = DEFAULT_LOOK_INTERVAL_MS, tellIntervalMs = DEFAULT_TELL_INTERVAL_MS } = this.#options;
    this.#every(lookIntervalMs, () => this.look());
    this.#every(tellIntervalMs, () => this.tell());
    this.#every(tellIntervalMs, () => this.deliver());
  }

  /** One look at every rule, unless another process is looking. @throws OperationalError of the database */
  async look(): Promise<void> {
    const { database, events } = this.#options;
    const transitions = await database.tryExclusive('alerts', async () => applyFindings(database, await this.#find()));
    for (const transition of transitions ?? []) this.#announce(transition);
    events.emit('alerts_counted', { firing: await countFiring(database) });
  }

  /** Writes the messages that are due. @throws OperationalError of the database */
  async tell(): Promise<void> {
    const { database, channels, times } = this.#options;
    await writeDueMessages(
      database,
      channels.map(({ name }) => name),
      times,
    );
  }

  /** Delivers what is due. @throws OperationalError of the database */
  async deliver(): Promise<void> {
    await this.#deliverer.deliverDue();
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#deliverer.stop();
    await Promise.all(this.#underWay.values());
  }

  #every(milliseconds: number, work: () => Promise<void>): void {
    this.#timers.push(
      setInterval(() => {
        if (this.#underWay.has(work)) return;
        this.#underWay.set(
          work,
          this.#survive(work).finally(() => this.#underWay.delete(work)),
        );
      }, milliseconds),
    );
  }

  /** Without the database nothing can be told; it is tried again at the next turn. */
  async #survive(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
      this.#options.events.emit('alert_source_failed', { rule: 'database', error });
    }
  }

  async #find(): Promise<RuleFindings[]> {
    const findings: RuleFindings[] = [];
    for (const rule of this.#options.rules) {
      try {
        findings.push({ rule, conditions: await rule.find() });
      } catch (error) {
        if (!(error instanceof OperationalError)) throw error;
        this.#options.events.emit('alert_source_failed', { rule: rule.name, error });
      }
    }
    return findings;
  }

  #announce({ state, rule, severity, fingerprint, summary }: Transition): void {
    this.#options.events.emit(EVENT_OF[state], { rule, severity, fingerprint, summary });
  }
}
