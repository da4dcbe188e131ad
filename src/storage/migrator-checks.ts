/** What a migrator refuses to build upon. */
import { OperationalError } from '../telemetry/operational-error.js';
import type { Session } from './database.js';
import type { Migration } from './migration-files.js';

export interface AppliedMigration {
  readonly name: string;
  readonly checksum: string;
  readonly appliedAt: string;
}

const TABLES_SQL = `
  SELECT to_regclass('telemetry') IS NOT NULL AS telemetry,
         to_regclass('schema_migrations') IS NOT NULL AS history,
         EXISTS (SELECT FROM pg_attribute
                 WHERE attrelid = to_regclass('schema_migrations') AND attname = 'checksum' AND NOT attisdropped) AS ours`;

/**
 * The migrations that the database has, by version; none on a database that was never migrated.
 * @throws OperationalError `foreign_schema_migrations` when another program keeps its history under that name
 */
export async function readAppliedMigrations(session: Session): Promise<Map<number, AppliedMigration>> {
  const [tables] = await session.query<{ history: boolean; ours: boolean }>(TABLES_SQL);
  if (tables?.history !== true) return new Map();
  if (!tables.ours) {
    throw new OperationalError(
      'foreign_schema_migrations',
      'The database has a table schema_migrations of another program. Give Downhole a database of its own.',
    );
  }
  const rows = await session.query<{ version: number; name: string; checksum: string; applied_at: string }>(
    'SELECT version, name, checksum, applied_at FROM schema_migrations ORDER BY version',
  );
  return new Map(
    rows.map((row) => [row.version, { name: row.name, checksum: row.checksum, appliedAt: row.applied_at }]),
  );
}

/** A table `telemetry` that none of our migrations made holds somebody's data: hands off. */
export async function refuseForeignTables(session: Session, applied: ReadonlyMap<number, unknown>): Promise<void> {
  if (applied.has(1)) return;
  const [tables] = await session.query<{ telemetry: boolean }>(TABLES_SQL);
  if (tables?.telemetry !== true) return;
  throw new OperationalError(
    'foreign_telemetry_table',
    'The database already has a table telemetry that Downhole did not make; it has not been touched. ' +
      'Run `downhole legacy inspect` to see how it can be taken over, or use another database.',
  );
}

/**
 * @param migrations all that this program knows
 * @param wanted those that are to be applied: none of them may come before one already applied
 */
export function refuseInconsistentHistory(
  migrations: readonly Migration[],
  wanted: readonly Migration[],
  applied: ReadonlyMap<number, AppliedMigration>,
): void {
  const newest = Math.max(0, ...applied.keys());
  if (newest > migrations.length) {
    throw new OperationalError(
      'schema_newer',
      `The database has migration ${newest} (${applied.get(newest)?.name}), this program knows ${migrations.length}: a newer ` +
        `Downhole has been here. Upgrade this installation to at least that version.`,
    );
  }
  for (const { version, name, checksum } of migrations) {
    const recorded = applied.get(version);
    if (recorded === undefined || recorded.checksum === checksum) continue;
    throw new OperationalError(
      'migration_edited',
      `Migration ${version} (${name}) was applied with checksum ${recorded.checksum} and has ${checksum} now. An applied ` +
        `migration is never edited: restore the file, and put the change into a new migration.`,
    );
  }
  const missing = wanted.find(({ version }) => version < newest && !applied.has(version));
  if (missing !== undefined) {
    throw new OperationalError(
      'schema_gap',
      `The database has migration ${newest} but not ${missing.version} (${missing.name}), which comes before it. Restore the ` +
        `database from a backup, or begin with an empty one.`,
    );
  }
}
