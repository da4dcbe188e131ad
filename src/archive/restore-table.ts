/** The tables that rows come back into, and the SQL of it. */
import type { Session } from '../storage/database.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { sqlTimestamp } from '../telemetry/timestamp.js';
import { archivedValue, selectColumn, type ArchivedColumn } from './column-types.js';
import type { ChunkRange } from './chunk-rows.js';
import { archivedTypeOf, type TargetColumn } from './copy-rows.js';
import type { HashedRows } from './restored-rows.js';
import { RowTally, type ColumnTally, type TallyResult } from './row-tally.js';

/** `telemetry_archive` for analysis; `telemetry` where readings live, compressed and held. */
export const RESTORE_TABLES = ['telemetry_archive', 'telemetry'] as const;
export type RestoreTable = (typeof RESTORE_TABLES)[number];

/** Rows of a table: of a time, the end exclusive, and of all devices or some. */
export interface RowSelection {
  readonly range: ChunkRange;
  readonly devices: readonly string[] | undefined;
}

/** A row that is there with other values than the archive has. */
export interface DifferingRow {
  readonly deviceId: string;
  readonly time: string;
}

export interface MergedRows extends HashedRows {
  /** Rows that were there before, equal or not. */
  readonly present: number;
  readonly differing: number;
  /** The first of them. */
  readonly examples: readonly DifferingRow[];
}

const STAGING = 'restore_staging';
const EXAMPLES = 5;
const ROWS_A_FETCH = 10_000;

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const listOf = (columns: readonly { readonly name: string }[], prefix = ''): string =>
  columns.map(({ name }) => `${prefix}${quoted(name)}`).join(', ');

const WHERE = `t."timestamp" >= $1::timestamptz AND t."timestamp" < $2::timestamptz AND ($3::text[] IS NULL OR t.device_id = ANY ($3::text[]))`;
const bounds = ({ range, devices }: RowSelection): [string, string, readonly string[] | null] => [
  sqlTimestamp(range.startUs),
  sqlTimestamp(range.endUs),
  devices ?? null,
];

/**
 * The columns of the table that a part has, in the order of the part. Those that a later migration has added are not among
 * them: they get their default, as they did in rows that were there when it ran.
 * @throws OperationalError `restore_columns` where the part has a column that the table has not, or of another type
 */
export async function targetColumns(
  session: Session,
  table: RestoreTable,
  columns: readonly ColumnTally[],
  objectKey: string,
): Promise<TargetColumn[]> {
  const rows = await session.query<{ name: string; type: string }>(
    `SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute
     WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped`,
    [table],
  );
  const types = new Map(rows.map(({ name, type }) => [name, type]));
  return columns.map(({ name, type }) => {
    const databaseType = types.get(name);
    if (databaseType !== undefined && archivedTypeOf(databaseType) === type) return { name, databaseType };
    throw new OperationalError(
      'restore_columns',
      `The part ${objectKey} has a column ${name} (${type}), and the table ${table} has ` +
        `${databaseType === undefined ? 'none of that name' : `it as ${databaseType}`}. Nothing of the part was restored. ` +
        'Was it written by a newer version? Then restore it with that one; otherwise add the column to the table.',
    );
  });
}

export async function hasRows(session: Session, table: RestoreTable, selection: RowSelection): Promise<boolean> {
  return (await session.query(`SELECT FROM ${table} t WHERE ${WHERE} LIMIT 1`, bounds(selection))).length > 0;
}

/** How many rows there are, and the sum of their hashes. Reads all of them. */
export async function hashRows(session: Session, table: RestoreTable, selection: RowSelection): Promise<HashedRows> {
  const [row] = await session.query<{ rows: string; hash: string }>(
    `SELECT count(*)::text AS rows, coalesce(sum(hash_record_extended(t, 0)::numeric), 0)::text AS hash FROM ${table} t WHERE ${WHERE}`,
    bounds(selection),
  );
  return { rows: Number(row?.rows ?? 0), hash: row?.hash ?? '0' };
}

