/** An import through a running service: whoever holds the data directory writes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs } from '../../telemetry/backoff.js';
import { OperationalError } from '../../telemetry/operational-error.js';
import { OUTCOMES, type OutcomeCounts } from '../../telemetry/outcome.js';
import { formatTimestamp } from '../../telemetry/timestamp.js';
import { explainNoAnswer, ServiceClient, type ServiceAccess, type ServiceAnswer } from '../service-client.js';
import type { HoldRange, ImportTarget } from './import-target.js';

/** How often a request is tried while the service is busy or away. */
const MAX_ATTEMPTS = 8;
const MOST_WAIT_MS = 10_000;

export class HttpTarget implements ImportTarget {
  readonly #service: ServiceClient;

  constructor(access: ServiceAccess) {
    this.#service = new ServiceClient(access);
  }

  async ingest(body: Uint8Array): Promise<OutcomeCounts> {
    const answer = await this.#post('/v1/import', body);
    const counts = answer as Partial<Record<string, unknown>>;
    if (typeof answer === 'object' && answer !== null && OUTCOMES.every((name) => typeof counts[name] === 'number'))
      return counts as OutcomeCounts;
    throw new OperationalError(
      'unexpected_answer',
      `${this.#service.url} does not answer like this version of Downhole.`,
    );
  }

  async hold({ deviceId, fromUs, toUs, reason }: HoldRange): Promise<void> {
    const hold = { device_id: deviceId, from: formatTimestamp(fromUs), to: formatTimestamp(toUs), reason };
    await this.#post('/v1/holds', Buffer.from(JSON.stringify(hold)));
  }

  /** The service refreshes late ranges by itself within a minute. */
  finish(): Promise<void> {
    return Promise.resolve();
  }

  async #post(path: string, body: Uint8Array): Promise<unknown> {
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.#attempt(path, body);
      if (!(outcome instanceof Refusal)) return outcome;
      if (!outcome.error.retryable || attempt === MAX_ATTEMPTS) throw outcome.error;
      await sleep(outcome.waitMs ?? backoffMs(attempt + 1, Math.random()));
    }
  }

  async #attempt(path: string, body: Uint8Array): Promise<unknown> {
    const { url } = this.#service;
    let answer: ServiceAnswer;
    try {
      answer = await this.#service.call({ method: 'POST', path, contentType: 'application/json', body });
    } catch (error) {
      // A call rejects only when there is no answer; whatever became of the records, sending them again is harmless.
      const message = `The service at ${url} does not answer: ${explainNoAnswer(error)}. When it does, run the import again: it goes on from here.`;
      return new Refusal(new OperationalError('service_unavailable', message, { retryable: true, cause: error }));
    }
    const { status, text, retryAfterSeconds } = answer;
    if (status >= 200 && status < 300) return JSON.parse(text) as unknown;
    const retryable = status >= 500 || status === 429;
    const remedy = status === 401 ? ' Give a key with the scope write in DOWNHOLE_API_KEY.' : '';
    const message = `The service at ${url} refused a batch (${status}): ${text.slice(0, 500)}${remedy}`;
    const waitMs = retryAfterSeconds > 0 ? Math.min(retryAfterSeconds * 1000, MOST_WAIT_MS) : undefined;
    return new Refusal(new OperationalError('service_refused', message, { retryable }), waitMs);
  }
}

class Refusal {
  readonly error: OperationalError;
  readonly waitMs: number | undefined;
  constructor(error: OperationalError, waitMs?: number) {
    this.error = error;
    this.waitMs = waitMs;
  }
}
