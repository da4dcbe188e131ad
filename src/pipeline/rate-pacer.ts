/** A limit of records per second for what is read from a queue: so much of the database is left to others. Pure. */
export class RatePacer {
  readonly #perSecond: number;
  /** When the records let through so far have had their time, milliseconds. */
  #paidUntilMs = Number.NEGATIVE_INFINITY;

  /** @param perSecond 0: no limit */
  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** The most records that are let through at a time: a second's worth. */
  get mostAtOnce(): number {
    return this.#perSecond === 0 ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(this.#perSecond));
  }

  /**
   * Lets records through.
   * @param nowMs a clock that does not jump
   * @returns how long to wait before they are worked on, milliseconds
   */
  delayMs(records: number, nowMs: number): number {
    if (this.#perSecond === 0) return 0;
    const startMs = Math.max(nowMs, this.#paidUntilMs);
    this.#paidUntilMs = startMs + (records / this.#perSecond) * 1000;
    return startMs - nowMs;
  }
}
