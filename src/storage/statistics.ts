/** How large the database is, what compression saves, and how far behind the aggregates are. */
import { AGGREGATE_LEVELS, readRefreshWindows, type LevelName } from './aggregate-levels.js';
import type { Database, Row } from './database.js';

export interface LevelWatermark {
  readonly level: LevelName;
  /** Up to here buckets are stored, epoch seconds; null while none is. Later ones are computed from their source on reading. */
  readonly watermarkSeconds: number | null;
  /** How much closed and known data lies between the watermark and the end of the refresh window; 0 = up to date. */
  readonly lagSeconds: number;
}

export interface TableStatistics {
  /** With indexes and compressed chunks. */
  readonly bytes: number;
  readonly chunks: number;
  readonly compressedChunks: number;
  /** Of the compressed chunks; 0 while there are none. */
  readonly bytesBeforeCompression: number;
  readonly bytesAfterCompression: number;
}

export interface StorageStatistics {
  readonly telemetry: TableStatistics;
  /** Before / after over all compressed chunks of `telemetry`; 0 while there are none. */
  readonly compressionRatio: number;
  /** Empty without TimescaleDB community. */
  readonly aggregates: readonly (TableStatistics & LevelWatermark)[];
}

const WATERMARKS_SQL = `
  SELECT a.user_view_name AS view,
    extract(epoch FROM nullif(_timescaledb_functions.to_timestamp(_timescaledb_functions.cagg_watermark(a.mat_hypertable_id)),
                              _timescaledb_functions.to_timestamp(-210866803200000000)))::float8 AS watermark
  FROM _timescaledb_catalog.continuous_agg a
  WHERE a.user_view_schema = current_schema() AND a.user_view_name = ANY ($1)`;

/** The oldest and the newest reading of any device. From devices: telemetry has no index on time alone. */
const SPAN_SQL = `
  SELECT extract(epoch FROM now())::float8 AS now, extract(epoch FROM min(first_seen))::float8 AS oldest,
    extract(epoch FROM max(last_seen))::float8 AS newest
  FROM devices`;

interface Span {
  /** Epoch seconds, like the others. */
  readonly now: number;
  readonly oldest: number | null;
  readonly newest: number | null;
}

/** How far each aggregate is stored, coarsest last; empty without TimescaleDB community. */
export async function latestWatermarks(database: Database): Promise<LevelWatermark[]> {
  if (database.capabilities.timescale !== 'community') return [];
  const [windows, watermarks, [span]] = await Promise.all([
    readRefreshWindows(database),
    database.query<{ view: string; watermark: number | null }>(WATERMARKS_SQL, [
      AGGREGATE_LEVELS.map(({ view }) => view),
    ]),
    database.query<Span & Row>(SPAN_SQL),
  ]);
  return AGGREGATE_LEVELS.map(({ name, view, bucketSeconds }) => {
    const watermarkSeconds = watermarks.find((row) => row.view === view)?.watermark ?? null;
    const window = windows.get(name);
    const lagSeconds =
      span === undefined || window === undefined ? 0 : refreshLag(span, watermarkSeconds, bucketSeconds, window);
    return { level: name, watermarkSeconds, lagSeconds };
  });
}

/** What is closed, has readings and is not stored. Without newer readings a watermark stands still and is no lag. */
function refreshLag(
  { now, oldest, newest }: Span,
  watermark: number | null,
  bucketSeconds: number,
  window: { readonly startOffsetSeconds: number; readonly endOffsetSeconds: number },
): number {
  if (newest === null) return 0;
  const bucketOf = (seconds: number): number => Math.floor(seconds / bucketSeconds) * bucketSeconds;
  const due = Math.min(bucketOf(newest) + bucketSeconds, bucketOf(now - window.endOffsetSeconds));
  // While nothing is stored it counts from the first reading on. Readings older than the window are the business of
  // the late refresh, which has its own measure.
  const done = watermark ?? (oldest === null ? Number.NEGATIVE_INFINITY : bucketOf(oldest));
  return Math.max(0, due - Math.max(done, now - window.startOffsetSeconds));
}

const TABLES_SQL = `
  SELECT tables.shown, hypertable_size(format('%I.%I', tables.schema_name, tables.table_name)::regclass)::float8 AS bytes,
    count(c.chunk_name)::int AS chunks, (count(*) FILTER (WHERE c.is_compressed))::int AS compressed,
    s.before, s.after
  FROM (
    SELECT h.hypertable_name::text AS shown, h.hypertable_schema AS schema_name, h.hypertable_name AS table_name
    FROM timescaledb_information.hypertables h
    WHERE h.hypertable_schema = current_schema() AND h.hypertable_name = 'telemetry'
    UNION ALL
    SELECT v.view_name::text, v.materialization_hypertable_schema, v.materialization_hypertable_name
    FROM timescaledb_information.continuous_aggregates v WHERE v.view_schema = current_schema()
  ) tables
  LEFT JOIN timescaledb_information.chunks c
    ON c.hypertable_schema = tables.schema_name AND c.hypertable_name = tables.table_name
  CROSS JOIN LATERAL (
    SELECT coalesce(sum(before_compression_total_bytes), 0)::float8 AS before,
      coalesce(sum(after_compression_total_bytes), 0)::float8 AS after
    FROM hypertable_columnstore_stats(format('%I.%I', tables.schema_name, tables.table_name)::regclass)
  ) s
  GROUP BY tables.shown, tables.schema_name, tables.table_name, s.before, s.after`;

/** Sizes, compression and lag. Reads the catalogue and file sizes only, never rows of telemetry. */
export async function storageStatistics(database: Database): Promise<StorageStatistics> {
  if (database.capabilities.timescale !== 'community') return plainStatistics(database);
  const rows = await database.query(TABLES_SQL);
  const watermarks = await latestWatermarks(database);
  const statisticsOf = (shown: string): TableStatistics => tableStatistics(rows.find((row) => row['shown'] === shown));
  const telemetry = statisticsOf('telemetry');
  return {
    telemetry,
    compressionRatio:
      telemetry.bytesAfterCompression === 0 ? 0 : telemetry.bytesBeforeCompression / telemetry.bytesAfterCompression,
    aggregates: watermarks.map((watermark, index) => ({
      ...statisticsOf((AGGREGATE_LEVELS[index] as (typeof AGGREGATE_LEVELS)[number]).view),
      ...watermark,
    })),
  };
}

async function plainStatistics(database: Database): Promise<StorageStatistics> {
  const [row] = await database.query(`SELECT pg_total_relation_size('telemetry')::float8 AS bytes`);
  return { telemetry: tableStatistics(row), compressionRatio: 0, aggregates: [] };
}

function tableStatistics(row: Row | undefined): TableStatistics {
  const figure = (name: string): number => Number(row?.[name] ?? 0);
  return {
    bytes: figure('bytes'),
    chunks: figure('chunks'),
    compressedChunks: figure('compressed'),
    bytesBeforeCompression: figure('before'),
    bytesAfterCompression: figure('after'),
  };
}
