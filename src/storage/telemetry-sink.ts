/** Where the pipeline puts evaluated records. */
import type { ReadingBatch } from '../telemetry/reading-batch.js';
import type { Rejection } from '../telemetry/rejection.js';

export interface WriteResult {
  readonly stored: number;
  readonly merged: number;
  readonly duplicate: number;
  /** Which rows were merged and which were duplicates: as many as the totals say, so that nearly always there are none. */
  readonly mergedRows: readonly number[];
  readonly duplicateRows: readonly number[];
  /** Rows that were not written, each with its reason; the rest of the batch is committed. */
  readonly refused: readonly { readonly row: number; readonly rejection: Rejection }[];
}

export const NOTHING_WRITTEN: WriteResult = {
  stored: 0,
  merged: 0,
  duplicate: 0,
  mergedRows: [],
  duplicateRows: [],
  refused: [],
};

export interface TelemetrySink {
  /**
   * Writes a batch and resolves once it is committed. Partial success is in the result; it rejects only with an
   * OperationalError, and then nothing of the batch can be relied upon: writing the same batch again is safe
   * (what was committed comes back as duplicate). Batches are written in the order of the calls.
   */
  write(batch: ReadingBatch): Promise<WriteResult>;
}
