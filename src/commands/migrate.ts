/** `downhole migrate [status]`: brings the schema up to this version, or says how far it is. */
import { migrate, migrationStatus } from '../storage/migrator.js';
import { loadSettings, type GlobalOptions } from './load-settings.js';
import { withDatabase } from './with-database.js';

/**
 * Applies what is pending and prints one line per migration. (Every role that opens the database does the same at its start.)
 * @throws OperationalError from the migrator, or `directory_locked` while a service has the embedded database
 */
export async function migrateDatabase(options: GlobalOptions): Promise<void> {
  const settings = loadSettings(options);
  const { config, events, schemaSubset } = settings;
  await withDatabase(settings, 'migrate', async (database) => {
    const variables = { chunkHours: config.storage.chunkHours };
    const applied = await migrate(database, { events, variables, subset: schemaSubset });
    const status = await migrationStatus(database);
    for (const { version, name } of status.filter((migration) => applied.includes(migration.version))) {
      process.stdout.write(`applied ${label(version, name)}\n`);
    }
    process.stdout.write(`${applied.length} applied, schema at version ${status.at(-1)?.version ?? 0}\n`);
  });
}

/** Prints every migration of this version, with when it was applied. Changes nothing. */
export async function showMigrationStatus(options: GlobalOptions): Promise<void> {
  await withDatabase(loadSettings(options), 'migrate', async (database) => {
    const status = await migrationStatus(database);
    for (const { version, name, description, appliedAt } of status) {
      process.stdout.write(`${label(version, name)}  ${appliedAt ?? 'pending'}  ${description}\n`);
    }
    const pending = status.filter(({ state }) => state === 'pending').length;
    process.stdout.write(`${status.length - pending} applied, ${pending} pending\n`);
  });
}

const label = (version: number, name: string): string => `${String(version).padStart(4, '0')}_${name}`;
