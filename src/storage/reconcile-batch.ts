/** What becomes of the rows of a batch, given the rows that are stored under their keys. Pure. */
import { CHANNEL_COUNT, CHANNELS } from '../telemetry/channels.js';
import { scoreOfFlags } from '../telemetry/quality-score.js';
import { ReadingBatch } from '../telemetry/reading-batch.js';
import { reject, type Rejection } from '../telemetry/rejection.js';
import { describeConflict, overwrite, reconcile, type ReplacedValue, type RowValues } from './reconcile.js';

/** All rows of a batch that have the same device and time. */
export interface KeyGroup {
  /** In the order of the batch; the first one is what a new row is made of. */
  readonly rows: number[];
  readonly deviceId: string;
  readonly timestampUs: number;
}

/** What to write so that the batch is in the table, and what to report about its rows. */
export interface ReconciledBatch {
  /** Rows of the batch that are new and stored as they are. */
  readonly newRows: readonly number[];
  /** New keys whose row is made of several reports of the batch. */
  readonly newMerged: readonly ChangedRow[];
  /** Keys whose stored row gets more. */
  readonly updated: readonly ChangedRow[];
  readonly stored: number;
  readonly mergedRows: readonly number[];
  readonly duplicateRows: readonly number[];
  /** Rows that contradicted a stored one and took its place, where that was asked for. */
  readonly overwritten: readonly { readonly row: number; readonly replaced: readonly ReplacedValue[] }[];
  readonly refused: readonly { readonly row: number; readonly rejection: Rejection }[];
}

export interface ChangedRow {
  readonly group: KeyGroup;
  readonly values: RowValues;
}

/** Groups rows of a batch by key, in the order in which the keys appear. */
export function groupByKey(batch: ReadingBatch, rows: ArrayLike<number>): KeyGroup[] {
  const groups: KeyGroup[] = [];
  const byDevice = new Map<string, Map<number, KeyGroup>>();
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index] as number;
    const deviceId = batch.deviceId[row] as string;
    const timestampUs = batch.timestampUs[row] as number;
    let byTime = byDevice.get(deviceId);
    if (byTime === undefined) byDevice.set(deviceId, (byTime = new Map<number, KeyGroup>()));
    const group = byTime.get(timestampUs);
    if (group !== undefined) {
      group.rows.push(row);
      continue;
    }
    const opened: KeyGroup = { rows: [row], deviceId, timestampUs };
    byTime.set(timestampUs, opened);
    groups.push(opened);
  }
  return groups;
}

/** A row of a batch; the channel values are a view of the batch. */
function rowValues(batch: ReadingBatch, row: number): RowValues {
  return {
    values: batch.values.subarray(row * CHANNEL_COUNT, (row + 1) * CHANNEL_COUNT),
    flagsLow: batch.flagsLow[row] as number,
    flagsHigh: batch.flagsHigh[row] as number,
    isAnomaly: batch.isAnomaly[row] === 1,
    anomalyScore: batch.anomalyScore[row] as number,
    anomalyCause: batch.anomalyCause[row] as number,
    operatingState: batch.operatingState[row] as number,
    rawValues: batch.rawValues[row],
  };
}

/**
 * Plans the writing of `groups`; `stored[i]` is the row in the table under the key of `groups[i]`, if there is one.
 * @param onConflict whether a row that contradicts is refused, or counts
 */
export function reconcileBatch(
  batch: ReadingBatch,
  groups: readonly KeyGroup[],
  stored: readonly (RowValues | undefined)[],
  onConflict: 'refuse' | 'overwrite' = 'refuse',
): ReconciledBatch {
  const newRows: number[] = [];
  const newMerged: ChangedRow[] = [];
  const updated: ChangedRow[] = [];
  const refused: { row: number; rejection: Rejection }[] = [];
  const mergedRows: number[] = [];
  const duplicateRows: number[] = [];
  const overwritten: { row: number; replaced: ReplacedValue[] }[] = [];
  for (const [index, group] of groups.entries()) {
    const existing = stored[index];
    let current = existing;
    let changed = false;
    for (const row of group.rows) {
      const incoming = rowValues(batch, row);
      if (current === undefined) {
        current = incoming;
        continue;
      }
      const outcome = reconcile(current, incoming);
      if (outcome.kind === 'duplicate') {
        duplicateRows.push(row);
      } else if (outcome.kind === 'merged') {
        mergedRows.push(row);
        changed = true;
        current = outcome.row;
      } else if (onConflict === 'overwrite') {
        const { row: values, replaced } = overwrite(current, incoming);
        overwritten.push({ row, replaced });
        changed = true;
        current = values;
      } else {
        const field = (CHANNELS[outcome.channel] as (typeof CHANNELS)[number]).name;
        refused.push({ row, rejection: reject('conflict', field, describeConflict(outcome)) });
      }
    }
    if (changed) (existing === undefined ? newMerged : updated).push({ group, values: current as RowValues });
    else if (existing === undefined) newRows.push(group.rows[0] as number);
  }
  return {
    newRows,
    newMerged,
    updated,
    stored: newRows.length + newMerged.length,
    mergedRows,
    duplicateRows,
    overwritten,
    refused,
  };
}

/** Rows made of several reports as a batch of their own; source and key are those of the first report. */
export function batchOfMerged(batch: ReadingBatch, changed: readonly ChangedRow[]): ReadingBatch {
  const result = new ReadingBatch(changed.length);
  for (const { group, values } of changed) {
    const row = result.open();
    result.timestampUs[row] = group.timestampUs;
    result.deviceId[row] = group.deviceId;
    result.sourceSystem[row] = batch.sourceSystem[group.rows[0] as number] as string;
    result.values.set(values.values, row * CHANNEL_COUNT);
    result.qualityScore[row] = scoreOfFlags(values.flagsLow, values.flagsHigh);
    result.flagsLow[row] = values.flagsLow;
    result.flagsHigh[row] = values.flagsHigh;
    result.isAnomaly[row] = values.isAnomaly ? 1 : 0;
    result.anomalyScore[row] = values.anomalyScore;
    result.anomalyCause[row] = values.anomalyCause;
    result.operatingState[row] = values.operatingState;
    result.rawValues[row] = values.rawValues;
  }
  return result;
}
