/** Runs pieces of work one after another, in the order in which they were asked for. */
export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    // The next one starts whether this one succeeds or not; who asked for it gets the failure through `result`.
    this.#last = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }
}
