/** What has been opened and must be put away, in reverse order, each once. */
export class Closers {
  readonly #closers: (() => Promise<void> | void)[] = [];

  add(close: () => Promise<void> | void): void {
    this.#closers.push(close);
  }

  /** For those that must be put away at the same time, because one may wait for the other. */
  addTogether(closes: readonly (() => Promise<void> | void)[]): void {
    this.add(async () => {
      const closing = closes.map(async (close) => close());
      await Promise.allSettled(closing);
      await Promise.all(closing); // all have settled: rejects where one has failed
    });
  }

  /** Puts everything away even when some of it fails; rejects with the first failure at the end. */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (let close = this.#closers.pop(); close !== undefined; close = this.#closers.pop()) {
      try {
        await close();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
