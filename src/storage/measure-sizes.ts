/** How large everything is at this moment. */
import type { Database, Session } from './database.js';
import { databaseDirectory, directoryBytes, isSameDisk, readDiskSpace } from './disk-space.js';
import type { StorageSizes } from './storage-days.js';

/** Directories of what is not on servers; null: it is on one. */
export interface StoragePlaces {
  /** Where whatever is embedded lies; null: nothing is. */
  readonly dataDir: string | null;
  readonly database: string | null;
  readonly queue: string | null;
  readonly archive: string | null;
}

export const ALL_ON_SERVERS: StoragePlaces = { dataDir: null, database: null, queue: null, archive: null };

/** Reads the catalogue and sizes of files. What cannot be seen from here is null. */
export async function measureSizes(database: Database, places: StoragePlaces): Promise<StorageSizes> {
  const databaseBytes = await readDatabaseBytes(database);
  const { bytes: archiveBytes } = await readArchiveTotals(database);
  const queueBytes = places.queue === null ? null : await directoryBytes(places.queue);
  const disk = await databaseDirectory(database, places.database);
  const space = await readDiskSpace(disk);
  const shareOf = async (place: string | null, bytes: number): Promise<number> =>
    place !== null && (await isSameDisk(disk, place)) ? bytes : 0;
  const others = (await shareOf(places.queue, queueBytes ?? 0)) + (await shareOf(places.archive, archiveBytes));
  return {
    databaseBytes,
    archiveBytes,
    queueBytes,
    directoryBytes: places.dataDir === null ? null : await directoryBytes(places.dataDir),
    diskUsedBytes: space === null ? null : databaseBytes + others,
    diskFreeBytes: space?.freeBytes ?? null,
    diskTotalBytes: space?.totalBytes ?? null,
  };
}

/** Of the whole database. */
export async function readDatabaseBytes(session: Session): Promise<number> {
  const [row] = await session.query<{ bytes: number }>('SELECT pg_database_size(current_database())::float8 AS bytes');
  return row?.bytes ?? 0;
}

export interface ArchiveTotals {
  readonly parts: number;
  readonly rows: number;
  readonly bytes: number;
}

/** Of everything that was written into the archive and is known, stale parts too: they are not deleted. */
export async function readArchiveTotals(session: Session): Promise<ArchiveTotals> {
  const [row] = await session.query<ArchiveTotals & Record<string, unknown>>(
    `SELECT count(*)::int AS parts, coalesce(sum(rows) FILTER (WHERE state <> 'stale'), 0)::float8 AS rows,
       coalesce(sum(bytes), 0)::float8 AS bytes FROM archive_parts WHERE state <> 'exporting'`,
  );
  return row ?? { parts: 0, rows: 0, bytes: 0 };
}
