/**
 * What thirty days take as they are operated (readings and aggregates, with their indexes, compressed as the policies say), beside the
 * same readings with their key and nothing else, uncompressed. The last seven of thirty days stay as they are, so that late
 * readings and pages find them quickly: they alone are 23 % of the peer. What is left of the rest is told too.
 */
import type { Database } from '../src/storage/database.js';
import { MICROS_PER_DAY } from '../src/telemetry/timestamp.js';
import { writeFleetHistory } from './fleet-history.js';
import { measurement, type Measurement } from './measurement.js';
import { withScratchPlatform } from './scratch-platform.js';

const WELLS = 6;
const DAYS = 30;
const INTERVAL_SECONDS = 5;
const BYTES_PER_MEGABYTE = 1e6;

const SIZES_SQL = `
  SELECT coalesce(sum(hypertable_size(format('%I.%I', h.schema_name, h.table_name)::regclass)), 0)::float8 AS bytes
  FROM _timescaledb_catalog.hypertable h WHERE (h.table_name = 'telemetry') = $1 AND h.compression_state <> 2`;
const YOUNG_SQL = `
  SELECT coalesce(sum(total_bytes), 0)::float8 AS bytes FROM chunks_detailed_size('telemetry') s
  JOIN timescaledb_information.chunks c ON c.chunk_name = s.chunk_name WHERE NOT c.is_compressed`;

export async function benchmarkStorage30Days(): Promise<Measurement[]> {
  const toUs = Math.floor((Date.now() * 1000) / MICROS_PER_DAY) * MICROS_PER_DAY;
  return withScratchPlatform(async ({ database, jobs }) => {
    const fromUs = toUs - DAYS * MICROS_PER_DAY;
    const rows = await writeFleetHistory(database, { wells: WELLS, intervalSeconds: INTERVAL_SECONDS, fromUs, toUs });
    const peer = await bytesOf(database, true);
    process.stderr.write(`${rows.toLocaleString('en')} rows written; refreshing and compressing …\n`);
    await database.execute(
      `INSERT INTO late_days (day) SELECT DISTINCT ("timestamp" AT TIME ZONE 'UTC')::date FROM telemetry ON CONFLICT DO NOTHING`,
    );
    for (const job of ['refresh-1min', 'refresh-1hour', 'refresh-daily', 'refresh-late', 'compress'])
      while ((await jobs.runNow(job)).detail?.['more'] === true);
    const readings = await bytesOf(database, true);
    const aggregates = await bytesOf(database, false);
    const [young] = await database.query<{ bytes: number }>(YOUNG_SQL);
    const youngBytes = young?.bytes ?? 0;
    process.stderr.write(
      `readings ${megabytes(readings)} (of it the last days, uncompressed, ${megabytes(youngBytes)}), aggregates ${megabytes(aggregates)}; ` +
        `uncompressed ${megabytes(peer)}; without the last days ${(((readings - youngBytes + aggregates) / (peer - youngBytes)) * 100).toFixed(1)} %\n`,
    );
    return [
      measurement(
        'storage-30-days',
        (readings + aggregates) / BYTES_PER_MEGABYTE,
        'MB',
        'the same readings with their key, uncompressed',
        peer / BYTES_PER_MEGABYTE,
      ),
    ];
  });
}

async function bytesOf(database: Database, isReadings: boolean): Promise<number> {
  const [row] = await database.query<{ bytes: number }>(SIZES_SQL, [isReadings]);
  return row?.bytes ?? 0;
}

const megabytes = (bytes: number): string => `${(bytes / BYTES_PER_MEGABYTE).toFixed(1)} MB`;
