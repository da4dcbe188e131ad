/** Stored readings of many devices, into the batch that trackers are fed from: by device, in time order. */
import type { Database, Row } from '../storage/database.js';
import { CHANNEL_COUNT, CHANNEL_NAMES } from '../telemetry/channels.js';
import { QualityFlag } from '../telemetry/quality-flags.js';
import { ReadingBatch } from '../telemetry/reading-batch.js';
import { sqlTimestamp } from '../telemetry/timestamp.js';

/** Which readings of a device: after one instant, up to another one. Epoch microseconds. */
export interface Stretch {
  readonly deviceId: string;
  readonly afterUs: number;
  readonly untilUs: number;
}

// The bounds that are the same for all devices let the planner leave out older chunks once. Rows that came late, or out of
// a dead letter, were not evaluated: they are not looked at here either.
const rowsSql = (order: 'ASC' | 'DESC'): string => `
  SELECT r.* FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS stretch (device_id, after_us, until_us)
  CROSS JOIN LATERAL (
    SELECT t.device_id, (extract(epoch FROM t."timestamp") * 1000000)::bigint AS timestamp_us,
      t.is_anomaly, t.anomaly_score, t.anomaly_cause, t.operating_state, ${CHANNEL_NAMES.map((name) => `t.${name}`).join(', ')}
    FROM telemetry t
    WHERE t.device_id = stretch.device_id
      AND t."timestamp" > timestamptz 'epoch' + stretch.after_us * interval '1 microsecond'
      AND t."timestamp" <= timestamptz 'epoch' + stretch.until_us * interval '1 microsecond'
      AND t."timestamp" > $4::timestamptz AND t."timestamp" <= $5::timestamptz
      AND (t.quality_flags IS NULL OR t.quality_flags & ${QualityFlag.notEvaluated} = 0)
    ORDER BY t."timestamp" ${order} LIMIT $6
  ) r`;
const SQL = { oldest: rowsSql('ASC'), newest: rowsSql('DESC') } as const;

/**
 * Readings of some devices, at most `limit` of each.
 * @param which `oldest`: those at the beginning of a stretch; `newest`: those at its end
 * @returns rows of a device one after another, oldest first
 */
export async function readStretches(
  database: Database,
  stretches: readonly Stretch[],
  which: keyof typeof SQL,
  limit: number,
): Promise<ReadingBatch> {
  if (stretches.length === 0) return new ReadingBatch(0);
  const afterUs = Math.min(...stretches.map((stretch) => stretch.afterUs));
  const untilUs = Math.max(...stretches.map((stretch) => stretch.untilUs));
  const rows = await database.query(SQL[which], [
    stretches.map(({ deviceId }) => deviceId),
    stretches.map((stretch) => stretch.afterUs),
    stretches.map((stretch) => stretch.untilUs),
    sqlTimestamp(afterUs),
    sqlTimestamp(untilUs),
    limit,
  ]);
  const batch = new ReadingBatch(rows.length);
  for (const row of which === 'oldest' ? rows : rows.reverse()) fill(batch, row);
  return batch;
}

function fill(batch: ReadingBatch, row: Row): void {
  const at = batch.open();
  batch.deviceId[at] = row['device_id'] as string;
  batch.timestampUs[at] = Number(row['timestamp_us']);
  batch.isAnomaly[at] = row['is_anomaly'] === true ? 1 : 0;
  batch.anomalyScore[at] = (row['anomaly_score'] as number | null) ?? Number.NaN;
  batch.anomalyCause[at] = (row['anomaly_cause'] as number | null) ?? -1;
  batch.operatingState[at] = (row['operating_state'] as number | null) ?? 0;
  for (const [index, name] of CHANNEL_NAMES.entries())
    batch.values[at * CHANNEL_COUNT + index] = (row[name] as number | null) ?? Number.NaN;
}
