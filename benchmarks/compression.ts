/** How much smaller a compressed chunk of gauge data is, indexes included: twenty wells at 1 Hz for a day. */
import { MICROS_PER_DAY } from '../src/telemetry/timestamp.js';
import { writeFleetHistory } from './fleet-history.js';
import { measurement, type Measurement } from './measurement.js';
import { withScratchPlatform } from './scratch-platform.js';

const WELLS = 20;
/** Older than the seven days after which chunks are compressed. */
const DAYS_AGO = 10;

export async function benchmarkCompression(): Promise<Measurement> {
  const fromUs = (Math.floor((Date.now() * 1000) / MICROS_PER_DAY) - DAYS_AGO) * MICROS_PER_DAY;
  return withScratchPlatform(async ({ database, jobs }) => {
    await writeFleetHistory(database, { wells: WELLS, intervalSeconds: 1, fromUs, toUs: fromUs + MICROS_PER_DAY });
    await jobs.runNow('compress');
    const [sizes] = await database.query<{ before: number; after: number }>(
      `SELECT before_compression_total_bytes AS before, after_compression_total_bytes AS after FROM hypertable_columnstore_stats('telemetry')`,
    );
    if (sizes === undefined || sizes.after === null) throw new Error('the chunk was not compressed');
    return measurement('compression', sizes.after, 'bytes', 'the same chunk uncompressed', sizes.before);
  });
}
