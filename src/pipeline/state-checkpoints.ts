/**
 * When device state is saved. A snapshot is taken between two batches and saved once every row that it knows is committed:
 * a crash in between would otherwise leave redelivered records unjudged. The next batches wait for neither.
 */
import type { ReadingBatch } from '../telemetry/reading-batch.js';
import type { DeviceStates } from './device-states.js';

export class StateCheckpoints {
  readonly #states: DeviceStates;
  readonly #intervalMs: number;
  #lastMs = performance.now();
  #isSaving = false;
  #saving: Promise<void> = Promise.resolve();
  /** Rows were evaluated that were never committed: the state in memory must not be saved any more. */
  #isAhead = false;

  constructor(states: DeviceStates, intervalMs: number) {
    this.#states = states;
    this.#intervalMs = intervalMs;
  }

  get isDue(): boolean {
    const isBusy = this.#isSaving && !this.#states.isIncomplete;
    return !isBusy && performance.now() - this.#lastMs >= this.#intervalMs;
  }

  /**
   * Begins to save; resolves when the next batch may be evaluated. To be called while every evaluated batch is being
   * written or committed.
   * @param settled what those batches are waited for with
   * @param guard is given what nobody waits for
   */
  async begin(settled: Promise<void>, guard: (work: Promise<void>) => Promise<void>): Promise<void> {
    this.#lastMs = performance.now();
    if (this.#states.isIncomplete) {
      // What is missing is loaded while no row waits for its commit, and no older snapshot to be saved.
      await settled;
      await this.#saving;
      if (!this.#isAhead) await this.#states.checkpoint();
      return;
    }
    const save = this.#states.snapshot();
    this.#isSaving = true;
    this.#saving = guard(settled.then(() => (this.#isAhead ? undefined : save()))).then(() => {
      this.#isSaving = false;
    });
  }

  /** The rows of this batch were evaluated and not stored; where they come again, their devices must not know them. */
  takeBack(batch: ReadingBatch): void {
    this.#states.takeBack(batch);
    this.#lastMs = Number.NEGATIVE_INFINITY; // done before the next batch
  }

  /** As `takeBack`, when the pipeline is stopping: nothing is saved any more. */
  abandon(): void {
    this.#isAhead = true;
  }

  /** At a stop, when every batch is settled: saves what is not saved. */
  async finish(): Promise<void> {
    await this.#saving;
    if (!this.#isAhead) await this.#states.checkpoint();
  }
}
