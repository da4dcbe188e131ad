/**
 * The mean temperature of each well over 24 hours: from the hourly aggregate and from the raw rows. 116 wells at
 * 1 Hz, 10 M rows. What is compared is the time; that both give the same means is checked.
 */
import type { Database, Row } from '../src/storage/database.js';
import { MICROS_PER_DAY, formatTimestamp } from '../src/telemetry/timestamp.js';
import { writeFleetHistory } from './fleet-history.js';
import { measurement, median, type Measurement } from './measurement.js';
import { withScratchPlatform } from './scratch-platform.js';

const WELLS = 116;
const ROUNDS = 5;
const LONGEST_DIFFERENCE = 1e-6;

const RAW_SQL = `
  SELECT device_id, avg(temperature::float8) AS mean FROM telemetry
  WHERE "timestamp" >= $1::timestamptz AND "timestamp" < $2::timestamptz GROUP BY device_id ORDER BY device_id`;
const HOURLY_SQL = `
  SELECT device_id, sum(temp_avg * temp_n) / sum(temp_n) AS mean FROM telemetry_1hour
  WHERE bucket >= $1::timestamptz AND bucket < $2::timestamptz GROUP BY device_id ORDER BY device_id`;

export async function benchmarkAggregate24h(): Promise<Measurement[]> {
  const toUs = (Math.floor((Date.now() * 1000) / MICROS_PER_DAY) - 1) * MICROS_PER_DAY;
  const fromUs = toUs - MICROS_PER_DAY;
  return withScratchPlatform(async ({ database, jobs }) => {
    const rows = await writeFleetHistory(database, { wells: WELLS, intervalSeconds: 1, fromUs, toUs });
    process.stderr.write(`${rows.toLocaleString('en')} rows written; refreshing the aggregates …\n`);
    for (const job of ['refresh-1min', 'refresh-1hour']) await runToEnd(jobs, job);
    const range = [formatTimestamp(fromUs), formatTimestamp(toUs)];
    const raw: number[] = [];
    const hourly: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const fromHourly = await timed(database, HOURLY_SQL, range, hourly);
      const fromRaw = await timed(database, RAW_SQL, range, raw);
      assertSame(fromHourly, fromRaw);
    }
    // Rates, so that a larger ratio is better: queries per second from the aggregate against those from raw.
    return [
      measurement(
        'aggregate-24h',
        1000 / median(hourly),
        'queries/s',
        'the same means from raw rows',
        1000 / median(raw),
      ),
    ];
  });
}

async function runToEnd(
  jobs: { runNow(name: string): Promise<{ readonly detail: unknown }> },
  job: string,
): Promise<void> {
  for (;;) {
    const { detail } = await jobs.runNow(job);
    if ((detail as { more?: boolean } | null)?.more !== true) return;
  }
}

async function timed(database: Database, sql: string, range: readonly string[], times: number[]): Promise<Row[]> {
  const startedMs = performance.now();
  const rows = await database.query(sql, range);
  times.push(performance.now() - startedMs);
  return rows;
}

function assertSame(fromHourly: readonly Row[], fromRaw: readonly Row[]): void {
  const differs = fromRaw.some(
    (row, index) => Math.abs(Number(row['mean']) - Number(fromHourly[index]?.['mean'])) > LONGEST_DIFFERENCE,
  );
  if (fromRaw.length !== WELLS || fromHourly.length !== WELLS || differs)
    throw new Error('the aggregate and the raw rows differ');
}
