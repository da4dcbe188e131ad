/** For commands that have something to do in the database and then end. */
import type { Database } from '../storage/database.js';
import { openDatabase } from '../storage/open-database.js';
import { SharedDirectoryLock } from '../storage/shared-directory-lock.js';
import type { Settings } from './load-settings.js';

/**
 * Opens the database as it is, without migrating it, and closes it after `work`.
 * @param command shown to whoever finds the data directory taken meanwhile, where the database is embedded
 * @throws OperationalError of the database; `directory_locked` while a service has the embedded one
 */
export async function withDatabase<T>(
  { config, events }: Settings,
  command: string,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  const database = await openDatabase(config, events, new SharedDirectoryLock(config.dataDir, { command }));
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}
