/** Random rows of telemetry, and how they get into a database without a pipeline. */
import type { Database } from '../../src/storage/database.js';
import { CHANNELS, type ChannelName } from '../../src/telemetry/channels.js';
import { joinFlags, QualityFlag } from '../../src/telemetry/quality-flags.js';
import type { TestRow } from './brute-force.js';

/** A small reproducible generator (mulberry32): 0 … 1. */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** One row with some of everything: gaps, flags, anomalies, states, rows taken over without any of them. */
export function randomRow(random: () => number, deviceId: string, timestampMs: number): TestRow {
  const values: Partial<Record<ChannelName, number>> = {};
  for (const { name, minimum, maximum } of CHANNELS) {
    if (random() < 0.8)
      values[name] = Math.fround(minimum + Math.floor(random() * 1000) * ((maximum - minimum) / 1000));
  }
  if (random() < 0.3) values.drive_frequency = 0;
  const takenOver = random() < 0.1;
  const often = (share: number, flag: number): number => (random() < share ? flag : 0);
  const low = often(0.3, 1) | often(0.2, QualityFlag.lateArrival) | often(0.1, QualityFlag.frozenReading);
  return {
    device_id: deviceId,
    timestampMs,
    values,
    data_quality_score: takenOver ? null : Math.fround(Math.floor(random() * 100) / 100),
    is_anomaly: random() < 0.05,
    quality_flags: takenOver ? null : joinFlags(low, often(0.1, 2)),
    operating_state: takenOver ? null : Math.floor(random() * 5),
  };
}

const STEP = 2000;

/** Inserts rows and notes late days as the writer does. */
export async function insertRows(
  database: Database,
  rows: readonly TestRow[],
  lateDays: readonly string[] = [],
): Promise<void> {
  await database.transaction(async (session) => {
    for (let from = 0; from < rows.length; from += STEP) {
      const json = rows.slice(from, from + STEP).map(({ timestampMs, values, ...row }) => ({
        ...row,
        ...values,
        timestamp: new Date(timestampMs).toISOString(),
      }));
      await session.execute(
        'INSERT INTO telemetry SELECT * FROM jsonb_populate_recordset(NULL::telemetry, $1::jsonb)',
        [JSON.stringify(json)],
      );
    }
    await session.execute(
      `INSERT INTO late_days (day) SELECT * FROM unnest($1::text[]::date[]) ON CONFLICT (day) DO UPDATE SET noted_at = clock_timestamp()`,
      [[...lateDays]],
    );
  });
}
