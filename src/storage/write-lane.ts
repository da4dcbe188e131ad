/** One connection's share of the writing: the rows of some devices, one write after the other. */
import { OperationalError } from '../telemetry/operational-error.js';
import type { ReadingBatch } from '../telemetry/reading-batch.js';
import { CopyEncoder } from './copy-encoder.js';
import type { Database } from './database.js';
import { RowsWrite } from './rows-write.js';
import { NOTHING_WRITTEN, type RetryPolicy, type WriteResult } from './telemetry-sink.js';

/** Batches that a lane has encoded and not yet written: one on its way to the database, one waiting behind it. */
export const BATCHES_PER_LANE = 2;

export class WriteLane {
  readonly #database: Database;
  readonly #encoders: CopyEncoder[] = Array.from({ length: BATCHES_PER_LANE }, () => new CopyEncoder());
  /** Settles, and never rejects, when the last write has. */
  #lastWrite: Promise<unknown> = Promise.resolve();
  /** How many writes were given up that may succeed later, and how the last one failed. */
  #failures = 0;
  #failure: unknown;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Writes these rows. A write that is held holds those behind it; when it is given up although it might succeed later,
   * those already waiting behind it fail with the same error: none of them may overtake it.
   */
  async write(batch: ReadingBatch, rows: Int32Array, nowUs: number, retry: RetryPolicy): Promise<WriteResult> {
    if (rows.length === 0) return NOTHING_WRITTEN;
    const encoder = this.#encoders.pop() ?? new CopyEncoder();
    const encoded = encoder.encode(batch, nowUs, rows);
    const failures = this.#failures;
    const written = this.#lastWrite.then(() => {
      if (this.#failures !== failures) throw this.#failure;
      return this.#untilGivenUp(new RowsWrite(this.#database, batch, rows, encoder, nowUs), encoded, retry);
    });
    const release = (): void => {
      if (this.#encoders.length < BATCHES_PER_LANE) this.#encoders.push(encoder);
    };
    this.#lastWrite = written.then(release, release);
    return written;
  }

  async #untilGivenUp(write: RowsWrite, encoded: readonly Uint8Array[], retry: RetryPolicy): Promise<WriteResult> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await write.run(attempt === 1 ? encoded : undefined);
      } catch (error) {
        if (error instanceof OperationalError && (await retry(error, attempt))) continue;
        if (!(error instanceof OperationalError) || error.retryable) {
          this.#failures++;
          this.#failure = error;
        }
        throw error;
      }
    }
  }
}
