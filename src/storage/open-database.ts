import type { Config } from '../config/schema.js';
import type { Events } from '../monitoring/events.js';
import type { Database } from './database.js';
import { readDirectoryLock } from './directory-lock.js';
import { EmbeddedDatabase } from './embedded-database.js';
import { ServerDatabase } from './server-database.js';
import type { SharedDirectoryLock } from './shared-directory-lock.js';

/**
 * Opens the database that the configuration names: a server where there is a URL, otherwise the embedded one, which
 * holds a share of the directory's lock until it is closed.
 * @param directory of the process; without it the caller has locked the directory, and frees it after closing
 * @throws OperationalError `database_unavailable`, `database_open_failed`, and those of the lock
 */
export async function openDatabase(
  config: Pick<Config, 'dataDir' | 'database'>,
  events: Events,
  directory?: SharedDirectoryLock,
): Promise<Database> {
  const { url } = config.database;
  const database = await (url === ''
    ? openEmbedded(config.dataDir, events, directory)
    : ServerDatabase.open(config.database, events));
  const { postgresVersion, timescale, timescaleVersion } = database.capabilities;
  events.emit('database_opened', {
    postgres: postgresVersion,
    timescale: timescaleVersion === null ? timescale : `${timescaleVersion} ${timescale}`,
    where: url === '' ? `embedded in ${config.dataDir}` : new URL(url).host,
  });
  return database;
}

async function openEmbedded(
  dataDir: string,
  events: Events,
  directory: SharedDirectoryLock | undefined,
): Promise<EmbeddedDatabase> {
  const giveBack = await directory?.share();
  try {
    if (readDirectoryLock(dataDir)?.pid !== process.pid) {
      throw new Error(`The data directory ${dataDir} is not locked by this process: opening it could destroy it.`);
    }
    return await EmbeddedDatabase.open(dataDir, events, giveBack);
  } catch (error) {
    giveBack?.();
    throw error;
  }
}
