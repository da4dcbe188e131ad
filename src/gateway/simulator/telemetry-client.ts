/**
 * Sends one body of records to the ingest API until the API has answered for it: a refusal for now (503, 429, no
 * connection) means to wait and send the same bytes again, which is harmless, since a record stored already counts
 * as duplicate. One request at a time, so that the records of a well keep their order.
 */
import type { Events } from '../../monitoring/events.js';
import { backoffMs, pause } from '../../telemetry/backoff.js';

const REQUEST_TIMEOUT_MS = 60_000;
const MOST_WAIT_MS = 10_000;
/** A request that is under way when the simulator is stopped may still finish within this time. */
const STOP_GRACE_MS = 2000;
const SHOWN_ANSWER_LENGTH = 300;

export class TelemetryClient {
  readonly #url: string;
  readonly #events: Events;
  readonly #stopping: AbortSignal;
  #underWay: AbortController | undefined;

  constructor(url: string, events: Events, stopping: AbortSignal) {
    this.#url = new URL('/v1/telemetry', url).href;
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
    let status: number;
    let answer: string;
    let retryAfter: string | null;
    // A controller of its own for each request: AbortSignal.any() on Node 20 never lets go of a long-lived signal.
    const underWay = new AbortController();
    this.#underWay = underWay;
    const timer = setTimeout(() => underWay.abort(), REQUEST_TIMEOUT_MS);
    try {
      const response = await fetch(this.#url, {
        method: 'POST',
        headers: { 'content-type': 'application/x-ndjson' },
        body: body as Uint8Array<ArrayBuffer>,
        signal: underWay.signal,
      });
      status = response.status;
      retryAfter = response.headers.get('retry-after');
      answer = await response.text();
    } catch (error) {
      // fetch rejects for nothing but the connection and the signal, and either means: not answered.
      if (!this.#stopping.aborted) this.#report(0, `no answer from ${this.#url}: ${reason(error)}`);
      return backoffMs(attempt, Math.random());
    } finally {
      clearTimeout(timer);
    }
    if (status === 202) {
      const rejected = rejectedRecords(answer);
      if (rejected > 0) this.#report(status, `${rejected} of ${records} records rejected: ${answer}`);
      return undefined;
    }
    this.#report(status, answer);
    const passing = status >= 500 || status === 408 || status === 429;
    if (!passing) return undefined;
    const seconds = Number(retryAfter ?? Number.NaN);
    return seconds > 0 ? Math.min(seconds * 1000, MOST_WAIT_MS) : backoffMs(attempt, Math.random());
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

/** `fetch failed` says nothing: the cause does. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
