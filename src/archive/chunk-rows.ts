/** The rows of a chunk on their way out of the database, in bounded memory. */
import type { Database, Session } from '../storage/database.js';
import { sqlTimestamp } from '../telemetry/timestamp.js';
import { readText, selectText, type ArchivedColumn } from './column-types.js';
import { CopyDecoder } from './copy-decoder.js';
import { createRowGroup, type RowGroup } from './row-group.js';

/** Epoch microseconds, the end exclusive: a chunk, or where there are none a UTC day. */
export interface ChunkRange {
  readonly startUs: number;
  readonly endUs: number;
}

/** Where everybody waits for the one connection: a fraction of a second. */
const ROWS_A_SLICE = 5000;

/** Runs a slice of work; the embedded database is left alone for a while after each. */
export type Pace = <T>(work: () => Promise<T>) => Promise<T>;

const RANGE = `t."timestamp" >= $1::timestamptz AND t."timestamp" < $2::timestamptz`;
const bounds = ({ startUs, endUs }: ChunkRange): [string, string] => [sqlTimestamp(startUs), sqlTimestamp(endUs)];

/**
 * Hands `work` the rows of the range, by device and time, as they come: where there are several connections from one
 * snapshot, which lasts as long as `work` does. Where there is a single one it would be taken from everybody else for as
 * long, so there they come in slices of their own, and a row that comes in meanwhile may be among them or not. Either
 * way the hashes are those of the rows that were handed over, which is what makes the part comparable with the chunk.
 * A group is used again for the next rows: it is the taker's until he asks for another.
 */
export function withChunkRows<T>(
  database: Database,
  range: ChunkRange,
  columns: readonly ArchivedColumn[],
  pace: Pace,
  work: (groups: AsyncIterable<RowGroup>) => Promise<T>,
): Promise<T> {
  if (database.capabilities.concurrency === 1) return work(groupsByDevice(database, range, columns, pace));
  return database.transaction(
    async (session) => {
      // The upload may be slower than what a server takes for somebody who has gone away.
      await session.execute('SET LOCAL idle_in_transaction_session_timeout = 0');
      return work(groupsOfSnapshot(session, range, columns));
    },
    { isolation: 'repeatable read', readOnly: true, statementTimeoutMs: 0 },
  );
}

const selectRows = (columns: readonly ArchivedColumn[]): string =>
  `SELECT ${columns.map(({ name }) => `t."${name.replaceAll('"', '""')}"`).join(', ')}, hash_record_extended(t, 0) FROM telemetry t`;

async function* groupsOfSnapshot(
  session: Session,
  range: ChunkRange,
  columns: readonly ArchivedColumn[],
): AsyncGenerator<RowGroup> {
  const sql = `${selectRows(columns)} WHERE ${literalRange(bounds(range))} ORDER BY t.device_id, t."timestamp"`;
  const decoder = new CopyDecoder(createRowGroup(columns));
  for await (const chunk of session.copyOut(sql)) yield* decoder.push(chunk);
  yield* decoder.flush();
}

/** COPY takes no parameters; both are made by us, of numbers. */
const literalRange = ([start, end]: readonly [string, string]): string =>
  RANGE.replace('$1', `'${start}'`).replace('$2', `'${end}'`);

async function* groupsByDevice(
  database: Database,
  range: ChunkRange,
  columns: readonly ArchivedColumn[],
  pace: Pace,
): AsyncGenerator<RowGroup> {
  const [start, end] = bounds(range);
  // GROUP BY: a DISTINCT may be planned as a SkipScan, which was seen not to end.
  const devices = await pace(() =>
    database.query<{ device_id: string }>(
      `SELECT ${selectText('device_id')} AS device_id FROM telemetry t WHERE ${RANGE}
       GROUP BY t.device_id ORDER BY t.device_id`,
      [start, end],
    ),
  );
  const decoder = new CopyDecoder(createRowGroup(columns));
  for (const { device_id } of devices) {
    const device = `t.device_id = ${quoted(readText(device_id))}`;
    for (let from: string | undefined = start; from !== undefined;) {
      const where = `${literalRange([from, end])} AND ${device} ORDER BY t."timestamp" LIMIT ${ROWS_A_SLICE}`;
      const chunks = await pace(() => collect(database.copyOut(`${selectRows(columns)} WHERE ${where}`)));
      const before = decoder.rows;
      decoder.restart();
      for (const chunk of chunks) yield* decoder.push(chunk);
      from = decoder.rows - before < ROWS_A_SLICE ? undefined : sqlTimestamp(decoder.lastTimeUs + 1);
    }
  }
  yield* decoder.flush();
}

/** As a literal of a standard string. */
const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
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
