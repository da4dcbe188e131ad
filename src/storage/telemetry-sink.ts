/** Where the pipeline puts evaluated records. */
import type { OperationalError } from '../telemetry/operational-error.js';
import type { ReadingBatch } from '../telemetry/reading-batch.js';
import type { Rejection } from '../telemetry/rejection.js';

export interface WriteResult {
  /** What the stored rows have as `ingestion_timestamp`, epoch microseconds. */
  readonly ingestionUs: number;
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
  ingestionUs: 0,
  stored: 0,
  merged: 0,
  duplicate: 0,
  mergedRows: [],
  duplicateRows: [],
  refused: [],
};

/**
 * Asked when an attempt has failed: resolves to true when it shall be repeated, once it may be, and to false when it is
 * given up. What is behind it waits meanwhile.
 */
export type RetryPolicy = (error: OperationalError, attempt: number) => Promise<boolean>;

export interface TelemetrySink {
  /** So many writes may be under way at a time; more would only wait. */
  readonly writesInFlight: number;
  /**
   * Writes a batch and resolves once all of it is committed. Partial success is in the result; it rejects only with an
   * OperationalError, after `retry` has given up, and then nothing of the batch can be relied upon: writing the same
   * batch again is safe (what was committed comes back as duplicate). Records of a device are written in the order of the
   * calls; without `retry` nothing is repeated. The batch must not change until the promise has settled.
   */
  write(batch: ReadingBatch, retry?: RetryPolicy): Promise<WriteResult>;
}
