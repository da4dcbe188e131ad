/**
 * Drops chunks of aggregates past their retention, whole chunks only and never one that a hold overlaps.
 * (Readings are dropped by the archive alone, once it has verified what it keeps.)
 */
import {
  AGGREGATE_LEVELS,
  levelRetentionDays,
  type AggregateLevel,
  type Retention,
} from '../storage/aggregate-levels.js';
import type { Database } from '../storage/database.js';
import { OperationalError } from '../telemetry/operational-error.js';
import type { JobContext, JobDefinition, JobOutcome } from './job.js';

const FAULT_AFTER_DAYS = 3;

/**
 * Days in `late_days` keep their chunk too: between the refresh of a level and that of the next one, the first must
 * not go, or the second would be computed from nothing. $1: the view, $2: its retention in days.
 */
const EXPIRED_SQL = `
  SELECT c.range_start, c.range_end
  FROM timescaledb_information.continuous_aggregates v
  JOIN timescaledb_information.chunks c
    ON c.hypertable_schema = v.materialization_hypertable_schema AND c.hypertable_name = v.materialization_hypertable_name
  WHERE v.view_schema = current_schema() AND v.view_name = $1 AND c.range_end < now() - make_interval(days => $2)
    AND NOT EXISTS (
      SELECT FROM holds h
      WHERE h.released_at IS NULL AND (h.expires_at IS NULL OR h.expires_at > now())
        AND h.range_from < c.range_end AND h.range_to > c.range_start)
    AND NOT EXISTS (
      SELECT FROM late_days l
      WHERE l.day::timestamp AT TIME ZONE 'UTC' < c.range_end
        AND (l.day + 1)::timestamp AT TIME ZONE 'UTC' > c.range_start)
  ORDER BY c.range_start`;

interface ChunkRange {
  readonly range_start: string;
  readonly range_end: string;
}

export function retainAggregatesJob(retention: Retention): JobDefinition {
  const { minuteDays, hourDays } = retention;
  return {
    name: 'retain-aggregates',
    description: `drops one-minute aggregates after ${minuteDays} days and hourly ones after ${hourDays}, unless a hold keeps them`,
    lane: 'aggregates',
    intervalSeconds: 86_400,
    initialDelaySeconds: 300,
    run: (context) => dropExpired(context, retention),
    findFault: (database) => findFault(database, retention),
  };
}

function findExpired(
  database: Database,
  level: AggregateLevel,
  retention: Retention,
  extraDays: number,
): Promise<ChunkRange[]> {
  const days = levelRetentionDays(level, retention);
  if (days === null) return Promise.resolve([]);
  return database.query<ChunkRange & Record<string, unknown>>(EXPIRED_SQL, [level.view, days + extraDays]);
}

async function dropExpired(context: JobContext, retention: Retention): Promise<JobOutcome> {
  const detail: Record<string, number> = {};
  for (const level of AGGREGATE_LEVELS) {
    for (const chunk of await findExpired(context.database, level, retention, 0)) {
      if (context.shouldYield()) return { detail, more: true };
      await context.slice(() => dropChunk(context.database, level.view, chunk));
      detail[level.name] = (detail[level.name] ?? 0) + 1;
    }
  }
  return { detail, more: false };
}

/** Drops exactly the chunk of this range, or nothing. */
async function dropChunk(database: Database, view: string, chunk: ChunkRange): Promise<void> {
  await database.transaction(async (session) => {
    const dropped = await session.query(
      'SELECT drop_chunks($1::regclass, older_than => $2::timestamptz, newer_than => $3::timestamptz)',
      [view, chunk.range_end, chunk.range_start],
    );
    if (dropped.length === 1) return;
    throw new OperationalError(
      'unexpected_chunks',
      `Dropping ${view} from ${chunk.range_start} to ${chunk.range_end} would have dropped ${dropped.length} chunks instead of 1, so ` +
        `nothing was dropped. Another program may be dropping chunks at the same time.`,
      { retryable: true },
    );
  });
}

async function findFault(database: Database, retention: Retention): Promise<string | null> {
  for (const level of AGGREGATE_LEVELS) {
    const expired = await findExpired(database, level, retention, FAULT_AFTER_DAYS);
    if (expired.length > 0) return `${expired.length} chunks of ${level.name} are past their retention`;
  }
  return null;
}
