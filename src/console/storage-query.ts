/** What lies in the database: sizes, chunks, compression, and the last runs of the jobs. */
import type { Database, Row } from '../storage/database.js';
import type { StorageStatus } from './api-schemas.js';
import { toRfc3339 } from './timestamps.js';

type TableStatus = StorageStatus['tables'][number];
type JobStatus = StorageStatus['jobs'][number];

// Aggregates are hypertables too; people know them by the names of the public views.
const HYPERTABLES_SQL = `
  SELECT h.hypertable_schema AS schema, h.hypertable_name AS name, coalesce(c.view_name, h.hypertable_name) AS shown
  FROM timescaledb_information.hypertables h
  LEFT JOIN timescaledb_information.continuous_aggregates c
    ON c.materialization_hypertable_schema = h.hypertable_schema
    AND c.materialization_hypertable_name = h.hypertable_name
  ORDER BY c.view_name IS NOT NULL, 3`;

const CHUNKS_SQL = `
  SELECT hypertable_schema || '.' || hypertable_name AS hypertable, count(*)::int AS chunks,
    (count(*) FILTER (WHERE is_compressed))::int AS compressed, min(range_start) AS "from", max(range_end) AS "to"
  FROM timescaledb_information.chunks GROUP BY 1`;

const COMPRESSION_SQL = `
  SELECT sum(before_compression_total_bytes)::float8 AS before, sum(after_compression_total_bytes)::float8 AS after
  FROM hypertable_columnstore_stats($1::regclass)`;

/** Every hypertable with its chunks, or the plain table where there is no TimescaleDB. */
export async function readTables(database: Database): Promise<TableStatus[]> {
  if (database.capabilities.timescale === 'none') {
    const [row] = await database.query(`SELECT pg_total_relation_size('telemetry')::float8 AS bytes`);
    return [tableStatus('telemetry', Number(row?.['bytes']), undefined, undefined)];
  }
  const chunks = new Map((await database.query(CHUNKS_SQL)).map((row) => [row['hypertable'] as string, row]));
  const tables: TableStatus[] = [];
  for (const row of await database.query(HYPERTABLES_SQL)) {
    const name = `${row['schema'] as string}.${row['name'] as string}`;
    const quoted = `"${row['schema'] as string}"."${row['name'] as string}"`;
    const [size] = await database.query('SELECT hypertable_size($1::regclass)::float8 AS bytes', [quoted]);
    const compressed = Number(chunks.get(name)?.['compressed'] ?? 0);
    const [stats] = compressed === 0 ? [] : await database.query(COMPRESSION_SQL, [quoted]);
    tables.push(tableStatus(row['shown'] as string, Number(size?.['bytes'] ?? 0), chunks.get(name), stats));
  }
  return tables;
}

function tableStatus(name: string, bytes: number, chunks: Row | undefined, stats: Row | undefined): TableStatus {
  const number = (value: unknown): number | null => (typeof value === 'number' ? value : null);
  return {
    name,
    bytes,
    chunks: Number(chunks?.['chunks'] ?? 0),
    compressed_chunks: Number(chunks?.['compressed'] ?? 0),
    bytes_before_compression: number(stats?.['before']),
    bytes_after_compression: number(stats?.['after']),
    from: toRfc3339(chunks?.['from']),
    to: toRfc3339(chunks?.['to']),
  };
}

// One step through the index per job, and never through the whole run log.
const JOBS_SQL = `
  WITH RECURSIVE names AS (
    (SELECT job FROM job_runs ORDER BY job LIMIT 1)
    UNION ALL
    SELECT (SELECT job FROM job_runs WHERE job > names.job ORDER BY job LIMIT 1) FROM names WHERE names.job IS NOT NULL
  )
  SELECT last.*, (
    SELECT finished_at FROM job_runs r WHERE r.job = last.job AND r.result = 'succeeded'
    ORDER BY r.started_at DESC LIMIT 1
  ) AS last_success
  FROM names CROSS JOIN LATERAL (
    SELECT job, result, started_at, finished_at, error FROM job_runs r
    WHERE r.job = names.job ORDER BY r.started_at DESC LIMIT 1
  ) last
  ORDER BY last.job`;

/** The last run of each job that ever ran. */
export async function readJobs(database: Database): Promise<JobStatus[]> {
  return (await database.query(JOBS_SQL)).map((row) => ({
    job: row['job'] as string,
    result: row['result'] as string,
    started_at: toRfc3339(row['started_at']),
    finished_at: toRfc3339(row['finished_at']),
    last_success: toRfc3339(row['last_success']),
    error: (row['error'] as string | null) ?? null,
  }));
}

/** Bytes of the whole database. */
export async function readDatabaseSize(database: Database): Promise<number | null> {
  const [row] = await database.query('SELECT pg_database_size(current_database())::float8 AS bytes');
  return typeof row?.['bytes'] === 'number' ? row['bytes'] : null;
}
