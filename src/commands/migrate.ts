/** `downhole migrate [status]`: brings the schema up to this version, or says how far it is. */
import type { Database } from '../storage/database.js';
import { acquireDirectoryLock } from '../storage/directory-lock.js';
import { migrate, migrationStatus } from '../storage/migrator.js';
import { openDatabase } from '../storage/open-database.js';
import { loadSettings, type GlobalOptions, type Settings } from './load-settings.js';

/**
 * Applies what is pending and prints one line per migration. (`up` does the same at its start.)
 * @throws OperationalError from the migrator, or `directory_locked` while a service has the data directory
 */
export async function migrateDatabase(options: GlobalOptions): Promise<void> {
  await withDatabase(loadSettings(options), async (database, { config, events }) => {
    const applied = await migrate(database, { events, variables: { chunkHours: config.storage.chunkHours } });
    const status = await migrationStatus(database);
    for (const { version, name } of status.filter((migration) => applied.includes(migration.version))) {
      process.stdout.write(`applied ${label(version, name)}\n`);
    }
    process.stdout.write(`${applied.length} applied, schema at version ${status.at(-1)?.version ?? 0}\n`);
  });
}

/** Prints every migration of this version, with when it was applied. Changes nothing. */
export async function showMigrationStatus(options: GlobalOptions): Promise<void> {
  await withDatabase(loadSettings(options), async (database) => {
    const status = await migrationStatus(database);
    for (const { version, name, description, appliedAt } of status) {
      process.stdout.write(`${label(version, name)}  ${appliedAt ?? 'pending'}  ${description}\n`);
    }
    const pending = status.filter(({ state }) => state === 'pending').length;
    process.stdout.write(`${status.length - pending} applied, ${pending} pending\n`);
  });
}

const label = (version: number, name: string): string => `${String(version).padStart(4, '0')}_${name}`;

async function withDatabase(
  settings: Settings,
  work: (database: Database, settings: Settings) => Promise<void>,
): Promise<void> {
  const lock = await acquireDirectoryLock(settings.config.dataDir, { command: 'migrate' });
  try {
    const database = await openDatabase(settings.config, settings.events);
    try {
      await work(database, settings);
    } finally {
      await database.close();
    }
  } finally {
    lock.release();
  }
}
