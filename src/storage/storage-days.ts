/** The table storage_days: how large everything was each day. */
import type { Database, Session } from './database.js';
import { FORECAST_DAYS, forecastDisk, type DiskForecast, type MeasuredDay } from './disk-forecast.js';

/** Bytes; null: cannot be seen. */
export interface StorageSizes {
  readonly databaseBytes: number;
  /** Of the parts that count, wherever they are. */
  readonly archiveBytes: number;
  readonly queueBytes: number | null;
  /** Of the data directory: queue, archive and database, where they are in it. */
  readonly directoryBytes: number | null;
  /** By Downhole, on the disk of the database. */
  readonly diskUsedBytes: number | null;
  readonly diskFreeBytes: number | null;
  readonly diskTotalBytes: number | null;
}

export interface MeasuredSizes extends StorageSizes {
  /** As the database writes it. */
  readonly measuredAt: string;
}

/** Whoever asks for more than a forecast: a year and a month, as the ledger. */
const KEPT_DAYS = 400;

/** Notes the sizes of today, in place of earlier ones of the day. */
export async function recordSizes(database: Database, sizes: StorageSizes): Promise<void> {
  await database.execute(
    `INSERT INTO storage_days (day, database_bytes, archive_bytes, queue_bytes, directory_bytes, disk_used_bytes, disk_free_bytes, disk_total_bytes)
     VALUES ((clock_timestamp() AT TIME ZONE 'UTC')::date, $1, $2, $3, $4, $5, $6, $7)
     ON CONFLICT (day) DO UPDATE SET measured_at = clock_timestamp(), database_bytes = excluded.database_bytes,
       archive_bytes = excluded.archive_bytes, queue_bytes = excluded.queue_bytes, directory_bytes = excluded.directory_bytes,
       disk_used_bytes = excluded.disk_used_bytes,
       disk_free_bytes = excluded.disk_free_bytes, disk_total_bytes = excluded.disk_total_bytes`,
    [
      sizes.databaseBytes,
      sizes.archiveBytes,
      sizes.queueBytes,
      sizes.directoryBytes,
      sizes.diskUsedBytes,
      sizes.diskFreeBytes,
      sizes.diskTotalBytes,
    ],
  );
  await database.execute(`DELETE FROM storage_days WHERE day < (now() AT TIME ZONE 'UTC')::date - ${KEPT_DAYS}`);
}

/** What was measured last; null: nothing was yet. */
export async function readLastSizes(session: Session): Promise<MeasuredSizes | null> {
  const [row] = await session.query<MeasuredSizes & Record<string, unknown>>(
    `SELECT measured_at AS "measuredAt", database_bytes::float8 AS "databaseBytes", archive_bytes::float8 AS "archiveBytes",
       queue_bytes::float8 AS "queueBytes", directory_bytes::float8 AS "directoryBytes", disk_used_bytes::float8 AS "diskUsedBytes", disk_free_bytes::float8 AS "diskFreeBytes",
       disk_total_bytes::float8 AS "diskTotalBytes" FROM storage_days ORDER BY day DESC LIMIT 1`,
  );
  return row ?? null;
}

/**
 * In how many days the disk of the database is full. Where the disk cannot be seen, growth is that of the database.
 * @param freeBytes now; null: cannot be seen
 */
export async function readForecast(session: Session, freeBytes: number | null): Promise<DiskForecast> {
  const days = await session.query<MeasuredDay & Record<string, unknown>>(
    `SELECT day - DATE '1970-01-01' AS day, coalesce(disk_used_bytes, database_bytes)::float8 AS "usedBytes"
     FROM storage_days ORDER BY storage_days.day DESC LIMIT ${FORECAST_DAYS}`,
  );
  return forecastDisk(days, freeBytes);
}
