/** Rows stored after a device's state was saved, for catching up after a crash. */
import { CHANNEL_NAMES } from '../telemetry/channels.js';
import { QualityFlag } from '../telemetry/quality-flags.js';
import { sqlTimestamp } from '../telemetry/timestamp.js';
import type { Database, Row } from './database.js';

/** A stored row as device state learns from it. */
export interface StoredRow {
  readonly deviceId: string;
  /** Epoch microseconds. */
  readonly timestampUs: number;
  /** By catalogue position; null = NULL. */
  readonly values: readonly (number | null)[];
}

/**
 * State is saved every few seconds, so this is what a few seconds bring in. The bound keeps a restart short when a
 * checkpoint is much older: the newest rows of every device are what its state depends on most.
 */
const MAX_ROWS = 500_000;

const SQL = `
  SELECT t.device_id, (extract(epoch FROM t."timestamp") * 1000000)::bigint AS timestamp_us, ${CHANNEL_NAMES.map((name) => `t.${name}`).join(', ')}
  FROM unnest($1::text[], $2::bigint[]) AS saved (device_id, since_us)
  JOIN telemetry t ON t.device_id = saved.device_id
    AND t."timestamp" > timestamptz 'epoch' + saved.since_us * interval '1 microsecond'
  WHERE t."timestamp" > $3::timestamptz -- the same for all devices: leaves older chunks alone
    -- Rows that came late, or out of a dead letter, taught nothing when they were stored.
    AND (t.quality_flags IS NULL OR t.quality_flags & ${QualityFlag.notEvaluated} = 0)
  ORDER BY t."timestamp" DESC
  LIMIT ${MAX_ROWS}`;

/**
 * The rows of some devices that are newer than a time each, oldest first.
 * @param since device id → epoch microseconds of the newest row that its state knows
 */
export async function readNewerRows(database: Database, since: ReadonlyMap<string, number>): Promise<StoredRow[]> {
  if (since.size === 0) return [];
  let oldestUs = Number.POSITIVE_INFINITY;
  for (const sinceUs of since.values()) oldestUs = Math.min(oldestUs, sinceUs);
  const rows = await database.query(SQL, [[...since.keys()], [...since.values()], sqlTimestamp(oldestUs)]);
  return rows.reverse().map(storedRow);
}

function storedRow(row: Row): StoredRow {
  return {
    deviceId: row['device_id'] as string,
    timestampUs: Number(row['timestamp_us']),
    values: CHANNEL_NAMES.map((name) => row[name] as number | null),
  };
}
