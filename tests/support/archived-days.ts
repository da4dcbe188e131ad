/** Days of readings for tests of the archive: when they are, and how the job that drops chunks leaves them. */
import type { Database } from '../../src/storage/database.js';
import { formatTimestamp, MICROS_PER_DAY } from '../../src/telemetry/timestamp.js';

/** The beginning of today (UTC), epoch microseconds. */
export const todayUs = Math.floor((Date.now() * 1000) / MICROS_PER_DAY) * MICROS_PER_DAY;
export const daysAgo = (days: number): number => todayUs - days * MICROS_PER_DAY;

export const rangeOf = (dayUs: number, days = 1): { startUs: number; endUs: number } => ({
  startUs: dayUs,
  endUs: dayUs + days * MICROS_PER_DAY,
});

/** Drops an archived day where there are no chunks: what stands in the archive counts as dropped, and its rows are gone. */
export async function dropDay(database: Database, dayUs: number): Promise<void> {
  await database.execute(
    `UPDATE archive_parts SET state = 'dropped' WHERE range_start = $1::timestamptz AND state = 'verified'`,
    [formatTimestamp(dayUs)],
  );
  await database.execute(
    `DELETE FROM telemetry WHERE "timestamp" >= $1::timestamptz AND "timestamp" < $2::timestamptz`,
    [formatTimestamp(dayUs), formatTimestamp(dayUs + MICROS_PER_DAY)],
  );
}
