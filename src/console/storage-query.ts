/** What lies in the database and beside it: sizes, chunks, compression, the disk, and the last runs of the jobs. */
import { readChunks, type ChunkStatistics } from '../storage/chunk-statistics.js';
import type { Database } from '../storage/database.js';
import { readArchiveTotals, readDatabaseBytes } from '../storage/measure-sizes.js';
import { storageStatistics, type TableStatistics } from '../storage/statistics.js';
import { readForecast, readLastSizes, type StorageSizes } from '../storage/storage-days.js';
import { formatTimestamp, MICROS_PER_SECOND } from '../telemetry/timestamp.js';
import type { StorageStatus } from './api-schemas.js';
import { nowRfc3339, toRfc3339 } from './timestamps.js';

type TableStatus = StorageStatus['tables'][number];
type ChunkStatus = NonNullable<StorageStatus['chunk_list']>[number];
type JobStatus = StorageStatus['jobs'][number];

export interface StorageQuestion {
  /** Days that readings are kept. */
  readonly rawDays: number;
  /** Each chunk, beside the counts. */
  readonly withChunks: boolean;
  /** Measured just now; without them those that the job `measure-storage` noted last are shown. */
  readonly sizes?: StorageSizes;
}

/** Everything of `GET /v1/storage` and `downhole storage` but the time. */
export async function readStorage(
  database: Database,
  { rawDays, withChunks, sizes }: StorageQuestion,
): Promise<Omit<StorageStatus, 'as_of'>> {
  const { postgresVersion, timescale, timescaleVersion, survivesPowerLoss } = database.capabilities;
  const chunks = await readChunks(database, rawDays);
  return {
    database: {
      postgres: postgresVersion,
      timescale,
      timescale_version: timescaleVersion,
      survives_power_loss: survivesPowerLoss,
      bytes: await readDatabaseBytes(database),
    },
    tables: await readTables(database),
    readings: readingsStatus(chunks),
    archive: await readArchiveTotals(database),
    disk: await readDisk(database, sizes),
    jobs: await readJobs(database),
    ...(withChunks ? { chunk_list: chunks.map(chunkStatus) } : {}),
  };
}

/** The readings and their aggregates. */
async function readTables(database: Database): Promise<TableStatus[]> {
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

function readingsStatus(chunks: readonly ChunkStatistics[]): StorageStatus['readings'] {
  const sum = (part: readonly ChunkStatistics[], of: (chunk: ChunkStatistics) => number | null): number =>
    part.reduce((total, chunk) => total + (of(chunk) ?? 0), 0);
  const compressed = chunks.filter((chunk) => chunk.isCompressed);
  const open = chunks.filter((chunk) => !chunk.isCompressed);
  const before = sum(compressed, (chunk) => chunk.bytesBeforeCompression);
  const after = sum(compressed, (chunk) => chunk.bytesAfterCompression);
  return {
    uncompressed_bytes: sum(open, ({ bytes }) => bytes),
    compressed_bytes: sum(compressed, ({ bytes }) => bytes),
    index_bytes: sum(chunks, ({ indexBytes }) => indexBytes),
    compression_ratio: after === 0 ? null : before / after,
    chunks: {
      uncompressed: open.length,
      compressed: compressed.length,
      partial: chunks.filter(({ isPartial }) => isPartial).length,
      archived: chunks.filter(({ isArchived }) => isArchived).length,
      held: chunks.filter(({ isHeld }) => isHeld).length,
      past_retention: chunks.filter(({ isPastRetention }) => isPastRetention).length,
    },
  };
}

function chunkStatus(chunk: ChunkStatistics): ChunkStatus {
  return {
    name: chunk.name,
    from: toRfc3339(chunk.from) ?? '',
    to: toRfc3339(chunk.to) ?? '',
    bytes: chunk.bytes,
    index_bytes: chunk.indexBytes,
    bytes_before_compression: chunk.bytesBeforeCompression,
    bytes_after_compression: chunk.bytesAfterCompression,
    states: [
      chunk.isCompressed ? 'compressed' : 'uncompressed',
      ...(chunk.isPartial ? ['partial'] : []),
      ...(chunk.isArchived ? ['archived'] : []),
      ...(chunk.isHeld ? ['held'] : []),
      ...(chunk.isPastRetention ? ['past_retention'] : []),
    ],
  };
}

async function readDisk(database: Database, measured: StorageSizes | undefined): Promise<StorageStatus['disk']> {
  const last = measured === undefined ? await readLastSizes(database) : null;
  const sizes = measured ?? last;
  const forecast = await readForecast(database, sizes?.diskFreeBytes ?? null);
  return {
    measured_at: measured === undefined ? toRfc3339(last?.measuredAt) : nowRfc3339(),
    used_bytes: sizes?.diskUsedBytes ?? null,
    free_bytes: sizes?.diskFreeBytes ?? null,
    total_bytes: sizes?.diskTotalBytes ?? null,
    queue_bytes: sizes?.queueBytes ?? null,
    directory_bytes: sizes?.directoryBytes ?? null,
    growth_bytes_per_day: forecast.growthBytesPerDay,
    days_until_full: forecast.daysUntilFull,
    basis: forecast.basis,
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
    SELECT job, result, started_at, finished_at, error, attempt, due_at FROM job_runs r
    WHERE r.job = names.job ORDER BY r.started_at DESC LIMIT 1
  ) last
  ORDER BY last.job`;

/** The last run of each job that ever ran. */
async function readJobs(database: Database): Promise<JobStatus[]> {
  return (await database.query(JOBS_SQL)).map((row) => ({
    job: row['job'] as string,
    result: row['result'] as string,
    attempt: row['attempt'] as number,
    started_at: toRfc3339(row['started_at']),
    finished_at: toRfc3339(row['finished_at']),
    due_at: toRfc3339(row['due_at']),
    last_success: toRfc3339(row['last_success']),
    error: (row['error'] as string | null) ?? null,
  }));
}
