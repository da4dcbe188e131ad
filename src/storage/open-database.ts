import type { Config } from '../config/schema.js';
import type { Events } from '../monitoring/events.js';
import type { Database } from './database.js';
import { readDirectoryLock } from './directory-lock.js';
import { EmbeddedDatabase } from './embedded-database.js';
import { ServerDatabase } from './server-database.js';

/**
 * Opens the database that the configuration names: a server where there is a URL, otherwise the embedded one, whose
 * directory the caller has locked (directory-lock.ts).
 * @throws OperationalError `database_unavailable`, `database_open_failed`
 */
export async function openDatabase(config: Pick<Config, 'dataDir' | 'database'>, events: Events): Promise<Database> {
  const { url } = config.database;
  const database = await (url === ''
    ? openEmbedded(config.dataDir, events)
    : ServerDatabase.open(config.database, events));
  const { postgresVersion, timescale, timescaleVersion } = database.capabilities;
  events.emit('database_opened', {
    postgres: postgresVersion,
    timescale: timescaleVersion === null ? timescale : `${timescaleVersion} ${timescale}`,
    where: url === '' ? `embedded in ${config.dataDir}` : new URL(url).host,
  });
  return database;
}

function openEmbedded(dataDir: string, events: Events): Promise<EmbeddedDatabase> {
  if (readDirectoryLock(dataDir)?.pid !== process.pid) {
    throw new Error(`The data directory ${dataDir} is not locked by this process: opening it could destroy it.`);
  }
  return EmbeddedDatabase.open(dataDir, events);
}
