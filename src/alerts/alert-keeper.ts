/**
 * Looks at the sources once a minute and tells the hook what has come up and what has passed, each once. Kept in memory: a
 * process that starts anew tells again what is the case.
 */
import type { Events } from '../monitoring/events.js';
import { OperationalError } from '../telemetry/operational-error.js';
import type { Alert, AlertCondition, AlertHook, AlertSource } from './alert.js';

export interface AlertKeeperOptions {
  readonly sources: readonly AlertSource[];
  /** Absent: alerts are in the log alone. */
  readonly hook?: AlertHook | undefined;
  readonly events: Events;
  readonly intervalMs?: number;
}

const DEFAULT_INTERVAL_MS = 60_000;

interface Firing {
  readonly source: string;
  readonly condition: AlertCondition;
  readonly since: string;
}

export class AlertKeeper {
  readonly #sources: readonly AlertSource[];
  readonly #hook: AlertHook | undefined;
  readonly #events: Events;
  readonly #intervalMs: number;
  readonly #firing = new Map<string, Firing>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor({ sources, hook, events, intervalMs = DEFAULT_INTERVAL_MS }: AlertKeeperOptions) {
    this.#sources = sources;
    this.#hook = hook;
    this.#events = events;
    this.#intervalMs = intervalMs;
  }

  /** Begins to look, for the first time after a minute: what has just started need not be complained about. */
  start(): void {
    this.#timer = setInterval(() => {
      this.#looking = this.#looking.then(() => this.look());
    }, this.#intervalMs);
  }

  /** One look at every source. */
  async look(): Promise<void> {
    for (const source of this.#sources) {
      try {
        this.#compare(source.name, await source.find());
      } catch (error) {
        if (!(error instanceof OperationalError)) throw error;
        this.#events.emit('alert_source_failed', { source: source.name, error });
      }
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
    await this.#hook?.stop();
  }

  #compare(source: string, conditions: readonly AlertCondition[]): void {
    const at = new Date().toISOString();
    for (const condition of conditions) {
      const known = this.#firing.get(condition.key);
      this.#firing.set(condition.key, { source, condition, since: known?.since ?? at });
      if (known === undefined) this.#tell({ ...condition, state: 'firing', since: at, at });
    }
    const present = new Set(conditions.map(({ key }) => key));
    for (const [key, { source: from, condition, since }] of this.#firing) {
      if (from !== source || present.has(key)) continue;
      this.#firing.delete(key);
      this.#tell({ ...condition, state: 'resolved', since, at });
    }
  }

  #tell(alert: Alert): void {
    const { key, kind, summary, state } = alert;
    this.#events.emit(state === 'firing' ? 'alert_raised' : 'alert_resolved', { key, kind, summary });
    this.#hook?.send(alert);
  }
}
