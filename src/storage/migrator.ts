/**
 * Brings the schema of a database to the version of this program, and says how far it is.
 *
 * Applied migrations are recorded in `schema_migrations` with a checksum. Refused, with what to do about it: an edited
 * migration, a schema newer than this program, a gap, and a table `telemetry` that is not ours (never touched).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Events } from '../monitoring/events.js';
import { OperationalError } from '../telemetry/operational-error.js';
import type { Database, Session, TimescaleEdition } from './database.js';
import { fillIn, readMigrations, type Migration, type MigrationVariables } from './migration-files.js';
import { readAppliedMigrations, refuseForeignTables, refuseInconsistentHistory } from './migrator-checks.js';
import { splitStatements } from './split-statements.js';

export interface MigrateOptions {
  readonly events: Events;
  readonly variables?: MigrationVariables;
  /** Only what needs no TimescaleDB: the same tables without chunks and aggregates, for tests on plain PostgreSQL. */
  readonly subset?: 'plain' | undefined;
  /** How long another migrator is waited for; default one minute. */
  readonly lockWaitMs?: number;
  /** Where the .sql files are; default those of the program. */
  readonly directory?: string;
}

export interface MigrationStatus {
  readonly version: number;
  readonly name: string;
  readonly description: string;
  readonly requires: TimescaleEdition;
  readonly state: 'applied' | 'pending';
  /** As the database writes it, `2026-11-23 18:22:08.672341+00`; null while pending. */
  readonly appliedAt: string | null;
}

const LOCK_NAME = 'migrate';
const LOCK_POLL_MS = 100;
const DEFAULT_LOCK_WAIT_MS = 60_000;
export const DEFAULT_VARIABLES: MigrationVariables = { chunkHours: 24 };

export const HISTORY_SQL = `
  CREATE TABLE IF NOT EXISTS schema_migrations (
    version      integer PRIMARY KEY,
    name         text NOT NULL,
    checksum     text NOT NULL,
    applied_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    milliseconds double precision NOT NULL
  )`;

const RECORD_SQL = 'INSERT INTO schema_migrations (version, name, checksum, milliseconds) VALUES ($1, $2, $3, $4)';

/**
 * Applies what is pending, in order, and returns the versions applied. Safe to call from several processes at a time.
 *
 * @throws OperationalError `timescale_missing`, `foreign_telemetry_table`, `migration_edited`, `schema_newer`,
 *   `schema_gap`, `migration_locked` (retryable), or the database's own
 */
export async function migrate(database: Database, options: MigrateOptions): Promise<number[]> {
  const migrations = await readMigrations(options.directory);
  const wanted = options.subset === 'plain' ? migrations.filter(({ requires }) => requires === 'none') : migrations;
  if (options.subset === undefined) refuseLesserEdition(database.capabilities.timescale);
  return exclusively(database, options.lockWaitMs ?? DEFAULT_LOCK_WAIT_MS, async () => {
    const applied = await readAppliedMigrations(database);
    await refuseForeignTables(database, applied);
    refuseInconsistentHistory(migrations, wanted, applied);
    await database.execute(HISTORY_SQL);
    const versions: number[] = [];
    for (const migration of wanted) {
      if (applied.has(migration.version)) continue;
      const startedMs = performance.now();
      await apply(database, migration, fillIn(migration.sql, options.variables ?? DEFAULT_VARIABLES));
      const milliseconds = Math.round(performance.now() - startedMs);
      options.events.emit('migration_applied', { version: migration.version, name: migration.name, milliseconds });
      versions.push(migration.version);
    }
    return versions;
  });
}

/** Every migration of this program and whether the database has it. Changes nothing; refuses what `migrate` refuses. */
export async function migrationStatus(database: Database, directory?: string): Promise<MigrationStatus[]> {
  const migrations = await readMigrations(directory);
  const applied = await readAppliedMigrations(database);
  await refuseForeignTables(database, applied);
  // A plain subset, as tests apply it, is shown with its pending rest rather than refused as having gaps.
  refuseInconsistentHistory(migrations, [], applied);
  return migrations.map(({ version, name, description, requires }) => {
    const appliedAt = applied.get(version)?.appliedAt ?? null;
    return { version, name, description, requires, state: appliedAt === null ? 'pending' : 'applied', appliedAt };
  });
}

/** @throws OperationalError `timescale_missing` */
export function refuseLesserEdition(edition: TimescaleEdition): void {
  if (edition === 'community') return;
  const found =
    edition === 'none'
      ? 'has no TimescaleDB'
      : 'has the Apache edition of TimescaleDB, which neither compresses nor keeps continuous aggregates';
  throw new OperationalError(
    'timescale_missing',
    `The database ${found}. Install the community edition (on PostgreSQL 15 version 2.28.3 or later, on 16 to 18 2.29.2 ` +
      `or later), run CREATE EXTENSION timescaledb, and start again; or leave database.url empty for the embedded database.`,
  );
}

/** Waits for a migrator at work elsewhere, but not for ever. */
async function exclusively<T>(database: Database, waitMs: number, work: () => Promise<T>): Promise<T> {
  const deadlineMs = performance.now() + waitMs;
  for (;;) {
    const outcome = await database.tryExclusive(LOCK_NAME, async () => ({ value: await work() }));
    if (outcome !== undefined) return outcome.value;
    if (performance.now() >= deadlineMs) {
      throw new OperationalError(
        'migration_locked',
        `Another process has been migrating this database for ${Math.round(waitMs / 1000)} s. Wait until it is done and start again.`,
        { retryable: true },
      );
    }
    await sleep(LOCK_POLL_MS);
  }
}

/** Runs one migration and records it: in one transaction where its statements allow that. */
async function apply(database: Database, migration: Migration, sql: string): Promise<void> {
  if (migration.transactional) {
    await database.transaction((session) => runMigration(session, migration, sql));
    return;
  }
  // A kill in between leaves it unrecorded, and it is run again from its first statement: the header demands that.
  await runMigration(database, migration, sql);
}

/** Runs the statements of a migration in the session as it stands, and records it. */
export async function runMigration(
  session: Session,
  { version, name, checksum }: Migration,
  sql: string,
): Promise<void> {
  const startedMs = performance.now();
  for (const statement of splitStatements(sql)) await session.execute(statement);
  // Last, and the key is the version: were two migrators ever at work, the second transaction would fail as a whole.
  await session.execute(RECORD_SQL, [version, name, checksum, performance.now() - startedMs]);
}
