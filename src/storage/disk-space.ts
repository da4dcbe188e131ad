/** The disk that the database is on, as far as this process can see it. */
import { lstat, readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Database } from './database.js';

export interface DiskSpace {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** Where a server on this machine has its data; null: elsewhere, or this role may not know. */
const SERVER_DIRECTORY_SQL = `
  SELECT CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE') AND
    (inet_server_addr() IS NULL OR inet_server_addr() << '127.0.0.0/8' OR inet_server_addr() = '::1')
    THEN current_setting('data_directory') END AS directory`;

/**
 * The directory of the database.
 * @param embeddedIn data directory of the embedded database; null: it is on a server
 * @returns null where it cannot be told
 */
export async function databaseDirectory(database: Database, embeddedIn: string | null): Promise<string | null> {
  if (embeddedIn !== null) return embeddedIn;
  const [row] = await database.query<{ directory: string | null }>(SERVER_DIRECTORY_SQL);
  return row?.directory ?? null;
}

/** What is free for us on the disk of a directory; null where it cannot be told: of another user, in another container. */
export async function readDiskSpace(directory: string | null): Promise<DiskSpace | null> {
  if (directory === null) return null;
  return unlessUnreadable(async () => {
    const { bavail, blocks, bsize } = await statfs(directory);
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  });
}

/** Whether two directories are on the same disk; false also where one of them is not there. */
export async function isSameDisk(one: string | null, other: string): Promise<boolean> {
  if (one === null) return false;
  const devices = await unlessUnreadable(async () => [(await stat(one)).dev, (await stat(other)).dev]);
  return devices !== null && devices[0] === devices[1];
}

/** Bytes that the files below a directory take on the disk; 0 where it is not there. Files may go meanwhile. */
export async function directoryBytes(directory: string): Promise<number> {
  const entries = (await unlessUnreadable(() => readdir(directory, { recursive: true, withFileTypes: true }))) ?? [];
  let bytes = 0;
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    bytes += (await unlessUnreadable(() => lstat(join(entry.parentPath, entry.name))))?.size ?? 0;
  }
  return bytes;
}

/** null for what the operating system refuses; anything else is a defect. */
async function unlessUnreadable<T>(look: () => Promise<T>): Promise<T | null> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof Error && 'code' in error) return null;
    throw error;
  }
}
