/** The beginning: the new tables in a schema of their own, then the triggers, from which on nothing escapes. */
import type { Database, Session } from '../storage/database.js';
import { applyFirstMigrations, type StagedSchemaOptions } from '../storage/staged-schema.js';
import type { ColumnPlan } from './column-plan.js';
import { withLocks, type LockPatience } from './lock-retry.js';
import { createMirror, mirrorFunctions } from './mirror-sql.js';
import { inHome, type LegacyProgress } from './progress.js';
import { AS_REAL_SQL, quoteName, quoteText, rowSql, STAGE } from './row-sql.js';

/** Rows of a batch, roughly: about 100 ms, which is what a change of one of its rows waits at most. */
const BATCH_ROWS = 20_000;

const TABLES_SQL = [
  `CREATE TABLE ${STAGE}.progress (
     only_row     boolean PRIMARY KEY DEFAULT true CHECK (only_row),
     phase        text NOT NULL,
     home         text NOT NULL,
     plan         jsonb NOT NULL,
     file_node    oid NOT NULL,
     copied_to    bigint NOT NULL,
     end_block    bigint NOT NULL,
     batch_blocks bigint NOT NULL,
     started_at   timestamptz NOT NULL DEFAULT clock_timestamp()
   ) WITH (fillfactor = 10)`,
  // Where rows lie that were written under the trigger into blocks that are still to be copied.
  `CREATE TABLE ${STAGE}.mirrored (position tid PRIMARY KEY)`,
  // Keys changed since the swap; is_new: the old table had no such row.
  `CREATE TABLE ${STAGE}.changed (
     device_id text NOT NULL, "timestamp" timestamptz NOT NULL, is_new boolean NOT NULL, PRIMARY KEY (device_id, "timestamp"))`,
];

/** Makes everything but the triggers, in one transaction. The old table is read only. */
export async function prepare(
  database: Database,
  home: string,
  plan: ColumnPlan,
  options: StagedSchemaOptions,
): Promise<void> {
  await database.transaction(
    async (session) => {
      await session.execute(`CREATE SCHEMA ${STAGE}`);
      await session.execute(`SET LOCAL search_path = ${STAGE}, ${quoteName(home)}, public`);
      await applyFirstMigrations(session, options);
      await session.execute('SET LOCAL search_path = pg_catalog');
      for (const sql of [...TABLES_SQL, ...AS_REAL_SQL]) await session.execute(sql);
      await session.execute(
        `CREATE TABLE ${inHome({ home }, 'legacy_set_aside')} (
           id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, device_id text, "timestamp" timestamptz, reason text NOT NULL,
           day date, row_hash bigint NOT NULL, original jsonb NOT NULL)`,
      );
      for (const columns of ['device_id, "timestamp"', 'row_hash'])
        await session.execute(`CREATE INDEX ON ${inHome({ home }, 'legacy_set_aside')} (${columns})`);
      await session.execute(
        `COMMENT ON TABLE ${inHome({ home }, 'legacy_set_aside')} IS 'rows of the old table that telemetry has no place for: impossible, or a second one of a device and instant'`,
      );
      for (const sql of mirrorFunctions({ home }, rowSql(plan))) await session.execute(sql);
      await session.execute(
        `INSERT INTO ${STAGE}.progress (phase, home, plan, file_node, copied_to, end_block, batch_blocks) VALUES ('prepared', $1, $2::jsonb, 0, 0, 0, 1)`,
        [home, JSON.stringify(plan)],
      );
    },
    { statementTimeoutMs: 0 },
  );
}

/**
 * Puts the triggers on the old table. The lock waits for the writers under way, so that every row is either committed now,
 * and copied later, or written under the triggers.
 */
export async function startMirroring(
  database: Database,
  progress: LegacyProgress,
  patience: LockPatience,
): Promise<void> {
  const table = inHome(progress, 'telemetry');
  await withLocks(database, patience, async (session) => {
    await session.execute(`LOCK TABLE ${table} IN SHARE ROW EXCLUSIVE MODE`);
    for (const sql of createMirror(table)) await session.execute(sql);
    const { blocks, rows } = await sizeOf(session, table);
    const batchBlocks = Math.max(1, Math.round(BATCH_ROWS / Math.max(1, rows / Math.max(1, blocks))));
    await session.execute(
      `UPDATE ${STAGE}.progress SET phase = 'copying', file_node = pg_relation_filenode(${quoteText(table)}::regclass), end_block = $1, batch_blocks = $2`,
      [blocks, Math.min(batchBlocks, 1024)],
    );
  });
}

/** Blocks exactly, rows as last analysed; where that never happened, as many as lie in a block on average. */
async function sizeOf(session: Session, table: string): Promise<{ blocks: number; rows: number }> {
  const [size] = await session.query<{ blocks: number; rows: number }>(
    `SELECT pg_relation_size(${quoteText(table)}::regclass) / current_setting('block_size')::bigint AS blocks,
            greatest(reltuples, 0)::float8 / greatest(relpages, 1) AS rows FROM pg_class WHERE oid = ${quoteText(table)}::regclass`,
  );
  const USUAL_ROWS_OF_A_BLOCK = 100;
  const { blocks = 0, rows = 0 } = size ?? {};
  return { blocks, rows: blocks * (rows > 0 ? rows : USUAL_ROWS_OF_A_BLOCK) };
}
