/** What `downhole storage` prints. */
import type { StorageStatus } from '../console/api-schemas.js';
import { textTable } from './text-table.js';

export function storageText(status: StorageStatus): string {
  const { chunk_list: chunks } = status;
  return [
    sizesText(status),
    tablesText(status),
    chunkCountsText(status),
    ...(chunks === undefined ? [] : [chunksText(chunks)]),
    jobsText(status),
  ].join('\n');
}

function sizesText({ database, readings, tables, archive, disk }: StorageStatus): string {
  const aggregates = tables.slice(1).reduce((sum, { bytes }) => sum + bytes, 0);
  const growth = disk.growth_bytes_per_day;
  return textTable(
    [
      ['WHAT', 'SIZE', ''],
      [
        'database',
        size(database.bytes),
        `PostgreSQL ${database.postgres}, TimescaleDB ${database.timescale_version ?? 'none'}`,
      ],
      ['readings, uncompressed', size(readings.uncompressed_bytes), ''],
      ['readings, compressed', size(readings.compressed_bytes), ratio(readings.compression_ratio)],
      ['  indexes of both', size(readings.index_bytes), ''],
      ['aggregates', size(aggregates), ''],
      ['archive', size(archive.bytes), `${archive.parts} parts, ${archive.rows} rows`],
      ['queue', size(disk.queue_bytes), ''],
      ['data directory', size(disk.directory_bytes), ''],
      ['disk, free', size(disk.free_bytes), disk.total_bytes === null ? '' : `of ${size(disk.total_bytes)}`],
      ['disk, growth a day', growth === null ? 'unknown' : size(growth), ''],
      ['disk, days until full', daysText(disk), disk.basis],
    ],
    (column) => column === 1,
  );
}

function tablesText({ tables }: StorageStatus): string {
  return textTable(
    [
      ['TABLE', 'SIZE', 'CHUNKS', 'COMPRESSED', 'BEFORE', 'AFTER', 'RATIO', 'STORED UNTIL', 'LAG'],
      ...tables.map((table) => [
        table.name,
        size(table.bytes),
        String(table.chunks),
        String(table.compressed_chunks),
        size(table.bytes_before_compression),
        size(table.bytes_after_compression),
        ratioOf(table.bytes_before_compression, table.bytes_after_compression),
        table.stored_until ?? '-',
        table.lag_seconds === null ? '-' : `${Math.round(table.lag_seconds)} s`,
      ]),
    ],
    (column) => column >= 1 && column <= 6,
  );
}

/** A chunk can be in several of these. */
function chunkCountsText({ readings: { chunks } }: StorageStatus): string {
  const names: [string, string][] = [
    [String(chunks.uncompressed), 'uncompressed'],
    [String(chunks.compressed), 'compressed'],
    [String(chunks.partial), 'of them partial: rows came since, compression is due again'],
    [String(chunks.archived), 'archived'],
    [String(chunks.held), 'held'],
    [String(chunks.past_retention), 'past retention'],
  ];
  return textTable([['CHUNKS', 'OF READINGS'], ...names], (column) => column === 0);
}

function chunksText(chunks: NonNullable<StorageStatus['chunk_list']>): string {
  return textTable(
    [
      ['FROM', 'TO', 'SIZE', 'INDEXES', 'BEFORE', 'AFTER', 'RATIO', 'STATES', 'CHUNK'],
      ...chunks.map((chunk) => [
        chunk.from,
        chunk.to,
        size(chunk.bytes),
        size(chunk.index_bytes),
        chunk.bytes_before_compression === null ? '-' : size(chunk.bytes_before_compression),
        chunk.bytes_after_compression === null ? '-' : size(chunk.bytes_after_compression),
        ratioOf(chunk.bytes_before_compression ?? 0, chunk.bytes_after_compression ?? 0),
        chunk.states.join(' '),
        chunk.name,
      ]),
    ],
    (column) => column >= 2 && column <= 6,
  );
}

function jobsText({ jobs }: StorageStatus): string {
  return textTable([
    ['JOB', 'LAST RUN', 'RESULT', 'NEXT DUE'],
    ...jobs.map((job) => [
      job.job,
      job.started_at ?? '-',
      job.attempt > 1 ? `${job.result} (attempt ${job.attempt})` : job.result,
      job.due_at ?? '-',
    ]),
  ]);
}

function daysText({
  days_until_full: days,
  growth_bytes_per_day: growth,
  free_bytes: free,
}: StorageStatus['disk']): string {
  if (days !== null) return String(Math.floor(days));
  return growth !== null && free !== null ? 'never' : 'unknown';
}

const ratio = (value: number | null): string => (value === null ? '' : `${value.toFixed(1)} times smaller than before`);
const ratioOf = (before: number, after: number): string => (after === 0 ? '-' : (before / after).toFixed(1));

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Powers of 1000, as the disk's maker counts. */
function size(bytes: number | null): string {
  if (bytes === null) return 'unknown';
  let [value, unit] = [bytes, 0];
  while (Math.abs(value) >= 1000 && unit < UNITS.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit] ?? ''}`;
}
