/** A trace written by hand as stored readings, moved in time. */
import type { Database } from '../../src/storage/database.js';
import { CHANNEL_COUNT, CHANNEL_NAMES } from '../../src/telemetry/channels.js';
import type { ReadingBatch } from '../../src/telemetry/reading-batch.js';
import { sqlTimestamp } from '../../src/telemetry/timestamp.js';

export interface StoredPart {
  readonly from?: number;
  readonly to?: number;
  /** Quality flags of every row; default none. */
  readonly flags?: number;
}

/** Rows `from` … `to` of the trace as readings of the device, the whole trace ending at `endUs`; and what the fleet knows of it. */
export async function storeTrace(
  database: Database,
  deviceId: string,
  trace: ReadingBatch,
  endUs: number,
  { from = 0, to = trace.length, flags = 0 }: StoredPart = {},
): Promise<void> {
  const moved = endUs - (trace.timestampUs[trace.length - 1] as number);
  const rows = Array.from({ length: to - from }, (_, at) => from + at);
  const columnOf = (index: number): (number | null)[] =>
    rows.map((row) => {
      const value = trace.values[row * CHANNEL_COUNT + index] as number;
      return Number.isNaN(value) ? null : value;
    });
  await database.execute(
    `INSERT INTO telemetry (device_id, "timestamp", quality_flags, operating_state, ${CHANNEL_NAMES.join(', ')})
     SELECT $1, r.* FROM (
       SELECT at, $3::bigint, 3::smallint, ${CHANNEL_NAMES.map((_, index) => `c${index}`).join(', ')}
       FROM unnest($2::timestamptz[], ${CHANNEL_NAMES.map((_, index) => `$${index + 4}::real[]`).join(', ')})
         AS u (at, ${CHANNEL_NAMES.map((_, index) => `c${index}`).join(', ')})) r`,
    [
      deviceId,
      rows.map((row) => sqlTimestamp((trace.timestampUs[row] as number) + moved)),
      flags,
      ...CHANNEL_NAMES.map((_, index) => columnOf(index)),
    ],
  );
  await database.execute(
    `INSERT INTO devices (device_id, last_seen) SELECT $1, max("timestamp") FROM telemetry WHERE device_id = $1
     ON CONFLICT (device_id) DO UPDATE SET last_seen = excluded.last_seen`,
    [deviceId],
  );
}
