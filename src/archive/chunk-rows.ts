/** The rows of a chunk on their way out of the database, in bounded memory. */
import type { Database, Row, Session } from '../storage/database.js';
import { sqlTimestamp } from '../telemetry/timestamp.js';
import {
  archivedValue,
  readText,
  selectColumn,
  selectText,
  type ArchivedColumn,
  type ArchivedValue,
} from './column-types.js';

/** Epoch microseconds, the end exclusive: a chunk, or where there are none a UTC day. */
export interface ChunkRange {
  readonly startUs: number;
  readonly endUs: number;
}

/** Some rows, a column an array. */
export interface RowPage {
  readonly rows: number;
  readonly values: readonly ArchivedValue[][];
  /** Sum of `hash_record_extended` of these rows. */
  readonly hash: bigint;
}

const ROWS_A_PAGE = 10_000;
/** Where everybody waits for the one connection: a fraction of a second. */
const ROWS_A_SLICE = 5000;
const HASH = '_hash';

/** Runs a slice of work; the embedded database is left alone for a while after each. */
export type Pace = <T>(work: () => Promise<T>) => Promise<T>;

const RANGE = `t."timestamp" >= $1::timestamptz AND t."timestamp" < $2::timestamptz`;
const bounds = ({ startUs, endUs }: ChunkRange): [string, string] => [sqlTimestamp(startUs), sqlTimestamp(endUs)];

/**
 * Hands `work` the rows of the range, by device and time, as they come: where there are several connections from one
 * snapshot, which lasts as long as `work` does. Where there is a single one it would be taken from everybody else for as
 * long, so there they come in slices of their own, and a row that comes in meanwhile may be among them or not. Either
 * way the hashes are those of the rows that were handed over, which is what makes the part comparable with the chunk.
 */
export function withChunkRows<T>(
  database: Database,
  range: ChunkRange,
  columns: readonly ArchivedColumn[],
  pace: Pace,
  work: (pages: AsyncIterable<RowPage>) => Promise<T>,
): Promise<T> {
  if (database.capabilities.concurrency === 1) return work(pagesByDevice(database, range, columns, pace));
  return database.transaction(
    async (session) => {
      // The upload may be slower than what a server takes for somebody who has gone away.
      await session.execute('SET LOCAL idle_in_transaction_session_timeout = 0');
      return work(pagesOfSnapshot(session, range, columns));
    },
    { isolation: 'repeatable read', readOnly: true, statementTimeoutMs: 0 },
  );
}

const selectRows = (columns: readonly ArchivedColumn[]): string =>
  `SELECT ${columns.map(selectColumn).join(', ')}, hash_record_extended(t, 0) AS "${HASH}" FROM telemetry t`;

async function* pagesOfSnapshot(
  session: Session,
  range: ChunkRange,
  columns: readonly ArchivedColumn[],
): AsyncGenerator<RowPage> {
  const [start, end] = bounds(range);
  // A cursor takes no parameters where it is declared; both are made by us, of numbers.
  const where = RANGE.replace('$1', `'${start}'`).replace('$2', `'${end}'`);
  await session.execute(
    `DECLARE archived NO SCROLL CURSOR FOR ${selectRows(columns)} WHERE ${where} ORDER BY t.device_id, t."timestamp"`,
  );
  for (;;) {
    const rows = await session.query(`FETCH ${ROWS_A_PAGE} FROM archived`);
    if (rows.length > 0) yield pageOf(rows, columns);
    if (rows.length < ROWS_A_PAGE) return;
  }
}

async function* pagesByDevice(
  database: Database,
  range: ChunkRange,
  columns: readonly ArchivedColumn[],
  pace: Pace,
): AsyncGenerator<RowPage> {
  const [start, end] = bounds(range);
  // GROUP BY: a DISTINCT may be planned as a SkipScan, which was seen not to end.
  const devices = await pace(() =>
    database.query<{ device_id: string }>(
      `SELECT ${selectText('device_id')} AS device_id FROM telemetry t WHERE ${RANGE} GROUP BY t.device_id ORDER BY t.device_id`,
      [start, end],
    ),
  );
  const sql = `${selectRows(columns)} WHERE ${RANGE} AND t.device_id = $3 ORDER BY t."timestamp" LIMIT ${ROWS_A_SLICE}`;
  const time = columns.findIndex(({ name }) => name === 'timestamp');
  for (const { device_id } of devices) {
    for (let from = start; ;) {
      const page = pageOf(await pace(() => database.query(sql, [from, end, readText(device_id)])), columns);
      if (page.rows > 0) yield page;
      if (page.rows < ROWS_A_SLICE) break;
      from = sqlTimestamp(Number(page.values[time]?.at(-1)) + 1);
    }
  }
}

function pageOf(rows: readonly Row[], columns: readonly ArchivedColumn[]): RowPage {
  let hash = 0n;
  for (const row of rows) hash += BigInt(row[HASH] as number | bigint);
  return {
    rows: rows.length,
    values: columns.map(({ name, type }) => rows.map((row) => archivedValue(type, row[name]))),
    hash,
  };
}

/**
 * What tells one content of a chunk from another, comparable within one server: the number of its rows and the sum of
 * their hashes.
 */
export const fingerprintOf = (rows: number, hash: bigint): string => `${rows}:${hash}`;

/** The fingerprint of the rows that are in the range now. Reads all of them. */
export async function readFingerprint(session: Session, range: ChunkRange): Promise<string> {
  const [row] = await session.query<{ fingerprint: string }>(
    `SELECT count(*) || ':' || coalesce(sum(hash_record_extended(t, 0)::numeric), 0) AS fingerprint
     FROM telemetry t WHERE ${RANGE}`,
    bounds(range),
  );
  return row?.fingerprint ?? fingerprintOf(0, 0n);
}
