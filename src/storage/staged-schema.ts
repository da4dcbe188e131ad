/**
 * The product's tables beside a database that is not the product's yet: for `downhole legacy`, which makes them in a schema of its own
 * and moves them where they belong in the transaction that swaps the tables (docs/adr/0013-legacy-migration.md).
 */
import type { Database, Session } from './database.js';
import { fillIn, readMigrations } from './migration-files.js';
import { DEFAULT_VARIABLES, HISTORY_SQL, refuseLesserEdition, runMigration, type MigrateOptions } from './migrator.js';

/** Table, its neighbours, chunks and compression. Aggregates are made after the swap, by `migrate`: they would slow the copy down. */
const STAGED_VERSIONS = 4;

export type StagedSchemaOptions = Pick<MigrateOptions, 'subset' | 'variables'>;

/** @throws OperationalError `timescale_missing` where `applyFirstMigrations` could not do its work */
export function refuseUnfitDatabase(database: Database, { subset }: StagedSchemaOptions): void {
  if (subset === undefined) refuseLesserEdition(database.capabilities.timescale);
}

/**
 * Applies the first migrations where the session's search_path leads, and records them there. In one transaction with
 * whatever else the session does; that works because none of them needs to run without one.
 */
export async function applyFirstMigrations(session: Session, options: StagedSchemaOptions): Promise<void> {
  await session.execute(HISTORY_SQL);
  for (const migration of (await readMigrations()).slice(0, STAGED_VERSIONS)) {
    if (options.subset === 'plain' && migration.requires !== 'none') continue;
    await runMigration(session, migration, fillIn(migration.sql, options.variables ?? DEFAULT_VARIABLES));
  }
}

/** Names of all tables and views that the migrations make, `schema_migrations` among them. */
export async function ownRelationNames(): Promise<string[]> {
  const made = (await readMigrations()).flatMap(({ sql }) => [
    ...sql.matchAll(/^CREATE (?:TABLE|VIEW|MATERIALIZED VIEW) (\w+)/gm),
  ]);
  return [...new Set(['schema_migrations', ...made.map((match) => match[1] as string)])];
}
