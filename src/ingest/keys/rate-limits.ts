/**
 * How much each caller may send: two token buckets, requests and records, which fill with the rate and hold two seconds
 * of it. What a bucket has not, a caller hears with the time until it has.
 */

type LimitedThing = 'requests' | 'records';

/** What a bucket holds unless said otherwise, in seconds of its rate: what a gateway sends that had been away for a moment. */
const BURST_SECONDS = 2;
/** Callers whose buckets are kept; the one longest unseen is forgotten first. */
const MAX_CALLERS = 20_000;

interface Bucket {
  tokens: number;
  atMs: number;
}

type Buckets = Record<LimitedThing, Bucket | undefined>;

export class RateLimits {
  readonly #nowMs: () => number;
  readonly #burstSeconds: number;
  readonly #callers = new Map<string, Buckets>();

  /**
   * @param nowMs a clock that does not jump
   * @param burstSeconds what a bucket holds, in seconds of its rate
   */
  constructor(nowMs: () => number = () => performance.now(), burstSeconds = BURST_SECONDS) {
    this.#nowMs = nowMs;
    this.#burstSeconds = burstSeconds;
  }

  /**
   * Takes `amount` requests or records from the bucket of a caller, all or none. More than the bucket can hold passes
   * when it is full, and is owed: it could never pass otherwise.
   * @returns undefined, or the seconds after which it would pass
   */
  take(caller: string, thing: LimitedThing, amount: number, ratePerSecond: number): number | undefined {
    if (!isLimit(ratePerSecond)) return undefined;
    const bucket = this.#bucket(caller, thing, ratePerSecond);
    const wait = this.#secondsUntil(bucket, amount, ratePerSecond);
    if (wait === undefined) bucket.tokens -= amount;
    return wait;
  }

  /** The seconds until anything at all would pass; undefined when it would now. Takes nothing. */
  wait(caller: string, thing: LimitedThing, ratePerSecond: number): number | undefined {
    if (!isLimit(ratePerSecond)) return undefined;
    return this.#secondsUntil(this.#bucket(caller, thing, ratePerSecond), 1, ratePerSecond);
  }

  #bucket(caller: string, thing: LimitedThing, ratePerSecond: number): Bucket {
    const nowMs = this.#nowMs();
    const buckets = this.#buckets(caller);
    const capacity = this.#capacityOf(ratePerSecond);
    const bucket = (buckets[thing] ??= { tokens: capacity, atMs: nowMs });
    bucket.tokens = Math.min(capacity, bucket.tokens + ((nowMs - bucket.atMs) / 1000) * ratePerSecond);
    bucket.atMs = nowMs;
    return bucket;
  }

  /** Seen last stands last. */
  #buckets(caller: string): Buckets {
    const known = this.#callers.get(caller) ?? { requests: undefined, records: undefined };
    this.#callers.delete(caller);
    this.#callers.set(caller, known);
    for (const oldest of this.#callers.keys()) {
      if (this.#callers.size <= MAX_CALLERS) break;
      this.#callers.delete(oldest);
    }
    return known;
  }

  /** A slow rate must let single ones through. */
  #capacityOf(ratePerSecond: number): number {
    return Math.max(1, ratePerSecond * this.#burstSeconds);
  }

  #secondsUntil(bucket: Bucket, amount: number, ratePerSecond: number): number | undefined {
    const missing = Math.min(amount, this.#capacityOf(ratePerSecond)) - bucket.tokens;
    // Tokens are sums of fractions: what is missing by rounding alone is there.
    return missing > 1e-6 ? missing / ratePerSecond : undefined;
  }
}

const isLimit = (ratePerSecond: number): boolean => ratePerSecond > 0 && ratePerSecond !== Number.POSITIVE_INFINITY;
