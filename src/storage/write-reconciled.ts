/**
 * Rows into the table `telemetry` within a transaction of the caller's: what they say is reconciled with what is stored
 * under their keys. The slow path of the writer, and the only one of whoever has to store rows together with
 * something else.
 */
import type { ReadingBatch } from '../telemetry/reading-batch.js';
import { MICROS_PER_DAY } from '../telemetry/timestamp.js';
import { TELEMETRY_COPY_TARGET, type CopyEncoder } from './copy-encoder.js';
import type { Session } from './database.js';
import { batchOfMerged, type ReconciledBatch } from './reconcile-batch.js';
import { updateStoredRows } from './telemetry-writer-rows.js';

/**
 * Rows older than this are noted in `late_days`, and may lie in compressed chunks: a day less than the seven that
 * the regular refresh of the one-minute level looks back and that chunks stay uncompressed (policy/policy-rules.ts).
 */
export const LATE_AFTER_DAYS = 6;
const OLD_AFTER_US = LATE_AFTER_DAYS * MICROS_PER_DAY;

/** In order of the days, so that two writers never wait for each other in a circle. */
const NOTE_LATE_DAYS_SQL = `
  INSERT INTO late_days (day) SELECT date '1970-01-01' + number FROM unnest($1::int[]) AS number
  ON CONFLICT (day) DO UPDATE SET noted_at = clock_timestamp()`;

/**
 * Merging writers take turns: two that fill different channels of one row at the same time would otherwise
 * overwrite each other. Plain COPYs do not take it. The number only has to differ from other locks of the program.
 */
const MERGE_LOCK_SQL = `SELECT pg_advisory_xact_lock(hashtext('downhole telemetry merge'))`;

/** Before the stored rows are read: from here to the end of the transaction nobody else merges. */
export async function lockMerges(session: Session): Promise<void> {
  await session.execute(MERGE_LOCK_SQL);
}

/** The UTC days, counted from 1970, of the rows that the regular refresh of the aggregates may have passed by. */
export function oldDays(batch: ReadingBatch, rows: ArrayLike<number>, nowUs: number): number[] {
  const beforeUs = nowUs - OLD_AFTER_US;
  const days = new Set<number>();
  for (let index = 0; index < rows.length; index++) {
    const timestampUs = batch.timestampUs[rows[index] as number] as number;
    if (timestampUs < beforeUs) days.add(Math.floor(timestampUs / MICROS_PER_DAY));
  }
  return [...days].sort((a, b) => a - b);
}

/** Has the aggregates of these days refreshed. */
export async function noteLateDays(session: Session, days: readonly number[]): Promise<void> {
  if (days.length > 0) await session.execute(NOTE_LATE_DAYS_SQL, [days]);
}

/**
 * Writes what `reconcileBatch` planned for rows of `batch`. Rejects with SQLSTATE 23505 when somebody has stored one of
 * the new keys since the rows were read: then begin again with a new transaction.
 * @param encoder not in use meanwhile for anything else
 */
export async function writeReconciled(
  session: Session,
  batch: ReadingBatch,
  plan: ReconciledBatch,
  encoder: CopyEncoder,
  nowUs: number,
): Promise<void> {
  const changedKeys = [...plan.newMerged, ...plan.updated].map(({ group }) => group.rows[0] as number);
  await noteLateDays(session, oldDays(batch, [...plan.newRows, ...changedKeys], nowUs));
  if (plan.newRows.length > 0)
    await session.copyBinary(TELEMETRY_COPY_TARGET, encoder.encode(batch, nowUs, plan.newRows));
  if (plan.newMerged.length > 0)
    await session.copyBinary(TELEMETRY_COPY_TARGET, encoder.encode(batchOfMerged(batch, plan.newMerged), nowUs));
  await updateStoredRows(session, plan.updated, nowUs - OLD_AFTER_US);
}
