/**
 * The continuous aggregates and what may be done to them (docs/adr/0003-aggregates.md). Windows of refresh and ages of
 * compression are in the policies in the database (migration 0009); retention is configuration, since a policy of
 * TimescaleDB would know nothing of holds.
 */
import type { Session } from './database.js';

export type LevelName = '1min' | '1hour' | '1hour-p95' | 'daily';

export interface AggregateLevel {
  readonly name: LevelName;
  /** The continuous aggregate; readers use the public views instead. */
  readonly view: string;
  readonly bucketSeconds: number;
  /** What a refresh of it reads. */
  readonly source: 'raw' | LevelName;
  /** The key of the configuration that says how long it is kept; null: for ever. */
  readonly retention: 'minuteDays' | 'hourDays' | null;
}

/** The section `retention` of the configuration: days. */
export interface Retention {
  readonly rawDays: number;
  readonly minuteDays: number;
  readonly hourDays: number;
}

/** As the configuration has it where nobody says otherwise. */
export const DEFAULT_RETENTION: Retention = { rawDays: 30, minuteDays: 90, hourDays: 365 };

/** How long a level is kept, days; null: for ever. */
export function levelRetentionDays(level: Pick<AggregateLevel, 'retention'>, retention: Retention): number | null {
  return level.retention === null ? null : retention[level.retention];
}

/** In the order in which a range is refreshed: a level after the one that it stands on. */
export const AGGREGATE_LEVELS = [
  { name: '1min', view: 'agg_1min_v1', bucketSeconds: 60, source: 'raw', retention: 'minuteDays' },
  { name: '1hour', view: 'agg_1hour_v1', bucketSeconds: 3600, source: '1min', retention: 'hourDays' },
  { name: '1hour-p95', view: 'agg_1hour_p95_v1', bucketSeconds: 3600, source: 'raw', retention: 'hourDays' },
  { name: 'daily', view: 'agg_daily_v1', bucketSeconds: 86_400, source: '1hour', retention: null },
] as const satisfies readonly AggregateLevel[];

/** The level of this name. */
export function aggregateLevel(name: LevelName): AggregateLevel {
  return AGGREGATE_LEVELS.find((level) => level.name === name) as AggregateLevel;
}

/** How far behind now the regular refresh of a level begins and ends. */
export interface RefreshWindow {
  readonly startOffsetSeconds: number;
  readonly endOffsetSeconds: number;
}

const WINDOWS_SQL = `
  SELECT hypertable_name AS view,
    extract(epoch FROM (config ->> 'start_offset')::interval)::float8 AS start_offset,
    extract(epoch FROM (config ->> 'end_offset')::interval)::float8 AS end_offset
  FROM timescaledb_information.jobs WHERE proc_name = 'policy_refresh_continuous_aggregate'`;

/** The refresh windows as the policies have them. */
export async function readRefreshWindows(session: Session): Promise<Map<LevelName, RefreshWindow>> {
  const rows = await session.query<{ view: string; start_offset: number; end_offset: number }>(WINDOWS_SQL);
  const windows = new Map<LevelName, RefreshWindow>();
  for (const { name, view } of AGGREGATE_LEVELS) {
    const row = rows.find((candidate) => candidate.view === view);
    if (row === undefined) throw new Error(`The aggregate ${view} has no refresh policy: migration 0009 makes it.`);
    windows.set(name, { startOffsetSeconds: row.start_offset, endOffsetSeconds: row.end_offset });
  }
  return windows;
}
