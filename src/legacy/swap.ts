/** The swap: one short transaction, after which the name `telemetry` means the new table. */
import type { Database, Session } from '../storage/database.js';
import { ownRelationNames } from '../storage/staged-schema.js';
import { keepsNames } from './column-plan.js';
import { createViews, dropViews, grantAll, readDependants } from './dependants.js';
import { withLocks, type LockPatience } from './lock-retry.js';
import { createChangeNotes, dropMirror } from './mirror-sql.js';
import { inHome, type LegacyProgress } from './progress.js';
import { quoteName, quoteText, STAGE } from './row-sql.js';

/** Moves the names. What depended on the old table, and can, depends on the new one then. */
export async function swapTables(database: Database, progress: LegacyProgress, patience: LockPatience): Promise<void> {
  const table = inHome(progress, 'telemetry');
  const names = await ownRelationNames();
  await withLocks(database, patience, async (session) => {
    await session.execute(`SET LOCAL search_path = ${quoteName(progress.home)}, public`);
    await session.execute(`LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
    // Read under the lock: a grant given while the rows were copied counts too.
    const dependants = await readDependants(session, await oidOf(session, table), keepsNames(progress.plan), names);
    await dropViews(session, dependants.views);
    for (const sql of dropMirror(table)) await session.execute(sql);
    await session.execute(`ALTER TABLE ${table} RENAME TO telemetry_old`);
    await freeIndexNames(session, progress);
    await moveRelations(session, names, STAGE, progress.home);
    await grantAll(session, table, dependants.grants);
    await createViews(session, dependants.views);
    await session.execute(createChangeNotes(table));
    await session.execute(`UPDATE ${STAGE}.progress SET phase = 'swapped'`);
  });
}

/** What a table taken over needs beside its rows: its devices registered, and its days handed to the aggregates. Repeatable. */
export async function registerHistory(database: Database, progress: LegacyProgress): Promise<void> {
  await database.transaction(
    async (session) => {
      await session.execute(
        `INSERT INTO ${inHome(progress, 'devices')} (device_id, first_seen, last_seen)
         SELECT device_id, min("timestamp"), max("timestamp") FROM ${inHome(progress, 'telemetry')} GROUP BY device_id
         ON CONFLICT (device_id) DO NOTHING`,
      );
      // GROUP BY and not DISTINCT, which TimescaleDB can plan so that it does not end.
      await session.execute(
        `INSERT INTO ${inHome(progress, 'late_days')} (day)
         SELECT ("timestamp" AT TIME ZONE 'UTC')::date FROM ${inHome(progress, 'telemetry')} GROUP BY 1
         ON CONFLICT (day) DO UPDATE SET noted_at = clock_timestamp()`,
      );
    },
    { statementTimeoutMs: 0 },
  );
}

export async function oidOf(session: Session, table: string): Promise<number> {
  const [found] = await session.query<{ oid: number }>(`SELECT ${quoteText(table)}::regclass::oid::bigint AS oid`);
  return found?.oid ?? 0;
}

/** Moves those of the named tables and views that are there from one schema to another. */
export async function moveRelations(
  session: Session,
  names: readonly string[],
  from: string,
  to: string,
): Promise<void> {
  const found = await session.query<{ name: string; kind: string }>(
    'SELECT relname AS name, relkind::text AS kind FROM pg_class WHERE relnamespace = $1::regnamespace AND relname = ANY ($2::text[])',
    [quoteName(from), [...names]],
  );
  for (const { name, kind } of found) {
    // To PostgreSQL a continuous aggregate is a view, to TimescaleDB it is a materialized one.
    const what = kind === 'r' ? 'TABLE' : name.startsWith('agg_') ? 'MATERIALIZED VIEW' : 'VIEW';
    await session.execute(`ALTER ${what} ${quoteName(from)}.${quoteName(name)} SET SCHEMA ${quoteName(to)}`);
  }
}

/** Names of indexes are names in the schema: those of the old table make way for those that come. */
async function freeIndexNames(session: Session, progress: LegacyProgress): Promise<void> {
  const taken = await session.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
      WHERE i.indrelid = ${quoteText(inHome(progress, 'telemetry_old'))}::regclass
        AND c.relname IN (SELECT relname FROM pg_class WHERE relnamespace = '${STAGE}'::regnamespace)`,
  );
  for (const { name } of taken) {
    await session.execute(
      `ALTER INDEX ${quoteName(progress.home)}.${quoteName(name)} RENAME TO ${quoteName(`${name}_old`)}`,
    );
  }
}
