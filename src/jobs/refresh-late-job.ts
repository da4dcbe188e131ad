/**
 * Refreshes the aggregates of days that got rows after the regular refresh had passed them by: imports, gateways that
 * were cut off for weeks. The writer notes such days in `late_days` in the transaction of the rows.
 */
import {
  AGGREGATE_LEVELS,
  DEFAULT_RETENTION,
  levelRetentionDays,
  type LevelName,
  type Retention,
} from '../storage/aggregate-levels.js';
import type { Database } from '../storage/database.js';
import { readDroppedRanges, withoutDropped, type SecondsRange } from '../storage/dropped-ranges.js';
import type { JobContext, JobDefinition, JobOutcome } from './job.js';
import { levelPaces } from './refresh-jobs.js';
import { refreshRange } from './refresh-range.js';

const DAY = 86_400;

/** Days worked on in one run at most; it comes again at once when there are more. */
const MAX_DAYS = 100;

/** A day noted that long ago should have been refreshed, whatever the backlog. */
const FAULT_AFTER_HOURS = 6;

/**
 * From this age on the retention of the one-minute level may have taken parts of the day (a day of margin included).
 * Only what has changed would then be computed, and the hour above replaced by the one minute that came in late: so
 * the whole day is computed anew from the readings.
 */
const forceAfterDays = (retention: Retention): number =>
  Math.min(...AGGREGATE_LEVELS.map((level) => levelRetentionDays(level, retention) ?? Infinity)) - 2;

interface LateDay {
  readonly day: string;
  /** Epoch seconds of its beginning. */
  readonly start: number;
  /** As the database writes it: compared, never parsed. */
  readonly noted_at: string;
}

/**
 * How far the day in hand has come. A day of a large fleet takes many runs, and to compute it anew is never for
 * nothing: begun from its start in every run, it would never end, and the days behind it would wait for ever.
 */
interface DayProgress {
  readonly day: LateDay;
  /** By level: epoch seconds up to which it is done. */
  readonly reached: Map<LevelName, number>;
}

const LATE_DAYS_SQL = `
  SELECT day::text AS day, extract(epoch FROM day::timestamp)::float8 AS start, noted_at::text AS noted_at
  FROM late_days ORDER BY day LIMIT ${MAX_DAYS}`;

export function refreshLateJob(retention: Retention = DEFAULT_RETENTION): JobDefinition {
  const forceAfterSeconds = forceAfterDays(retention) * DAY;
  const paces = levelPaces();
  let progress: DayProgress | undefined;
  /** Of the same note only: one that has moved stands for rows that came in since, anywhere in the day. */
  const progressOf = (day: LateDay): DayProgress => {
    if (progress?.day.day !== day.day || progress.day.noted_at !== day.noted_at) progress = { day, reached: new Map() };
    return progress;
  };
  return {
    name: 'refresh-late',
    description: 'refreshes all levels over the days that got readings late',
    lane: 'aggregates',
    intervalSeconds: 30,
    initialDelaySeconds: 10,
    run: (context) => refreshLateDays(context, paces, progressOf, context.nowSeconds - forceAfterSeconds),
    findFault: findOverdue,
  };
}

async function refreshLateDays(
  context: JobContext,
  paces: ReturnType<typeof levelPaces>,
  progressOf: (day: LateDay) => DayProgress,
  forceBeforeSeconds: number,
): Promise<JobOutcome> {
  const { database } = context;
  const days = await database.query<LateDay & Record<string, unknown>>(LATE_DAYS_SQL);
  let refreshed = 0;
  let rowsAfterDrop = 0;
  for (const day of days) {
    const dropped = await readDroppedRanges(database, { fromSeconds: day.start, toSeconds: day.start + DAY });
    if (!(await refreshDay(context, progressOf(day), { dropped, forceBeforeSeconds }, paces))) {
      return { detail: { days: refreshed, ...told(rowsAfterDrop), waiting: days.length - refreshed }, more: true };
    }
    rowsAfterDrop += await tellAfterDrop(context, day, dropped);
    // Only the note that was there before: a writer that moved it forward meanwhile may have added rows since.
    await database.execute('DELETE FROM late_days WHERE day = $1::date AND noted_at = $2::timestamptz', [
      day.day,
      day.noted_at,
    ]);
    refreshed++;
  }
  return { detail: { days: refreshed, ...told(rowsAfterDrop) }, more: days.length === MAX_DAYS };
}

/** In the run log where there is something to tell. */
const told = (rowsAfterDrop: number): { rowsAfterDrop?: number } => (rowsAfterDrop === 0 ? {} : { rowsAfterDrop });

/** All levels of one UTC day, from the readings up, each from where it has come to; never where readings were dropped. */
async function refreshDay(
  context: JobContext,
  { day: { start }, reached }: DayProgress,
  { dropped, forceBeforeSeconds }: { readonly dropped: readonly SecondsRange[]; readonly forceBeforeSeconds: number },
  paces: ReturnType<typeof levelPaces>,
): Promise<boolean> {
  const force = start < forceBeforeSeconds;
  const toSeconds = start + DAY;
  for (const level of AGGREGATE_LEVELS) {
    for (const left of withoutDropped({ fromSeconds: start, toSeconds }, dropped, level.bucketSeconds)) {
      const fromSeconds = Math.max(left.fromSeconds, reached.get(level.name) ?? start);
      if (fromSeconds >= left.toSeconds) continue;
      const advanced = (seconds: number): void => void reached.set(level.name, seconds);
      const range = { fromSeconds, toSeconds: left.toSeconds, force, advanced };
      if (!(await refreshRange(context, level, range, paces[level.name]))) return false;
    }
  }
  return true;
}

const ROWS_SQL = `
  SELECT count(*)::int AS rows FROM telemetry
  WHERE "timestamp" >= to_timestamp($1) AND "timestamp" < to_timestamp($2)`;

/** Rows of the day that no aggregate will have. They are archived like any other. @returns how many there are */
async function tellAfterDrop(
  { database, events }: JobContext,
  { day, start }: LateDay,
  dropped: readonly SecondsRange[],
): Promise<number> {
  let rows = 0;
  for (const { fromSeconds, toSeconds } of dropped) {
    const within = [Math.max(fromSeconds, start), Math.min(toSeconds, start + DAY)];
    rows += (await database.query<{ rows: number }>(ROWS_SQL, within))[0]?.rows ?? 0;
  }
  if (rows > 0) events.emit('late_rows_after_drop', { day, rows });
  return rows;
}

async function findOverdue(database: Database): Promise<string | null> {
  const [row] = await database.query<{ overdue: number }>(
    'SELECT count(*)::int AS overdue FROM late_days WHERE noted_at < now() - make_interval(hours => $1)',
    [FAULT_AFTER_HOURS],
  );
  const overdue = row?.overdue ?? 0;
  return overdue === 0 ? null : `${overdue} days with late readings have waited for over ${FAULT_AFTER_HOURS} hours`;
}
