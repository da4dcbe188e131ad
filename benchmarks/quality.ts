/**
 * The five dimensions of every well over thirty days, as the quality page asks for them, beside the same from the raw rows. 200 wells
 * that report every five minutes, 1.7 M rows. Both give the same figures, which is checked.
 */
import type { Row } from '../src/storage/database.js';
import { readQualityList } from '../src/quality/read-quality.js';
import { MICROS_PER_DAY, sqlTimestamp } from '../src/telemetry/timestamp.js';
import { DEFAULT_RETENTION } from '../src/storage/aggregate-levels.js';
import { writeFleetHistory } from './fleet-history.js';
import { measurement, median, type Measurement } from './measurement.js';
import { withScratchPlatform } from './scratch-platform.js';

const WELLS = 200;
const DAYS = 30;
const INTERVAL_SECONDS = 300;
const ROUNDS = 5;
const MICROS_PER_MINUTE = 60e6;

const RAW_SQL = `
  SELECT device_id AS key, count(*)::float8 AS records, avg(data_quality_score::float8) AS score,
    count(*) FILTER (WHERE is_anomaly)::float8 AS anomalies,
    (count(*) FILTER (WHERE quality_flags & 1048575 = 0))::float8 / count(quality_flags) AS completeness
  FROM telemetry WHERE "timestamp" >= $1::timestamptz AND "timestamp" < $2::timestamptz GROUP BY device_id`;

export async function benchmarkQuality(): Promise<Measurement[]> {
  const nowUs = Math.floor((Date.now() * 1000) / MICROS_PER_MINUTE) * MICROS_PER_MINUTE;
  const fromUs = nowUs - DAYS * MICROS_PER_DAY;
  return withScratchPlatform(async ({ database, jobs }) => {
    const rows = await writeFleetHistory(database, {
      wells: WELLS,
      intervalSeconds: INTERVAL_SECONDS,
      fromUs,
      toUs: nowUs,
    });
    process.stderr.write(`${rows.toLocaleString('en')} rows written; refreshing the aggregates …\n`);
    // The history was written past the writer, which would have noted its days.
    await database.execute(
      `INSERT INTO late_days (day) SELECT DISTINCT ("timestamp" AT TIME ZONE 'UTC')::date FROM telemetry ON CONFLICT DO NOTHING`,
    );
    for (const job of ['refresh-1min', 'refresh-1hour', 'refresh-daily', 'refresh-late'])
      while ((await jobs.runNow(job)).detail?.['more'] === true);
    const monitor: number[] = [];
    const raw: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      let startedMs = performance.now();
      const list = await readQualityList(database, {
        window: { fromUs, toUs: nowUs },
        nowUs,
        retention: DEFAULT_RETENTION,
        by: 'device',
        limit: WELLS,
        offset: 0,
      });
      monitor.push(performance.now() - startedMs);
      startedMs = performance.now();
      const expected = await database.query(RAW_SQL, [sqlTimestamp(fromUs), sqlTimestamp(nowUs)]);
      raw.push(performance.now() - startedMs);
      assertSame(list.rows, expected);
    }
    process.stderr.write(`quality of ${WELLS} wells × ${DAYS} days: ${median(monitor).toFixed(0)} ms\n`);
    return [
      measurement('quality-30-days', 1000 / median(monitor), 'queries/s', 'the same from raw rows', 1000 / median(raw)),
    ];
  });
}

interface Judged {
  readonly key: string | null;
  readonly records: number;
  readonly anomalies: number;
  readonly validity: number | null;
  readonly completeness: number | null;
}

function assertSame(found: readonly Judged[], expected: readonly Row[]): void {
  const byKey = new Map(expected.map((row) => [row['key'], row]));
  const differs = found.some(({ key, records, anomalies, validity, completeness }) => {
    const row = byKey.get(key);
    return (
      row?.['records'] !== records ||
      row['anomalies'] !== anomalies ||
      Math.abs(Number(row['score']) - Number(validity)) > 1e-5 ||
      Math.abs(Number(row['completeness']) - Number(completeness)) > 1e-5
    );
  });
  if (found.length !== WELLS || expected.length !== WELLS || differs)
    throw new Error('the aggregates and the raw rows differ');
}
