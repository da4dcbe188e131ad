/**
 * Reads one range of one device from one level, thinned in SQL to a number of points: buckets of equal width, aligned
 * to the epoch (so that a live curve does not tremble), each with mean, least and greatest, so that peaks stay.
 */
import type { ChannelName } from '../telemetry/channels.js';
import { sqlTimestamp, MICROS_PER_SECOND } from '../telemetry/timestamp.js';
import type { Database, Row } from '../storage/database.js';
import type { ChannelSeries } from './api-schemas.js';
import type { ChannelColumns, SeriesLevel } from './series-levels.js';

export interface SeriesRange {
  readonly deviceId: string;
  /** Epoch microseconds, both included. */
  readonly fromUs: number;
  readonly toUs: number;
}

/** Columns of equal length, oldest first. */
export interface SeriesPoints {
  readonly bucketSeconds: number | null;
  readonly truncated: boolean;
  readonly timestamps: number[];
  readonly channels: Record<string, ChannelSeries>;
  readonly anomalies: number[];
  readonly samples: number[];
}

export interface ReadSeriesOptions {
  readonly channels: readonly ChannelName[];
  /** Most points to answer with. */
  readonly points: number;
  /** Most rows to read, newest first: what lies before is cut off, and `truncated` says so. */
  readonly maxRows: number;
  /** Rows of the range, where they have been counted. */
  readonly rows: number | undefined;
}

/** Significant digits of a mean in the answer: one more than a float32 holds. */
const SIGNIFICANT_DIGITS = 7;

/** Rows of the range at this level, counted no further than `limit + 1`. */
export async function countRows(
  database: Database,
  level: SeriesLevel,
  range: SeriesRange,
  limit: number,
): Promise<number> {
  const [row] = await database.query<{ rows: number }>(
    `SELECT count(*)::int AS rows FROM (SELECT 1 FROM ${level.table} WHERE ${inRange(level)} LIMIT $4) found`,
    [...rangeParameters(level, range), limit + 1],
  );
  return row?.rows ?? 0;
}

/** Epoch seconds of the first row in the range; undefined when there is none. */
export async function firstTime(
  database: Database,
  level: SeriesLevel,
  range: SeriesRange,
): Promise<number | undefined> {
  const [row] = await database.query<{ at: number }>(
    `SELECT extract(epoch FROM ${level.timeColumn})::float8 AS at FROM ${level.table}
     WHERE ${inRange(level)} ORDER BY ${level.timeColumn} LIMIT 1`,
    rangeParameters(level, range),
  );
  return row?.at;
}

/** The points of the range at this level. */
export async function readSeries(
  database: Database,
  level: SeriesLevel,
  range: SeriesRange,
  options: ReadSeriesOptions,
): Promise<SeriesPoints> {
  const widthSeconds = pointWidthSeconds(level, range, options);
  const names = options.channels.filter((name) => level.channels.has(name));
  const parameters = [...rangeParameters(level, range), options.maxRows];
  const rows =
    widthSeconds === null
      ? await database.query(plainSql(level, names), parameters)
      : await database.query(binnedSql(level, names), [...parameters, widthSeconds]);
  const read = rows.reduce((sum, row) => sum + Number(row['rows']), 0);
  return {
    bucketSeconds: widthSeconds ?? level.bucketSeconds,
    truncated: read >= options.maxRows,
    timestamps: rows.map((row) => row['at'] as number),
    channels: channelArrays(rows, names, level.bucketSeconds !== null || widthSeconds !== null),
    anomalies: rows.map((row) => Number(row['anomalies'] ?? 0)),
    samples: rows.map((row) => Number(row['samples'] ?? 0)),
  };
}

/**
 * Width of a thinned point, a multiple of the level's own; null where the rows are few enough as they are.
 * Aligned buckets overhang the range at both ends: hence two points fewer than asked for.
 */
function pointWidthSeconds(level: SeriesLevel, range: SeriesRange, options: ReadSeriesOptions): number | null {
  const rangeSeconds = (range.toUs - range.fromUs) / MICROS_PER_SECOND;
  const inner = Math.max(1, options.points - 2);
  const rows = level.bucketSeconds === null ? options.rows : rangeSeconds / level.bucketSeconds + 2;
  if (rows !== undefined && rows <= options.points) return null;
  const unit = level.bucketSeconds ?? rawUnitSeconds(rangeSeconds / inner);
  return Math.max(1, Math.ceil((rangeSeconds + (level.bucketSeconds ?? 0)) / inner / unit)) * unit;
}

