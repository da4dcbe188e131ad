/** The regular refresh of the aggregates: each level over the window of its policy. */
import {
  aggregateLevel,
  readRefreshWindows,
  type AggregateLevel,
  type LevelName,
} from '../storage/aggregate-levels.js';
import type { Database } from '../storage/database.js';
import { readDroppedRanges, withoutDropped, type SecondsRange } from '../storage/dropped-ranges.js';
import { latestWatermarks } from '../storage/statistics.js';
import type { JobContext, JobDefinition, JobOutcome } from './job.js';
import { refreshRange } from './refresh-range.js';
import { SlicePace } from './slice-pace.js';

const HOUR = 3600;
const DAY = 86_400;

/** A slice of readings is up to six hours, and small at first; the levels above have a sixtieth of the rows. */
const PACES = {
  '1min': { leastSeconds: 600, mostSeconds: 6 * HOUR, firstSeconds: 1200 },
  '1hour': { leastSeconds: HOUR, mostSeconds: 2 * DAY, firstSeconds: 6 * HOUR },
  '1hour-p95': { leastSeconds: HOUR, mostSeconds: 6 * HOUR, firstSeconds: HOUR },
  daily: { leastSeconds: DAY, mostSeconds: 28 * DAY, firstSeconds: 7 * DAY },
} as const satisfies Record<LevelName, ConstructorParameters<typeof SlicePace>[0]>;

/** A pace for each level. Two jobs that refresh different ranges learn on their own. */
export function levelPaces(): Readonly<Record<LevelName, SlicePace>> {
  return {
    '1min': new SlicePace(PACES['1min']),
    '1hour': new SlicePace(PACES['1hour']),
    '1hour-p95': new SlicePace(PACES['1hour-p95']),
    daily: new SlicePace(PACES.daily),
  };
}

interface RefreshJob {
  readonly name: string;
  readonly description: string;
  readonly levels: readonly LevelName[];
  readonly intervalSeconds: number;
  readonly initialDelaySeconds: number;
  /** Lag that says something is wrong, beyond what is usual between two runs. */
  readonly faultAfterSeconds: number;
}

const REFRESH_JOBS: readonly RefreshJob[] = [
  {
    name: 'refresh-1min',
    description: 'stores the minutes of the last seven days that have new readings',
    levels: ['1min'],
    intervalSeconds: 30,
    initialDelaySeconds: 5,
    faultAfterSeconds: 600,
  },
  {
    name: 'refresh-1hour',
    description: 'stores closed hours and their percentiles',
    levels: ['1hour', '1hour-p95'],
    intervalSeconds: 600,
    initialDelaySeconds: 15,
    faultAfterSeconds: 2 * HOUR,
  },
  {
    name: 'refresh-daily',
    description: 'stores closed UTC days',
    levels: ['daily'],
    intervalSeconds: HOUR,
    initialDelaySeconds: 25,
    faultAfterSeconds: 6 * HOUR,
  },
];

export function refreshJobs(): JobDefinition[] {
  return REFRESH_JOBS.map((job) => {
    const paces = levelPaces();
    return {
      name: job.name,
      description: job.description,
      lane: 'aggregates',
      intervalSeconds: job.intervalSeconds,
      initialDelaySeconds: job.initialDelaySeconds,
      run: (context) => refreshWindows(context, job.levels, paces),
      findFault: (database) => findLag(database, job),
    };
  });
}

async function refreshWindows(
  context: JobContext,
  levels: readonly LevelName[],
  paces: Readonly<Record<LevelName, SlicePace>>,
): Promise<JobOutcome> {
  const windows = await readRefreshWindows(context.database);
  const detail: Record<string, string> = {};
  for (const name of levels) {
    const window = windows.get(name);
    if (window === undefined) throw new Error(`No refresh window for ${name}.`);
    const range = {
      fromSeconds: context.nowSeconds - window.startOffsetSeconds,
      toSeconds: context.nowSeconds - window.endOffsetSeconds,
    };
    const complete = await refreshUndropped(context, aggregateLevel(name), range, paces[name]);
    detail[name] = complete ? 'refreshed' : 'partly refreshed';
    if (!complete) return { detail, more: true };
  }
  return { detail, more: false };
}

/** No regular window reaches that far back, unless somebody has archived and dropped what is younger than that. */
async function refreshUndropped(
  context: JobContext,
  level: AggregateLevel,
  range: SecondsRange,
  pace: SlicePace,
): Promise<boolean> {
  // The bucket in which the window begins is refreshed as a whole.
  const fromSeconds = Math.floor(range.fromSeconds / level.bucketSeconds) * level.bucketSeconds;
  const whole = { fromSeconds, toSeconds: range.toSeconds };
  const dropped = await readDroppedRanges(context.database, whole);
  for (const each of withoutDropped(whole, dropped, level.bucketSeconds)) {
    if (!(await refreshRange(context, level, each, pace))) return false;
  }
  return true;
}

async function findLag(database: Database, job: RefreshJob): Promise<string | null> {
  const watermarks = await latestWatermarks(database);
  const behind = watermarks.find(
    ({ level, lagSeconds }) => job.levels.includes(level) && lagSeconds > job.faultAfterSeconds,
  );
  if (behind === undefined) return null;
  return `the level ${behind.level} is ${Math.round(behind.lagSeconds / 60)} minutes behind its readings`;
}
