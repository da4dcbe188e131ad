/** What fails and may succeed later is held and tried again, with backoff; nobody else has the queue's records. */
import type { Events } from '../monitoring/events.js';
import { backoffMs, pause } from '../telemetry/backoff.js';
import { OperationalError } from '../telemetry/operational-error.js';
import type { ImportRequest } from './batch-former.js';

export class Holding {
  readonly #events: Events;
  readonly #stopping: AbortSignal;

  /** @param stopping ends all repetition */
  constructor(events: Events, stopping: AbortSignal) {
    this.#events = events;
    this.#stopping = stopping;
  }

  /**
   * Repeats `attempt` until it succeeds; undefined when the pipeline was stopped meanwhile, or when an import cannot
   * succeed: it is told. The queue's records are held whatever the failure is.
   */
  async until<T>(request: ImportRequest | undefined, attempt: () => Promise<T>): Promise<T | undefined> {
    for (let count = 1; ; count++) {
      try {
        return await attempt();
      } catch (error) {
        if (!(error instanceof OperationalError)) throw error;
        if (await this.again(request, error, count)) continue;
        request?.reject(error);
        return undefined;
      }
    }
  }

  /** Whether to try again, after a pause; no when stopping, or for an import that cannot succeed. */
  async again(request: ImportRequest | undefined, error: OperationalError, attempt: number): Promise<boolean> {
    if (this.#stopping.aborted || (request !== undefined && !error.retryable)) return false;
    const delayMs = backoffMs(attempt, Math.random());
    this.#events.emit('write_retried', { code: error.code, attempt, delayMs, error });
    await pause(delayMs, this.#stopping);
    return true;
  }
}
