/**
 * Which level answers a range: the finest whose rows are few enough to read at once, and another one where that has
 * no data there (old imports whose aggregates were not made yet; old ranges whose readings have been dropped).
 */
import type { ChannelName } from '../telemetry/channels.js';
import { MICROS_PER_SECOND } from '../telemetry/timestamp.js';
import type { Database } from '../storage/database.js';
import type { SeriesSource } from './api-schemas.js';
import type { LevelCatalogue, SeriesLevel } from './series-levels.js';
import { countRows, firstTime, readSeries, type SeriesPoints, type SeriesRange } from './series-query.js';

/**
 * Rows that may be read for each point that is answered. 20: on a chart of 1 000 pixels, with a point for two of
 * them, a week is drawn from its 10 080 one-minute rows, which costs some ten milliseconds, and with its peaks.
 */
const ROWS_PER_POINT = 20;
/** Most rows that are read where only a finer level than the right one has data; the newest ones. */
const FALLBACK_ROWS = 100_000;

export interface SeriesAnswer extends SeriesPoints {
  readonly source: SeriesSource;
}

interface Attempt {
  readonly level: SeriesLevel;
  readonly rows: number | undefined;
  readonly maxRows: number;
}

/** The series of a range, from the level that suits it best. */
export async function answerSeries(
  database: Database,
  levels: LevelCatalogue,
  range: SeriesRange,
  channels: readonly ChannelName[],
  points: number,
): Promise<SeriesAnswer> {
  const ordered = [...levels.values()];
  const right = await rightLevel(database, ordered, range, points);
  const read = async ({ level, rows, maxRows }: Attempt): Promise<SeriesAnswer> => ({
    source: level.source,
    ...(await readSeries(database, level, range, { channels, points, rows, maxRows })),
  });

  const answer = await read(right);
  const at = ordered.indexOf(right.level);
  const coarser = ordered.slice(at + 1);
  const better = await reachesFurtherBack(database, right.level, coarser, range, answer.timestamps[0]);
  if (better !== undefined) return read({ level: better, rows: undefined, maxRows: FALLBACK_ROWS });
  if (answer.timestamps.length > 0) return answer;

  for (const finer of ordered.slice(0, at).reverse()) {
    const found = await read({ level: finer, rows: undefined, maxRows: FALLBACK_ROWS });
    if (found.timestamps.length > 0) return found;
  }
  return answer;
}

async function rightLevel(
  database: Database,
  ordered: readonly SeriesLevel[],
  range: SeriesRange,
  points: number,
): Promise<Attempt> {
  const rangeSeconds = (range.toUs - range.fromUs) / MICROS_PER_SECOND;
  const budget = points * ROWS_PER_POINT;
  for (const level of ordered) {
    if (level.bucketSeconds !== null) {
      if (rangeSeconds / level.bucketSeconds <= budget) return { level, rows: undefined, maxRows: budget + 2 };
      continue;
    }
    // Readings are only better than one-minute means where those would be few enough too; sparse devices gain nothing.
    if (ordered.length > 1 && rangeSeconds / 60 > budget) continue;
    const rows = await countRows(database, level, range, budget);
    if (rows <= budget) return { level, rows, maxRows: budget + 1 };
  }
  const coarsest = ordered.at(-1);
  if (coarsest === undefined) throw new Error('the database has no table telemetry: it was not migrated');
  return { level: coarsest, rows: undefined, maxRows: FALLBACK_ROWS };
}

/**
 * The finest coarser level whose data begins more than one of its buckets before the answer's does, where the finer
 * data of that time has been dropped. Asked only where the answer leaves the beginning of the range empty. A bucket
 * that sticks out of the range may be made of what lies outside: where that is still there, nothing was dropped.
 */
async function reachesFurtherBack(
  database: Database,
  answered: SeriesLevel,
  coarser: readonly SeriesLevel[],
  range: SeriesRange,
  answerFrom: number | undefined,
): Promise<SeriesLevel | undefined> {
  const rangeFrom = range.fromUs / MICROS_PER_SECOND;
  for (const level of coarser) {
    const bucketSeconds = level.bucketSeconds ?? 0;
    if (answerFrom !== undefined && answerFrom - rangeFrom <= bucketSeconds) return undefined;
    const first = await firstTime(database, level, range);
    if (first === undefined) continue;
    if (answerFrom !== undefined && first >= answerFrom - bucketSeconds) continue;
    const fromUs = first * MICROS_PER_SECOND;
    const bucket = { deviceId: range.deviceId, fromUs, toUs: fromUs + bucketSeconds * MICROS_PER_SECOND - 1 };
    if ((await firstTime(database, answered, bucket)) === undefined) return level;
  }
  return undefined;
}
