/**
 * Sends one body of records to the ingest API until the API has answered for it: a refusal for now (503, 429, no
 * connection, a key that does not let in) means to wait and send the same bytes again, which is harmless, since a record
 * stored already counts as duplicate. One request at a time, so that the records of a well keep their order.
 */
import type { Events } from '../../monitoring/events.js';
import { backoffMs, pause } from '../../telemetry/backoff.js';
import { explainNoAnswer, ServiceClient, type ServiceAccess, type ServiceAnswer } from '../service-client.js';

const REQUEST_TIMEOUT_MS = 60_000;
const MOST_WAIT_MS = 10_000;
/** A request that is under way when the simulator is stopped may still finish within this time. */
const STOP_GRACE_MS = 2000;
const SHOWN_ANSWER_LENGTH = 300;

export class TelemetryClient {
  readonly #service: ServiceClient;
  readonly #events: Events;
  readonly #stopping: AbortSignal;
  #underWay: AbortController | undefined;

  constructor(access: ServiceAccess, events: Events, stopping: AbortSignal) {
    this.#service = new ServiceClient(access);
    this.#events = events;
    this.#stopping = stopping;
    stopping.addEventListener('abort', () => {
      setTimeout(() => this.#underWay?.abort(), STOP_GRACE_MS).unref();
    });
  }

  /**
   * Resolves once the API has taken the records, or has refused them for good (which an event reports).
   * @returns false when the simulator was stopped before
   */
  async send(body: Uint8Array, records: number): Promise<boolean> {
    for (let attempt = 1; !this.#stopping.aborted; attempt++) {
      const waitMs = await this.#attempt(body, records, attempt);
      if (waitMs === undefined) return true;
      await pause(waitMs, this.#stopping);
    }
    return false;
  }

  /** @returns undefined when there is an answer, or how long to wait before the next attempt */
  async #attempt(body: Uint8Array, records: number, attempt: number): Promise<number | undefined> {
    let answer: ServiceAnswer;
    // A controller of its own for each request: AbortSignal.any() on Node 20 never lets go of a long-lived signal.
    const underWay = new AbortController();
    this.#underWay = underWay;
    const timer = setTimeout(() => underWay.abort(), REQUEST_TIMEOUT_MS);
    try {
      answer = await this.#service.call({
        method: 'POST',
        path: '/v1/telemetry',
        contentType: 'application/x-ndjson',
        body,
        signal: underWay.signal,
      });
    } catch (error) {
      // A call rejects for nothing but the connection and the signal, and either means: not answered.
      if (!this.#stopping.aborted) this.#report(0, `no answer from ${this.#service.url}: ${explainNoAnswer(error)}`);
      return backoffMs(attempt, Math.random());
    } finally {
      clearTimeout(timer);
    }
    const { status, text, retryAfterSeconds } = answer;
    if (status === 202) {
      const rejected = rejectedRecords(text);
      if (rejected > 0) this.#report(status, `${rejected} of ${records} records rejected: ${text}`);
      return undefined;
    }
    this.#report(status, text);
    // Somebody can give the key back what it lacks; records that are skipped are gone.
    const passing = status >= 500 || [401, 403, 408, 429].includes(status);
    if (!passing) return undefined;
    return retryAfterSeconds > 0 ? Math.min(retryAfterSeconds * 1000, MOST_WAIT_MS) : backoffMs(attempt, Math.random());
  }

  /** Closes the connections that are kept. */
  close(): void {
    this.#service.close();
  }

  #report(status: number, message: string): void {
    this.#events.emit('simulator_refused', { status, message: message.slice(0, SHOWN_ANSWER_LENGTH) });
  }
}

/** How many records an answer of 202 refuses; an answer without the list is one of another API version, and fine. */
function rejectedRecords(answer: string): number {
  const parsed = JSON.parse(answer) as { rejected?: unknown };
  return Array.isArray(parsed.rejected) ? parsed.rejected.length : 0;
}