/** Widths of raw points are whole seconds, or whole milliseconds where a second would be too coarse. */
function rawUnitSeconds(idealSeconds: number): number {
  return idealSeconds >= 1 ? 1 : 0.001;
}

function inRange(level: SeriesLevel): string {
  return `device_id = $1 AND ${level.timeColumn} >= $2::timestamptz AND ${level.timeColumn} <= $3::timestamptz`;
}

/** A bucket that began before the range and reaches into it belongs to it. */
function rangeParameters(level: SeriesLevel, range: SeriesRange): [string, string, string] {
  const overhangUs = level.bucketSeconds === null ? 0 : level.bucketSeconds * MICROS_PER_SECOND - 1;
  return [range.deviceId, sqlTimestamp(range.fromUs - overhangUs), sqlTimestamp(range.toUs)];
}

/** The newest rows of the range, only with the columns that are needed: a view computes each from sums and counts. */
function newestRows(level: SeriesLevel, time: string, names: readonly ChannelName[]): string {
  const figures = names.map((name) => columnsOf(level, name)).flatMap(({ avg, min, max, n }) => [avg, min, max, n]);
  const samples = level.bucketSeconds === null ? '1' : 'sample_count';
  const anomalies = level.bucketSeconds === null ? 'CASE WHEN is_anomaly THEN 1 ELSE 0 END' : 'anomaly_count';
  const columns = [`${samples} AS samples`, `${anomalies} AS anomalies`, ...new Set(figures)].filter(Boolean);
  return `SELECT ${time} AS at, ${columns.join(', ')} FROM ${level.table}
    WHERE ${inRange(level)} ORDER BY ${level.timeColumn} DESC LIMIT $4`;
}

function plainSql(level: SeriesLevel, names: readonly ChannelName[]): string {
  const figures = names.flatMap((name, at) => {
    const { avg, min, max } = columnsOf(level, name);
    const summarised = level.bucketSeconds === null ? [] : [`${min} AS min_${at}`, `${max} AS max_${at}`];
    return [`${avg} AS avg_${at}`, ...summarised];
  });
  return `
    SELECT ${['extract(epoch FROM at)::float8 AS at', '1 AS rows', 'samples', 'anomalies', ...figures].join(', ')}
    FROM (${newestRows(level, level.timeColumn, names)}) newest
    ORDER BY newest.at`;
}

function binnedSql(level: SeriesLevel, names: readonly ChannelName[]): string {
  const figures = names.flatMap((name, at) => {
    const { avg, min, max, n } = columnsOf(level, name);
    // The mean of buckets weighs each by its readings; the mean of readings is plain.
    const mean =
      n === '' ? `avg(${avg})` : `sum(${avg} * ${n}) / nullif(sum(${n}) FILTER (WHERE ${avg} IS NOT NULL), 0)`;
    return [`${mean} AS avg_${at}`, `min(${min}) AS min_${at}`, `max(${max}) AS max_${at}`];
  });
  const counts = ['count(*)::int AS rows', 'sum(samples)::float8 AS samples', 'sum(anomalies)::float8 AS anomalies'];
  const bin = `date_bin(make_interval(secs => $5), ${level.timeColumn}, 'epoch'::timestamptz)`;
  return `
    SELECT ${['extract(epoch FROM at)::float8 AS at', ...counts, ...figures].join(', ')}
    FROM (${newestRows(level, bin, names)}) newest
    GROUP BY newest.at
    ORDER BY newest.at`;
}

function columnsOf(level: SeriesLevel, name: ChannelName): ChannelColumns {
  const columns = level.channels.get(name);
  if (columns === undefined) throw new Error(`level ${level.source} has no channel ${name}`);
  return columns;
}

/** Channels without a single value in the range are left out. */
function channelArrays(
  rows: readonly Row[],
  names: readonly ChannelName[],
  summarised: boolean,
): Record<string, ChannelSeries> {
  const channels: Record<string, ChannelSeries> = {};
  names.forEach((name, at) => {
    const column = (figure: string): (number | null)[] => rows.map((row) => rounded(row[`${figure}_${at}`]));
    const avg = column('avg');
    if (!avg.some((value) => value !== null)) return;
    channels[name] = summarised ? { avg, min: column('min'), max: column('max') } : { avg };
  });
  return channels;
}

function rounded(value: unknown): number | null {
  return value === null || value === undefined ? null : Number(Number(value).toPrecision(SIGNIFICANT_DIGITS));
}