/** Counts the rows of the table as those of a part were counted, value by value. */
export async function tallyTable(
  session: Session,
  table: RestoreTable,
  { startUs, endUs }: ChunkRange,
  columns: readonly ArchivedColumn[],
): Promise<TallyResult> {
  // A cursor takes no parameters where it is declared; both are made by us, of numbers.
  await session.execute(
    `DECLARE restored NO SCROLL CURSOR FOR SELECT ${columns.map(selectColumn).join(', ')} FROM ${table} t
     WHERE t."timestamp" >= '${sqlTimestamp(startUs)}' AND t."timestamp" < '${sqlTimestamp(endUs)}'`,
  );
  const tally = new RowTally(columns);
  for (;;) {
    const rows = await session.query(`FETCH ${ROWS_A_FETCH} FROM restored`);
    tally.add(
      columns.map(({ name, type }) => rows.map((row) => archivedValue(type, row[name]))),
      rows.length,
    );
    if (rows.length < ROWS_A_FETCH) break;
  }
  await session.execute('CLOSE restored');
  return tally.result();
}

/** Puts rows straight into the table, which has none of them. */
export function copyRows(
  session: Session,
  table: RestoreTable,
  columns: readonly TargetColumn[],
  stream: Uint8Array,
): Promise<number> {
  return session.copyBinary(`${table} (${listOf(columns)})`, [stream]);
}

/** A table beside it, for `mergeRows`; gone with the transaction. */
export async function createStaging(session: Session, table: RestoreTable): Promise<void> {
  await session.execute(`CREATE TEMPORARY TABLE ${STAGING} (LIKE ${table} INCLUDING DEFAULTS) ON COMMIT DROP`);
}

/**
 * Adds those of the rows whose key the table has not, and says what became of the others. They are compared byte by byte,
 * so that a −0 is not a 0, and left as they are.
 */
export async function mergeRows(
  session: Session,
  table: RestoreTable,
  columns: readonly TargetColumn[],
  stream: Uint8Array,
): Promise<MergedRows> {
  await session.execute(`TRUNCATE ${STAGING}`);
  await session.copyBinary(`${STAGING} (${listOf(columns)})`, [stream]);
  const taken = await session.query<{ device_id: string; time: string; differing: number }>(
    `SELECT s.device_id, s."timestamp"::text AS time, (count(*) OVER ())::int AS differing
     FROM ${STAGING} s JOIN ${table} t ON t.device_id = s.device_id AND t."timestamp" = s."timestamp"
     WHERE ${BETWEEN} AND record_image_ne(ROW(${listOf(columns, 's.')}), ROW(${listOf(columns, 't.')}))
     ORDER BY s.device_id, s."timestamp" LIMIT ${EXAMPLES}`,
    await stagedBounds(session),
  );
  const present = await session.execute(
    `DELETE FROM ${STAGING} s USING ${table} t WHERE t.device_id = s.device_id AND t."timestamp" = s."timestamp" AND ${BETWEEN}`,
    await stagedBounds(session),
  );
  const [added] = await session.query<{ rows: number; hash: string }>(
    `SELECT count(*)::int AS rows, coalesce(sum(hash_record_extended(s, 0)::numeric), 0)::text AS hash FROM ${STAGING} s`,
  );
  const { rows = 0, hash = '0' } = added ?? {};
  if (rows > 0) await session.execute(`INSERT INTO ${table} SELECT * FROM ${STAGING}`);
  return {
    rows,
    hash,
    present,
    differing: taken[0]?.differing ?? 0,
    examples: taken.map(({ device_id: deviceId, time }) => ({ deviceId, time })),
  };
}

/** As constants, so that chunks outside of them are left out before the statement runs. */
const BETWEEN = `t."timestamp" >= $1::timestamptz AND t."timestamp" <= $2::timestamptz`;

async function stagedBounds(session: Session): Promise<[string, string]> {
  const [row] = await session.query<{ first: string | null; last: string | null }>(
    `SELECT min("timestamp")::text AS first, max("timestamp")::text AS last FROM ${STAGING}`,
  );
  return [row?.first ?? 'infinity', row?.last ?? '-infinity'];
}
