/**
 * The levels at which series are kept, finest first, and which columns each has. Read from the database's own
 * catalogue: a plain PostgreSQL has no aggregates, and a level need not keep every figure of every channel.
 */
import { CHANNELS, type ChannelName } from '../telemetry/channels.js';
import type { Database } from '../storage/database.js';
import { SERIES_SOURCES, type SeriesSource } from './api-schemas.js';

/** SQL expressions of a channel's figures at a level; least and greatest are the mean where the level keeps none. */
export interface ChannelColumns {
  readonly avg: string;
  readonly min: string;
  readonly max: string;
  /** Readings in the mean; '' for the readings themselves. */
  readonly n: string;
}

export interface SeriesLevel {
  readonly source: SeriesSource;
  readonly table: string;
  readonly timeColumn: '"timestamp"' | 'bucket';
  /** Width of a bucket; null for the readings themselves. */
  readonly bucketSeconds: number | null;
  readonly channels: ReadonlyMap<ChannelName, ChannelColumns>;
}

export type LevelCatalogue = ReadonlyMap<SeriesSource, SeriesLevel>;

const TABLES = { raw: 'telemetry', '1min': 'telemetry_1min', '1hour': 'telemetry_1hour', daily: 'telemetry_daily' };
const BUCKET_SECONDS = { raw: null, '1min': 60, '1hour': 3600, daily: 86_400 };

const COLUMNS_SQL = `
  SELECT table_name, column_name FROM information_schema.columns
  WHERE table_schema = ANY (current_schemas(false)) AND table_name = ANY ($1)`;

/** The levels that this database has. */
export async function readLevels(database: Database): Promise<LevelCatalogue> {
  const rows = await database.query<{ table_name: string; column_name: string }>(COLUMNS_SQL, [Object.values(TABLES)]);
  const found = new Set(rows.map((row) => `${row.table_name}.${row.column_name}`));
  const levels = new Map<SeriesSource, SeriesLevel>();
  for (const source of SERIES_SOURCES) {
    const table = TABLES[source];
    const channels = channelColumns(source, (column) => found.has(`${table}.${column}`));
    if (channels.size === 0) continue;
    const timeColumn = source === 'raw' ? '"timestamp"' : 'bucket';
    levels.set(source, { source, table, timeColumn, bucketSeconds: BUCKET_SECONDS[source], channels });
  }
  return levels;
}

function channelColumns(source: SeriesSource, has: (column: string) => boolean): Map<ChannelName, ChannelColumns> {
  const columns = new Map<ChannelName, ChannelColumns>();
  for (const { name, stem } of CHANNELS) {
    const avg = source === 'raw' ? name : `${stem}_avg`;
    if (!has(avg)) continue;
    const figure = (suffix: string): string =>
      has(`${stem}_${suffix}`) && source !== 'raw' ? `${stem}_${suffix}` : avg;
    const n = source === 'raw' ? '' : has(`${stem}_n`) ? `${stem}_n` : 'sample_count';
    columns.set(name, { avg, min: figure('min'), max: figure('max'), n });
  }
  return columns;
}
