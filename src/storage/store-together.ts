/**
 * Rows into `telemetry` within a transaction of the caller's, whatever else it does: replayed dead letters and their new
 * state are one commit. Rows of one delivery (`batch.delivery`) are stored all or not at all.
 */
import type { ReadingBatch } from '../telemetry/reading-batch.js';
import type { Rejection } from '../telemetry/rejection.js';
import { CopyEncoder } from './copy-encoder.js';
import type { Session } from './database.js';
import { noteLatest } from './device-directory.js';
import { noteWritten } from './ledger-store.js';
import { groupByKey, reconcileBatch, type KeyGroup, type ReconciledBatch } from './reconcile-batch.js';
import type { ReplacedValue, RowValues } from './reconcile.js';
import type { WriteResult } from './telemetry-sink.js';
import { fetchStoredRows } from './telemetry-writer-rows.js';
import { lockMerges, writeReconciled } from './write-reconciled.js';

export interface StoreOptions {
  /** Epoch microseconds: `ingestion_timestamp`, and what is old. */
  readonly nowUs: number;
  /** Whether a row that contradicts a stored one is refused, or takes its place. */
  readonly onConflict: 'refuse' | 'overwrite';
}

/** What became of a row. */
export type StoredAs = 'stored' | 'merged' | 'duplicate' | 'overwritten';

export interface StoredTogether {
  /** By row; undefined: its delivery was refused. */
  readonly outcomes: readonly (StoredAs | undefined)[];
  /** Why a delivery was refused, by its number. */
  readonly refused: ReadonlyMap<number, Rejection>;
  /** The values that overwritten rows had before. */
  readonly replaced: readonly { readonly row: number; readonly replaced: readonly ReplacedValue[] }[];
}

/**
 * Stores rows, and notes their devices as seen: those that are new register themselves. Every row has a device number of
 * the caller's. Rejects as the database does: with SQLSTATE 23505 when somebody has stored one of the keys meanwhile (begin
 * again with a new transaction), with one of a value when a value is at fault.
 */
export async function storeTogether(
  session: Session,
  batch: ReadingBatch,
  { nowUs, onConflict }: StoreOptions,
): Promise<StoredTogether> {
  if (batch.length === 0) return { outcomes: [], refused: new Map(), replaced: [] };
  await lockMerges(session);
  const groups = groupByKey(
    batch,
    Int32Array.from({ length: batch.length }, (_, row) => row),
  );
  const stored = await fetchStoredRows(session, groups);
  const { plan, refused } = planTogether(batch, groups, stored, onConflict);
  await writeReconciled(session, batch, plan, new CopyEncoder(), nowUs);
  const outcomes = outcomesOf(batch, plan, refused);
  await noteLatest(session, batch, { ...writeResultOf(outcomes, plan, refused, batch), ingestionUs: nowUs });
  const storedIds = batch.deviceId.slice(0, batch.length).filter((_, row) => outcomes[row] === 'stored');
  await noteWritten(session, storedIds, nowUs);
  return { outcomes, refused, replaced: plan.overwritten };
}

/**
 * The plan that comes of the deliveries one after the other. One with several rows that would be refused in part is left out
 * as a whole, and then what it stood in the way of is planned anew.
 */
function planTogether(
  batch: ReadingBatch,
  groups: readonly KeyGroup[],
  stored: readonly (RowValues | undefined)[],
  onConflict: StoreOptions['onConflict'],
): { plan: ReconciledBatch; refused: Map<number, Rejection> } {
  const sizes = new Map<number, number>();
  for (let row = 0; row < batch.length; row++) {
    const delivery = batch.delivery[row] as number;
    sizes.set(delivery, (sizes.get(delivery) ?? 0) + 1);
  }
  const refused = new Map<number, Rejection>();
  for (;;) {
    const left = groups.map((group) => ({
      ...group,
      rows: group.rows.filter((row) => !refused.has(batch.delivery[row] as number)),
    }));
    const kept = left.flatMap((group, index) => (group.rows.length === 0 ? [] : [{ group, stored: stored[index] }]));
    const plan = reconcileBatch(
      batch,
      kept.map(({ group }) => group),
      kept.map((entry) => entry.stored),
      onConflict,
    );
    const partly = plan.refused
      .filter(({ row }) => (sizes.get(batch.delivery[row] as number) as number) > 1)
      .reduce<number | undefined>((first, { row }) => Math.min(first ?? row, row), undefined);
    if (partly === undefined) {
      for (const { row, rejection } of plan.refused) refused.set(batch.delivery[row] as number, rejection);
      return { plan, refused };
    }
    const { rejection } = plan.refused.find(({ row }) => row === partly) as (typeof plan.refused)[number];
    refused.set(batch.delivery[partly] as number, rejection);
  }
}

function outcomesOf(
  batch: ReadingBatch,
  { mergedRows, duplicateRows, overwritten }: ReconciledBatch,
  refused: ReadonlyMap<number, Rejection>,
): (StoredAs | undefined)[] {
  const outcomes = Array.from({ length: batch.length }, (_, row): StoredAs | undefined =>
    refused.has(batch.delivery[row] as number) ? undefined : 'stored',
  );
  for (const row of mergedRows) outcomes[row] = 'merged';
  for (const row of duplicateRows) outcomes[row] = 'duplicate';
  for (const { row } of overwritten) outcomes[row] = 'overwritten';
  return outcomes;
}

/** For last values: a row that was overwritten says more than this record of it, like one that was merged. */
function writeResultOf(
  outcomes: readonly (StoredAs | undefined)[],
  { stored, mergedRows, duplicateRows, overwritten }: ReconciledBatch,
  refused: ReadonlyMap<number, Rejection>,
  batch: ReadingBatch,
): Omit<WriteResult, 'ingestionUs'> {
  const changed = [...mergedRows, ...overwritten.map(({ row }) => row)];
  const notStored = outcomes.flatMap((outcome, row) => {
    const rejection = outcome === undefined ? refused.get(batch.delivery[row] as number) : undefined;
    return rejection === undefined ? [] : [{ row, rejection }];
  });
  return {
    stored,
    merged: changed.length,
    duplicate: duplicateRows.length,
    mergedRows: changed,
    duplicateRows,
    refused: notStored,
  };
}
