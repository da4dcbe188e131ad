/** All ages that decide what becomes of the readings and their aggregates, in one value that rules can look at. */
import type { Config } from '../../config/schema.js';
import { AGGREGATE_LEVELS, levelRetentionDays, type LevelName } from '../aggregate-levels.js';
import { LATE_AFTER_DAYS } from '../write-reconciled.js';

/** Everything in days; fractions are fine. */
export interface LifecyclePolicy {
  readonly chunkDays: number;
  /** Chunks of readings are compressed at this age of their end. */
  readonly compressAfterDays: number;
  /** Chunks of readings are archived at this age of their end. */
  readonly archiveAfterDays: number;
  /** Chunks of readings may be dropped at this age of their end. */
  readonly rawDays: number;
  /** Rows older than this on arrival have their day refreshed by itself; the regular windows have to find all younger ones. */
  readonly lateAfterDays: number;
  /** A level after the one that it stands on. */
  readonly levels: readonly LevelPolicy[];
}

export interface LevelPolicy {
  readonly name: LevelName;
  readonly source: 'raw' | LevelName;
  /** What a person changes to keep the level longer; null: it is kept for ever. */
  readonly retentionKey: 'minuteDays' | 'hourDays' | null;
  readonly bucketDays: number;
  /** The regular refresh goes from this long ago … */
  readonly refreshFromDays: number;
  /** … to this long ago. */
  readonly refreshToDays: number;
  readonly compressAfterDays: number;
  /** null: for ever. */
  readonly retentionDays: number | null;
}

/** What the policies in the database hold of a level. */
export type LevelTimes = Pick<LevelPolicy, 'refreshFromDays' | 'refreshToDays' | 'compressAfterDays'>;

const MINUTE_DAYS = 1 / 1440;
const HOUR_DAYS = 1 / 24;
const SECONDS_PER_DAY = 86_400;

/** As migration 0009 makes the policies. */
const SHIPPED_LEVEL_TIMES: Readonly<Record<LevelName, LevelTimes>> = {
  '1min': { refreshFromDays: 7, refreshToDays: MINUTE_DAYS, compressAfterDays: 8 },
  '1hour': { refreshFromDays: 8, refreshToDays: HOUR_DAYS, compressAfterDays: 10 },
  '1hour-p95': { refreshFromDays: 7, refreshToDays: HOUR_DAYS, compressAfterDays: 10 },
  daily: { refreshFromDays: 28, refreshToDays: 1, compressAfterDays: 30 },
};

export type LifecycleConfig = Pick<Config, 'storage' | 'compression' | 'archive' | 'retention'>;

/** What was found in a database, where it may differ from what this version ships. */
export interface StoredPolicies {
  readonly levels: Readonly<Record<LevelName, LevelTimes>>;
  readonly chunkDays: number;
}

/**
 * The ages that apply.
 * @param stored of the database; absent: what a new one gets
 */
export function lifecyclePolicy(config: LifecycleConfig, stored?: StoredPolicies): LifecyclePolicy {
  const times = stored?.levels ?? SHIPPED_LEVEL_TIMES;
  return {
    chunkDays: stored?.chunkDays ?? config.storage.chunkHours / 24,
    compressAfterDays: config.compression.afterDays,
    archiveAfterDays: config.archive.afterDays,
    rawDays: config.retention.rawDays,
    lateAfterDays: LATE_AFTER_DAYS,
    levels: AGGREGATE_LEVELS.map((level) => ({
      name: level.name,
      source: level.source,
      retentionKey: level.retention,
      bucketDays: level.bucketSeconds / SECONDS_PER_DAY,
      ...times[level.name],
      retentionDays: levelRetentionDays(level, config.retention),
    })),
  };
}
