/** The copy: ranges of blocks of the old table, each in a transaction together with the note that it is done. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database, Session } from '../storage/database.js';
import { sqlStateOf } from '../storage/sql-state.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { BATCH_LOCK_CLASS, BATCH_LOCKS, insertSetAside, setAsideValues } from './mirror-sql.js';
import { inHome, type LegacyProgress } from './progress.js';
import { quoteText, rowSql, STAGE, type RowSql } from './row-sql.js';

export interface CopyProgress {
  readonly copiedTo: number;
  readonly endBlock: number;
  /** Rows of the old table that this run has read. */
  readonly rows: number;
}

export interface CopyOptions {
  /** Most rows a second; undefined: as fast as it goes. */
  readonly rowsPerSecond?: number | undefined;
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined;
  /** Asked between two batches. */
  readonly stopped?: (() => boolean) | undefined;
}

/**
 * Below the server's deadlock_timeout (1 s): where the copy and a writer wait for each other it is the copy that gives way, and
 * the writer never learns of it.
 */
const LOCK_TIMEOUT_MS = 400;
const PAUSE_MS = 50;
/** lock_not_available, deadlock_detected. */
const GIVE_WAY = new Set(['55P03', '40P01']);
/** Class of SQLSTATE: a second row of a device and instant, an impossible value, none where there has to be one. */
const INTEGRITY_VIOLATION = '23';

/** Copies what is left. @throws OperationalError `legacy_rewritten`, `interrupted`, or the database's own */
export async function copyRows(database: Database, progress: LegacyProgress, options: CopyOptions): Promise<void> {
  const sql = rowSql(progress.plan);
  const startedMs = performance.now();
  let rows = 0;
  let { copiedTo } = progress;
  while (copiedTo < progress.endBlock) {
    if (options.stopped?.() === true) {
      throw new OperationalError('interrupted', 'The copy was stopped. Run the command again: it goes on from there.');
    }
    const batch = await copyUndisturbed(database, progress, copiedTo, sql);
    rows += batch.rows;
    ({ copiedTo } = batch);
    options.onProgress?.({ copiedTo, endBlock: progress.endBlock, rows });
    if (options.rowsPerSecond !== undefined) {
      const aheadMs = (rows / options.rowsPerSecond) * 1000 - (performance.now() - startedMs);
      if (aheadMs > 0) await sleep(aheadMs);
    }
  }
}

interface CopiedBatch {
  readonly copiedTo: number;
  readonly rows: number;
}

/** Tries a batch until no writer is in its way. */
async function copyUndisturbed(
  database: Database,
  progress: LegacyProgress,
  from: number,
  sql: RowSql,
): Promise<CopiedBatch> {
  for (;;) {
    try {
      return await database.transaction((session) => copyBatch(session, progress, from, sql), {
        statementTimeoutMs: 0,
      });
    } catch (error) {
      if (!GIVE_WAY.has(sqlStateOf(error) ?? '')) throw error;
      await sleep(PAUSE_MS);
    }
  }
}

async function copyBatch(session: Session, progress: LegacyProgress, from: number, sql: RowSql): Promise<CopiedBatch> {
  const to = Math.min(progress.endBlock, from + progress.batchBlocks);
  const batch = Math.floor(from / progress.batchBlocks) % BATCH_LOCKS;
  const table = inHome(progress, 'telemetry');
  await session.execute(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
  // Compiling would take longer than a batch does.
  await session.execute('SET LOCAL jit = off');
  // After a crash the copy goes on from the note that survived, and whatever is committed later is on disk behind it.
  await session.execute('SET LOCAL synchronous_commit = off');
  await session.execute(`LOCK TABLE ${table} IN ACCESS SHARE MODE`);
  const copiedTo = await refuseRewritten(session, table);
  // A TRUNCATE meanwhile has left nothing to copy.
  if (copiedTo >= progress.endBlock) return { copiedTo, rows: 0 };
  await session.query(`SELECT pg_advisory_xact_lock(${BATCH_LOCK_CLASS}, ${batch})`);
  const range = `FROM ${table} s WHERE s.ctid >= '(${from},0)' AND s.ctid < '(${to},0)'
    AND NOT EXISTS (SELECT FROM ${STAGE}.mirrored m WHERE m.position = s.ctid)`;
  const [count] = await session.query<{ rows: number }>(`SELECT count(*) AS rows ${range}`);
  const rows = count?.rows ?? 0;
  await session.execute('SAVEPOINT batch');
  const insert = `INSERT INTO ${STAGE}.telemetry (${sql.targets.join(', ')}) SELECT ${sql.values('s')} ${range} AND isfinite(${sql.time('s')})`;
  if ((await countStored(session, insert)) !== rows) {
    // Some have no place: once more, and this time which ones is kept account of.
    await session.execute('ROLLBACK TO SAVEPOINT batch');
    await session.execute(sortOut(progress, sql, range));
  }
  await session.execute(`UPDATE ${STAGE}.progress SET copied_to = $1`, [to]);
  return { copiedTo: to, rows };
}

/**
 * How many rows were stored; undefined where one of them has no place. That is left to the constraints of the table: to ask
 * beforehand, and ON CONFLICT, which looks for every row twice, take half as long again.
 */
async function countStored(session: Session, insert: string): Promise<number | undefined> {
  try {
    return await session.execute(insert);
  } catch (error) {
    if (sqlStateOf(error)?.startsWith(INTEGRITY_VIOLATION) !== true) throw error;
    return undefined;
  }
}

/** Rows of a batch into `telemetry`, or into `legacy_set_aside` with the reason. */
function sortOut(progress: LegacyProgress, sql: RowSql, range: string): string {
  return `
    WITH source AS MATERIALIZED (
      SELECT s.*, s.ctid AS legacy_position, ${sql.reason('s')} AS legacy_reason,
             row_number() OVER (PARTITION BY ${sql.reason('s')} IS NULL, ${sql.device('s')}, ${sql.time('s')} ORDER BY s.ctid) AS legacy_nth
        ${range}
    ), stored AS (
      INSERT INTO ${STAGE}.telemetry (${sql.targets.join(', ')})
      SELECT ${sql.values('s')} FROM source s WHERE legacy_reason IS NULL AND legacy_nth = 1
      ON CONFLICT DO NOTHING RETURNING device_id, "timestamp"
    )
    ${insertSetAside(progress)}
    SELECT ${setAsideValues(sql, 's', `coalesce(legacy_reason, 'duplicate')`, `to_jsonb(s) - '{legacy_position,legacy_reason,legacy_nth}'::text[]`)}
      FROM source s LEFT JOIN stored d ON d.device_id = ${sql.device('s')} AND d."timestamp" = ${sql.time('s')}
     WHERE legacy_reason IS NOT NULL OR legacy_nth > 1 OR d.device_id IS NULL`;
}

/** How far the copy is; the positions of rows mean nothing any more once the table was written anew. */
async function refuseRewritten(session: Session, table: string): Promise<number> {
  const [state] = await session.query<{ same: boolean; copiedTo: number }>(
    `SELECT file_node = pg_relation_filenode(${quoteText(table)}::regclass) AS same, copied_to AS "copiedTo" FROM ${STAGE}.progress`,
  );
  if (state?.same === true) return state.copiedTo;
  throw new OperationalError(
    'legacy_rewritten',
    'The old table was written anew during the copy (VACUUM FULL, CLUSTER or ALTER TABLE). Run `downhole legacy rollback`, then begin again.',
  );
}
