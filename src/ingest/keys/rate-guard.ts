/** Rate limits as answers: 429 with the time to wait, counted. */
import type { Events } from '../../monitoring/events.js';
import type { Caller } from '../caller.js';
import { HttpError } from '../http-error.js';
import { RateLimits, type LimitedThing } from './rate-limits.js';

export class RateGuard {
  readonly #limits: RateLimits;
  readonly #events: Events;

  constructor(events: Events, limits = new RateLimits()) {
    this.#events = events;
    this.#limits = limits;
  }

  /** Charges one request to its caller; the refusal when it is one too many. */
  takeRequest({ actor, rates }: Caller): HttpError | undefined {
    return this.#refusal(actor, 'requests', this.#limits.take(actor, 'requests', 1, rates.requestsPerSecond));
  }

  /**
   * Charges records to their sender, all or none.
   * @throws HttpError 429: then none may be published
   */
  takeRecords({ actor, rates }: Caller, records: number): void {
    const wait = this.#limits.take(actor, 'records', records, rates.recordsPerSecond);
    const refusal = this.#refusal(actor, 'records', wait);
    if (refusal !== undefined) throw refusal;
  }

  /** The refusal of whatever a body brings, before it is read: when not a single record would pass. */
  refuseBody({ actor, rates }: Caller): HttpError | undefined {
    return this.#refusal(actor, 'records', this.#limits.wait(actor, 'records', rates.recordsPerSecond));
  }

  #refusal(actor: string, limit: LimitedThing, waitSeconds: number | undefined): HttpError | undefined {
    if (waitSeconds === undefined) return undefined;
    this.#events.emit('rate_limited', { actor, limit });
    const seconds = Math.ceil(waitSeconds);
    const message = `more ${limit} per second than ${actor} may send; send the same again in ${seconds} s, and less at a time`;
    return new HttpError(429, 'rate_limited', message, undefined, seconds);
  }
}
