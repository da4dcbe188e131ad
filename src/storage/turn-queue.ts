import { databaseBusy } from './sql-state.js';

/** Gives a single connection to one piece of work at a time, first come, first served; so many may wait. */
export class TurnQueue {
  readonly #maxWaiting: number;
  readonly #waiting: (() => void)[] = [];
  #taken = false;

  constructor(maxWaiting: number) {
    this.#maxWaiting = maxWaiting;
  }

  /** @throws OperationalError `database_busy` when too many wait already */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#taken) {
      if (this.#waiting.length >= this.#maxWaiting) throw databaseBusy(this.#waiting.length);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#taken = true;
    try {
      return await work();
    } finally {
      // The turn passes directly to the next one: nobody who comes in between can overtake.
      const next = this.#waiting.shift();
      if (next === undefined) this.#taken = false;
      else next();
    }
  }
}
