/**
 * The writing of some rows of a batch.
 *
 * Nearly always it is one COPY and nothing else. Only when the database refuses it does the writer look closer:
 *
 *   COPY ── key exists (23505) ──→ one transaction: read the stored rows, reconcile, COPY the new, UPDATE the merged
 *    │                              │ key exists again: somebody wrote in between → the same once more
 *    └── a value is at fault ───────┴─→ halve, down to the row at fault: refused; all others are stored
 *
 * Every step commits or leaves nothing, and whatever was committed comes back as duplicate when the rows are
 * written again: so any failure in between may simply reject.
 */
import { OperationalError } from '../telemetry/operational-error.js';
import type { ReadingBatch } from '../telemetry/reading-batch.js';
import { reject, type Rejection } from '../telemetry/rejection.js';
import { TELEMETRY_COPY_TARGET, type CopyEncoder } from './copy-encoder.js';
import type { Database, Session } from './database.js';
import { groupByKey, reconcileBatch, type ReconciledBatch } from './reconcile-batch.js';
import { failureKind, sqlStateOf } from './sql-state.js';
import type { WriteResult } from './telemetry-sink.js';
import { fetchStoredRows } from './telemetry-writer-rows.js';
import { lockMerges, noteLateDays, oldDays, writeReconciled } from './write-reconciled.js';

/** How often a writer that loses the race for a key looks again before it leaves the batch to a later try. */
const MAX_RECONCILE_ATTEMPTS = 5;

const UNIQUE_VIOLATION = '23505';
/** More rows of compressed chunks would be opened in one transaction than TimescaleDB allows: fewer may pass. */
const CONFIGURATION_LIMIT_EXCEEDED = '53400';

/** What has become of rows so far. */
export interface Tally {
  readonly ingestionUs: number;
  stored: number;
  merged: number;
  duplicate: number;
  readonly mergedRows: number[];
  readonly duplicateRows: number[];
  readonly refused: { readonly row: number; readonly rejection: Rejection }[];
}

export const emptyTally = (ingestionUs: number): Tally => ({
  ingestionUs,
  stored: 0,
  merged: 0,
  duplicate: 0,
  mergedRows: [],
  duplicateRows: [],
  refused: [],
});

/** See above; `run` may be repeated after a failure. */
export class RowsWrite {
  readonly #database: Database;
  readonly #batch: ReadingBatch;
  readonly #rows: Int32Array;
  readonly #encoder: CopyEncoder;
  readonly #nowUs: number;
  #tally: Tally;

  constructor(database: Database, batch: ReadingBatch, rows: Int32Array, encoder: CopyEncoder, nowUs: number) {
    this.#database = database;
    this.#batch = batch;
    this.#rows = rows;
    this.#encoder = encoder;
    this.#nowUs = nowUs;
    this.#tally = emptyTally(nowUs);
  }

  /** @param encoded the rows, from this write's encoder; without it they are encoded anew */
  async run(encoded?: readonly Uint8Array[]): Promise<WriteResult> {
    this.#tally = emptyTally(this.#nowUs);
    await this.#settle(this.#rows, () => this.#copy(this.#rows, encoded ?? this.#encode(this.#rows)));
    return this.#tally;
  }

  #encode(rows: Int32Array): readonly Uint8Array[] {
    return this.#encoder.encode(this.#batch, this.#nowUs, rows);
  }

  /** Runs `attempt` for `rows`, and when it fails does what the failure asks for. */
  async #settle(rows: Int32Array, attempt: () => Promise<void>): Promise<void> {
    try {
      await attempt();
    } catch (error) {
      const sqlState = sqlStateOf(error);
      if (sqlState === UNIQUE_VIOLATION) return this.#settle(rows, () => this.#reconcile(rows));
      const atFault = sqlState !== null && failureKind(sqlState) === 'data';
      if (!atFault && sqlState !== CONFIGURATION_LIMIT_EXCEEDED) throw error;
      if (rows.length > 1) return this.#halve(rows);
      if (!atFault) throw error;
      this.#tally.refused.push({ row: rows[0] as number, rejection: rejectedByDatabase(error) });
    }
  }

  /** The first half before the second, so that of two rows with the same key the first stays the first. */
  async #halve(rows: Int32Array): Promise<void> {
    const middle = rows.length >> 1;
    for (const half of [rows.subarray(0, middle), rows.subarray(middle)]) {
      await this.#settle(half, () => this.#copy(half, this.#encode(half)));
    }
  }

  /** The fast path: all rows are new. Without old rows it is a single statement. */
  async #copy(rows: Int32Array, encoded: readonly Uint8Array[]): Promise<void> {
    const days = oldDays(this.#batch, rows, this.#nowUs);
    if (days.length === 0) await this.#database.copyBinary(TELEMETRY_COPY_TARGET, encoded);
    else {
      await this.#database.transaction(async (session) => {
        await noteLateDays(session, days);
        await session.copyBinary(TELEMETRY_COPY_TARGET, encoded);
      });
    }
    this.#tally.stored += rows.length;
  }

  /** The slow path: some keys are taken, by stored rows or by each other. */
  async #reconcile(rows: Int32Array): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        const outcome = await this.#database.transaction((session) => this.#reconcileWithin(session, rows));
        this.#tally.stored += outcome.stored;
        this.#tally.merged += outcome.mergedRows.length;
        this.#tally.duplicate += outcome.duplicateRows.length;
        for (const row of outcome.mergedRows) this.#tally.mergedRows.push(row);
        for (const row of outcome.duplicateRows) this.#tally.duplicateRows.push(row);
        this.#tally.refused.push(...outcome.refused);
        return;
      } catch (error) {
        if (sqlStateOf(error) !== UNIQUE_VIOLATION) throw error;
        if (attempt === MAX_RECONCILE_ATTEMPTS) throw contended();
      }
    }
  }

  async #reconcileWithin(session: Session, rows: Int32Array): Promise<ReconciledBatch> {
    await lockMerges(session);
    const groups = groupByKey(this.#batch, rows);
    const plan = reconcileBatch(this.#batch, groups, await fetchStoredRows(session, groups));
    await writeReconciled(session, this.#batch, plan, this.#encoder, this.#nowUs);
    return plan;
  }
}

function rejectedByDatabase(error: unknown): Rejection {
  const reason = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const message = reason instanceof Error ? reason.message : String(reason);
  return reject('database_rejected', '', `the database does not take the record: ${message}`);
}

/** Without a cause: its SQLSTATE would send the batch round again. */
function contended(): OperationalError {
  return new OperationalError(
    'write_contended',
    `Other writers stored rows under the same keys ${MAX_RECONCILE_ATTEMPTS} times in a row; the batch is written again.`,
    { retryable: true },
  );
}
