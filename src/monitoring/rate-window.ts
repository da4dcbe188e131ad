/** Events per second over the last minute, in one-second slots. */
const WINDOW_SECONDS = 60;

export class RateWindow {
  readonly #counts = new Float64Array(WINDOW_SECONDS);
  readonly #seconds = new Float64Array(WINDOW_SECONDS).fill(Number.NEGATIVE_INFINITY);
  readonly #nowMs: () => number;

  /** @param nowMs a clock that does not jump */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  add(amount: number): void {
    const second = Math.floor(this.#nowMs() / 1000);
    const slot = second % WINDOW_SECONDS;
    if (this.#seconds[slot] !== second) {
      this.#seconds[slot] = second;
      this.#counts[slot] = 0;
    }
    this.#counts[slot] = (this.#counts[slot] as number) + amount;
  }

  /** Per second, mean of the last minute. */
  perSecond(): number {
    const since = Math.floor(this.#nowMs() / 1000) - WINDOW_SECONDS;
    let sum = 0;
    for (let slot = 0; slot < WINDOW_SECONDS; slot++) {
      if ((this.#seconds[slot] as number) > since) sum += this.#counts[slot] as number;
    }
    return sum / WINDOW_SECONDS;
  }
}
