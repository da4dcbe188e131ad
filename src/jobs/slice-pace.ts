/** How much a slice should take: noticeable by nobody who waits for the same connection. */
const TARGET_MS = 500;
/** Below this a slice found (nearly) nothing to do, which says nothing about how dense the data is. */
const IDLE_MS = 50;
const GROWTH = 1.25;

/**
 * Learns how long a range to refresh at a time: the density of data varies by a factor of 10 000 between a handful of
 * wells polled each quarter of an hour and hundreds at 1 Hz. Remembers between runs; grows slowly, shrinks at once.
 */
export class SlicePace {
  readonly #leastSeconds: number;
  readonly #mostSeconds: number;
  #seconds: number;

  constructor(options: { readonly leastSeconds: number; readonly mostSeconds: number; readonly firstSeconds: number }) {
    this.#leastSeconds = options.leastSeconds;
    this.#mostSeconds = options.mostSeconds;
    this.#seconds = options.firstSeconds;
  }

  /** Length of the next slice: a multiple of the least. */
  get seconds(): number {
    return Math.max(1, Math.floor(this.#seconds / this.#leastSeconds)) * this.#leastSeconds;
  }

  /** A slice of this length took so long. */
  record(sliceSeconds: number, elapsedMs: number): void {
    const wanted = elapsedMs < IDLE_MS ? this.#seconds * GROWTH : (sliceSeconds * TARGET_MS) / elapsedMs;
    this.#seconds = Math.min(this.#mostSeconds, Math.max(this.#leastSeconds, Math.min(wanted, this.#seconds * 2)));
  }
}
