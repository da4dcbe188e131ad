/** What lies in the database: sizes, chunks, compression, and the last runs of the jobs. */
import type { Database } from '../storage/database.js';
import { storageStatistics, type TableStatistics } from '../storage/statistics.js';
import { formatTimestamp, MICROS_PER_SECOND } from '../telemetry/timestamp.js';
import type { StorageStatus } from './api-schemas.js';
import { toRfc3339 } from './timestamps.js';

type TableStatus = StorageStatus['tables'][number];
type JobStatus = StorageStatus['jobs'][number];

/** The readings and their aggregates. */
export async function readTables(database: Database): Promise<TableStatus[]> {
  const { telemetry, aggregates } = await storageStatistics(database);
  return [
    tableStatus('telemetry', telemetry, null, null),
    ...aggregates.map((level) => {
      const storedUntil =
        level.watermarkSeconds === null ? null : formatTimestamp(level.watermarkSeconds * MICROS_PER_SECOND);
      return tableStatus(`telemetry_${level.level}`, level, storedUntil, level.lagSeconds);
    }),
  ];
}

function tableStatus(
  name: string,
  statistics: TableStatistics,
  storedUntil: string | null,
  lagSeconds: number | null,
): TableStatus {
  return {
    name,
    bytes: statistics.bytes,
    chunks: statistics.chunks,
    compressed_chunks: statistics.compressedChunks,
    bytes_before_compression: statistics.bytesBeforeCompression,
    bytes_after_compression: statistics.bytesAfterCompression,
    stored_until: storedUntil,
    lag_seconds: lagSeconds,
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
