/**
 * SQL over the archive, in place: DuckDB reads the Parquet parts, fetched into a cache. What somebody asks can read the view
 * `telemetry` and nothing else: no other file, no network, no setting.
 */
import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api';
import type { Database } from '../storage/database.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { formatTimestamp } from '../telemetry/timestamp.js';
import { withChunkRows, type ChunkRange, type Pace } from './chunk-rows.js';
import { readColumns } from './column-types.js';
import type { PartCache } from './part-cache.js';
import { listParts } from './part-table.js';
import { planParts } from './restore-plan.js';
import { countsBesideHot, viewStatement } from './telemetry-view.js';
import { PartWriter } from './write-part.js';

export interface ArchiveQueryOptions {
  readonly database: Database;
  readonly cache: PartCache;
  /** Undefined: the whole archive. */
  readonly range: ChunkRange | undefined;
  /** Rows that are in the database beside those of the archive; asks for a range. */
  readonly withHot: boolean;
  readonly limits: { readonly memoryMb: number; readonly rows: number };
}

/** A value as JSON has it; instants in RFC 3339, what JSON has not as text. */
export type QueryValue = string | number | boolean | null;

export interface QueryResult {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly QueryValue[])[];
  /** There were more rows than the limit. */
  readonly isCut: boolean;
}

const EVERYTHING: ChunkRange = { startUs: Number.MIN_SAFE_INTEGER, endUs: Number.MAX_SAFE_INTEGER };
const unpaced: Pace = (work) => work();

/**
 * Answers one SELECT.
 * @throws OperationalError `query_failed` with what DuckDB says, and those of the cache, the store and the database
 */
export function queryArchive(options: ArchiveQueryOptions, sql: string): Promise<QueryResult> {
  return withTelemetryView(options, async (connection, paths) => {
    await closeAccess(connection, paths);
    return answer(connection, sql, options.limits.rows);
  });
}

/**
 * Hands `work` a DuckDB with the view `telemetry`, in which every reading of the range is once. Everything that is written for it
 * is gone afterwards, but for the parts in the cache.
 * @throws OperationalError `archive_empty`, and those of the cache, the store and the database
 */
export async function withTelemetryView<T>(
  { cache, range, withHot, database, limits }: Omit<ArchiveQueryOptions, 'limits'> & { limits: { memoryMb: number } },
  work: (connection: DuckDBConnection, paths: readonly string[]) => Promise<T>,
): Promise<T> {
  const scratch = join(cache.directory, `query-${randomUUID()}`);
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  try {
    // First: a chunk that is dropped meanwhile is then in both, and not in neither.
    const hotPath = withHot && range !== undefined ? join(scratch, 'hot.parquet') : undefined;
    if (hotPath !== undefined && range !== undefined) await writeHot(database, range, hotPath);
    const counting = await listParts(database, { counting: true });
    const planned = planParts(counting, { range: range ?? EVERYTHING, devices: undefined }).filter(
      ({ part }) => hotPath === undefined || countsBesideHot(part, counting),
    );
    if (planned.length === 0 && hotPath === undefined) throw nothingThere();
    const paths = await cache.fetch(planned);
    const files = planned.map(({ part }, index) => ({ part, path: paths[index] as string }));
    return await withDuckDb(join(scratch, 'spill'), limits.memoryMb, async (connection) => {
      await connection.run(`SET TimeZone = 'UTC'`);
      await connection.run(viewStatement(files, hotPath, range));
      return work(connection, [...paths, ...(hotPath === undefined ? [] : [hotPath])]);
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** The rows of the database as a file like those of the archive: in bounded memory, and from one snapshot on a server. */
async function writeHot(database: Database, range: ChunkRange, path: string): Promise<void> {
  const columns = await readColumns(database);
  const writer = new PartWriter(columns, {});
  await withChunkRows(database, range, columns, unpaced, (pages) =>
    pipeline(Readable.from(writer.bytes(pages)), createWriteStream(path, { mode: 0o600 })),
  );
}

async function withDuckDb<T>(
  spillDirectory: string,
  memoryMb: number,
  work: (connection: DuckDBConnection) => Promise<T>,
): Promise<T> {
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: `${memoryMb}MB`,
    temp_directory: spillDirectory,
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  });
  try {
    const connection = await instance.connect();
    try {
      return await work(connection);
    } finally {
      connection.closeSync();
    }
  } finally {
    instance.closeSync();
  }
}

async function answer(connection: DuckDBConnection, sql: string, mostRows: number): Promise<QueryResult> {
  const { StatementType } = await import('@duckdb/node-api');
  try {
    const statements = await connection.extractStatements(sql);
    if (statements.count !== 1) throw new Error('One statement at a time.');
    const statement = await statements.prepare(0);
    if (statement.statementType !== StatementType.SELECT) throw new Error('Only SELECT is answered.');
    const reader = await statement.streamAndReadUntil(mostRows + 1);
    const rows = reader.getRows();
    return {
      columns: reader.columnNames(),
      rows: rows.slice(0, mostRows).map((row) => row.map(plainValue)),
      isCut: rows.length > mostRows,
    };
  } catch (error) {
    // Whatever DuckDB has to say of somebody's SQL.
    throw new OperationalError(
      'query_failed',
      `The query failed: ${error instanceof Error ? error.message : String(error)}`,
      {
        cause: error,
      },
    );
  }
}

/** In this order: once access is closed and settings are locked, the files of the view are all that can be read. */
async function closeAccess(connection: DuckDBConnection, paths: readonly string[]): Promise<void> {
  const list = paths.map((path) => `'${path.replaceAll("'", "''")}'`).join(', ');
  await connection.run(`SET allowed_paths = [${list}]`);
  await connection.run('SET enable_external_access = false');
  await connection.run('SET lock_configuration = true');
}

function plainValue(value: DuckDBValue): QueryValue {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (typeof value === 'object' && 'micros' in value && typeof value.micros === 'bigint' && !('days' in value))
    return instant(value.micros) ?? value.toString();
  return value.toString();
}

/** Undefined for what no text of ours can name: infinity. */
function instant(micros: bigint): string | undefined {
  const number = Number(micros);
  return Number.isSafeInteger(number) ? formatTimestamp(number) : undefined;
}

const nothingThere = (): OperationalError =>
  new OperationalError(
    'archive_empty',
    'The archive has nothing in this range. "downhole archive list" shows what there is; --with-hot adds what is in the database.',
  );
