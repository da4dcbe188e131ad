/** The way back from every stage, and the end of the way there. */
import type { Database, Session } from '../storage/database.js';
import { ownRelationNames } from '../storage/staged-schema.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { keepsNames } from './column-plan.js';
import { createViews, dropViews, grantAll, readDependants } from './dependants.js';
import { withLocks, type LockPatience } from './lock-retry.js';
import { dropChangeNotes, dropMirror } from './mirror-sql.js';
import { inHome, type LegacyProgress } from './progress.js';
import { quoteName, quoteText, rowSql, STAGE } from './row-sql.js';
import { moveRelations, oidOf } from './swap.js';

/** Before the swap: the new tables are copies, and go. The old one has never been anything but read and watched. */
export async function abandon(database: Database, progress: LegacyProgress, patience: LockPatience): Promise<void> {
  const names = await ownRelationNames();
  await withLocks(database, patience, async (session) => {
    for (const sql of dropMirror(inHome(progress, 'telemetry'))) await session.execute(sql);
    await discard(session, progress, names);
  });
}

/** After a rollback: what was kept aside goes for good. */
export async function discardKept(database: Database, progress: LegacyProgress, patience: LockPatience): Promise<void> {
  const names = await ownRelationNames();
  await withLocks(database, patience, (session) => discard(session, progress, names));
}

async function discard(session: Session, progress: LegacyProgress, names: readonly string[]): Promise<void> {
  const there = await session.query<{ name: string; kind: string }>(
    `SELECT relname AS name, relkind::text AS kind FROM pg_class
      WHERE relnamespace = '${STAGE}'::regnamespace AND relname = ANY ($1::text[]) AND relkind = 'r' ORDER BY relname <> 'telemetry'`,
    [[...names]],
  );
  // The hypertable first and by name: TimescaleDB lets no DROP SCHEMA take one with it.
  for (const { name } of there) await session.execute(`DROP TABLE ${STAGE}.${quoteName(name)} CASCADE`);
  await session.execute(`DROP SCHEMA ${STAGE} CASCADE`);
  await session.execute(`DROP TABLE ${inHome(progress, 'legacy_set_aside')}`);
}

/**
 * After the swap: the old table is brought up to date and gets its name back, with its views and the grants of today.
 * The product's tables are kept in the schema `downhole_legacy`, since the service may have stored there what the old table
 * has no column for.
 */
export async function swapBack(database: Database, progress: LegacyProgress, patience: LockPatience): Promise<void> {
  const names = await ownRelationNames();
  const table = inHome(progress, 'telemetry');
  const old = inHome(progress, 'telemetry_old');
  // The bulk of it without a lock, so that little is left to do under it.
  await withLocks(database, patience, (session) => bringBackNewRows(session, progress));
  await withLocks(database, patience, async (session) => {
    await session.execute(`SET LOCAL search_path = ${quoteName(progress.home)}, public`);
    await session.execute(`LOCK TABLE ${table}, ${old} IN ACCESS EXCLUSIVE MODE`);
    await bringBackNewRows(session, progress);
    await bringBackChanges(session, progress);
    const dependants = await readDependants(session, await oidOf(session, table), keepsNames(progress.plan), names);
    await dropViews(session, dependants.views);
    await session.execute(dropChangeNotes(table));
    await moveRelations(session, names, progress.home, STAGE);
    await session.execute(`ALTER TABLE ${old} RENAME TO telemetry`);
    await createViews(session, dependants.views);
    if (keepsNames(progress.plan)) await grantAll(session, table, dependants.grants);
    await session.execute(`UPDATE ${STAGE}.progress SET phase = 'rolled_back'`);
  });
}

/** Rows whose keys the old table does not have. */
async function bringBackNewRows(session: Session, progress: LegacyProgress): Promise<void> {
  const sql = rowSql(progress.plan);
  await session.execute(`
    WITH noted AS (DELETE FROM ${STAGE}.changed WHERE is_new RETURNING device_id, "timestamp")
    INSERT INTO ${inHome(progress, 'telemetry_old')} (${sql.oldColumns.join(', ')})
    SELECT ${sql.oldValues('t')} FROM noted n JOIN ${inHome(progress, 'telemetry')} t ON t.device_id = n.device_id AND t."timestamp" = n."timestamp"`);
}

/** Rows whose keys it has: all of the key go, and those that there are now come in their place, set aside ones too. */
async function bringBackChanges(session: Session, progress: LegacyProgress): Promise<void> {
  const sql = rowSql(progress.plan);
  const old = inHome(progress, 'telemetry_old');
  const matches = (row: string): string => `n.device_id = ${row}.device_id AND n."timestamp" = ${row}."timestamp"`;
  const [some] = await session.query<{ some: boolean }>(`SELECT EXISTS (SELECT FROM ${STAGE}.changed) AS some`);
  if (some?.some !== true) return;
  await session.execute(
    `DELETE FROM ${old} o USING ${STAGE}.changed n WHERE n.device_id = ${sql.device('o')} AND n."timestamp" = ${sql.time('o')}`,
  );
  await session.execute(
    `INSERT INTO ${old} (${sql.oldColumns.join(', ')})
     SELECT ${sql.oldValues('t')} FROM ${STAGE}.changed n JOIN ${inHome(progress, 'telemetry')} t ON ${matches('t')}`,
  );
  await session.execute(
    `INSERT INTO ${old} SELECT r.* FROM ${STAGE}.changed n JOIN ${inHome(progress, 'legacy_set_aside')} a ON ${matches('a')},
       jsonb_populate_record(NULL::${old}, a.original) r`,
  );
  await session.execute(`DELETE FROM ${STAGE}.changed`);
}

/**
 * After the swap: nothing is noted any more, and there is no way back. `legacy_set_aside` stays.
 * @throws OperationalError `legacy_old_in_use` where `telemetry_old` is to be dropped and something stands on it
 */
export async function finishMigration(
  database: Database,
  progress: LegacyProgress,
  patience: LockPatience,
  dropOld: boolean,
): Promise<void> {
  const table = inHome(progress, 'telemetry');
  const old = inHome(progress, 'telemetry_old');
  await withLocks(database, patience, async (session) => {
    await session.execute(dropChangeNotes(table));
    // Before the old table: its functions know the type of its rows.
    await session.execute(`DROP SCHEMA ${STAGE} CASCADE`);
    if (dropOld) {
      const [used] = await session.query<{ names: string | null }>(
        `SELECT string_agg(DISTINCT r.ev_class::regclass::text, ', ') AS names FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
          WHERE d.refobjid = ${quoteText(old)}::regclass AND d.classid = 'pg_rewrite'::regclass`,
      );
      if (used !== undefined && used.names !== null) {
        throw new OperationalError(
          'legacy_old_in_use',
          `Views still read telemetry_old: ${used.names}. Drop or change them first.`,
        );
      }
      await session.execute(`DROP TABLE ${old}`);
    }
  });
}
