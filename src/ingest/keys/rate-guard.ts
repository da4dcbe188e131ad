/** Rate limits as answers: 429 with the time to wait, counted. */
import type { Events } from '../../monitoring/events.js';
import type { Caller } from '../caller.js';
import { HttpError } from '../http-error.js';
import { RateLimits } from './rate-limits.js';

/**
 * Tries to sign in from one address: twenty at once, then one in three seconds. Nobody guesses a key; this keeps whoever
 * tries from keeping the database and the log busy.
 */
const SIGN_INS_PER_SECOND = 1 / 3;
const SIGN_IN_BURST_SECONDS = 60;

export class RateGuard {
  readonly #limits: RateLimits;
  readonly #signIns = new RateLimits(() => performance.now(), SIGN_IN_BURST_SECONDS);
  readonly #events: Events;

  constructor(events: Events, limits = new RateLimits()) {
    this.#events = events;
    this.#limits = limits;
  }

  /** Charges one request to its caller; the refusal when it is one too many. */
  takeRequest({ actor, rates }: Caller): HttpError | undefined {
    const wait = this.#limits.take(actor, 'requests', 1, rates.requestsPerSecond);
    return this.#refusal(actor, 'requests', wait);
  }

  /** Charges a try to sign in to the address that it comes from. @throws HttpError 429: then no key is looked at */
  takeSignIn(address: string): void {
    const wait = this.#signIns.take(address, 'requests', 1, SIGN_INS_PER_SECOND);
    if (wait === undefined) return;
    this.#events.emit('rate_limited', { actor: `http:${address}`, limit: 'sign_ins' });
    const seconds = Math.ceil(wait);
    const message = `too many tries to sign in from ${address}; try again in ${seconds} s`;
    throw new HttpError(429, 'rate_limited', message, undefined, seconds);
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

  #refusal(actor: string, limit: 'requests' | 'records', waitSeconds: number | undefined): HttpError | undefined {
    if (waitSeconds === undefined) return undefined;
    this.#events.emit('rate_limited', { actor, limit });
    const seconds = Math.ceil(waitSeconds);
    const message = `more ${limit} per second than ${actor} may send; send the same again in ${seconds} s, and less at a time`;
    return new HttpError(429, 'rate_limited', message, undefined, seconds);
  }
}
