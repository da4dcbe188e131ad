/** When a device was silent for longer than it should be: gaps between its readings, and at the ends of the range. */
import type { Database } from '../storage/database.js';
import { formatTimestamp, MICROS_PER_DAY, MICROS_PER_SECOND, sqlTimestamp } from '../telemetry/timestamp.js';
import type { Gaps } from './quality-schemas.js';
import type { TimeWindow } from './window-pieces.js';

export interface GapsQuestion {
  readonly deviceId: string;
  readonly window: TimeWindow;
  readonly nowUs: number;
  readonly retention: { readonly rawDays: number; readonly minuteDays: number; readonly hourDays: number };
  /** The longest ones are told. */
  readonly limit: number;
}

/** Silence of so many expected intervals is a gap; two missed readings in a row may be chance. */
const GAP_INTERVALS = 3;
/** Readings that are looked at one by one; beyond, the minutes with data are. */
const MAX_READINGS = 200_000;

interface Source {
  readonly name: string;
  readonly table: string;
  readonly time: string;
  /** Width of a bucket; 0: the readings themselves. */
  readonly seconds: number;
}

const READINGS: Source = { name: 'raw', table: 'telemetry', time: '"timestamp"', seconds: 0 };
const MINUTES: Source = { name: '1min', table: 'agg_1min_v1', time: 'bucket', seconds: 60 };
const HOURS: Source = { name: '1hour', table: 'agg_1hour_v1', time: 'bucket', seconds: 3600 };

interface DeviceRow extends Record<string, unknown> {
  readonly interval: number;
  readonly reporting_mode: string;
  readonly first_us: number | null;
}

/** Undefined: there is no such device. */
export async function readGaps(database: Database, question: GapsQuestion): Promise<Gaps | undefined> {
  const [device] = await database.query<DeviceRow>(
    `SELECT expected_interval_seconds::float8 AS interval, reporting_mode,
       (extract(epoch FROM first_seen) * 1000000)::float8 AS first_us FROM devices WHERE device_id = $1`,
    [question.deviceId],
  );
  if (device === undefined) return undefined;
  const fromUs = Math.max(question.window.fromUs, device.first_us ?? question.window.fromUs);
  const toUs = Math.min(question.window.toUs, question.nowUs);
  const source = sourceOf({ fromUs, toUs }, device.interval, question);
  const isJudged = device.reporting_mode === 'periodic';
  const threshold = Math.max(GAP_INTERVALS * device.interval, source.seconds);
  const found =
    isJudged && fromUs < toUs ? await findGaps(database, question, source, threshold, { fromUs, toUs }) : [];
  return {
    as_of: formatTimestamp(Date.now() * 1000),
    device_id: question.deviceId,
    from: formatTimestamp(fromUs),
    to: formatTimestamp(Math.max(fromUs, toUs)),
    source: source.name,
    expected_interval_seconds: device.interval,
    threshold_seconds: isJudged ? threshold : null,
    total: found[0]?.total ?? 0,
    gap_seconds: found[0]?.sum ?? 0,
    gaps: found
      .sort((one, other) => one.from_us - other.from_us)
      .map(({ from_us, to_us }) => {
        const seconds = (to_us - from_us) / MICROS_PER_SECOND;
        return {
          from: formatTimestamp(from_us),
          to: formatTimestamp(to_us),
          seconds,
          missing_records: Math.max(1, Math.round(seconds / device.interval) - 1),
        };
      }),
  };
}

function sourceOf({ fromUs, toUs }: TimeWindow, interval: number, { nowUs, retention }: GapsQuestion): Source {
  const ageDays = (nowUs - fromUs) / MICROS_PER_DAY;
  const readings = (toUs - fromUs) / MICROS_PER_SECOND / interval;
  if (ageDays < retention.rawDays && readings <= MAX_READINGS) return READINGS;
  return ageDays < retention.minuteDays - 1 ? MINUTES : HOURS;
}

interface GapRow extends Record<string, unknown> {
  readonly from_us: number;
  readonly to_us: number;
  readonly total: number;
  readonly sum: number;
}

/** The ends of the range stand for readings: who is silent from the beginning, or until now, is silent all the same. */
function findGaps(
  database: Database,
  { deviceId, limit }: GapsQuestion,
  { table, time, seconds }: Source,
  threshold: number,
  { fromUs, toUs }: TimeWindow,
): Promise<GapRow[]> {
  return database.query<GapRow>(
    `SELECT (extract(epoch FROM before) * 1000000)::float8 AS from_us, (extract(epoch FROM at) * 1000000)::float8 AS to_us,
       (count(*) OVER ())::int AS total, (sum(extract(epoch FROM at - before)) OVER ())::float8 AS sum
     FROM (
       SELECT at, lag(until) OVER (ORDER BY at, until) AS before
       FROM (
         SELECT ${time} AS at, ${time} + make_interval(secs => $4) AS until FROM ${table}
         WHERE device_id = $1 AND ${time} >= $2::timestamptz AND ${time} < $3::timestamptz
         UNION ALL SELECT $2::timestamptz, $2::timestamptz UNION ALL SELECT $3::timestamptz, $3::timestamptz
       ) marks
     ) spans
     WHERE before IS NOT NULL AND at - before > make_interval(secs => $5)
     ORDER BY at - before DESC, at LIMIT $6`,
    [deviceId, sqlTimestamp(fromUs), sqlTimestamp(toUs), seconds, threshold, limit],
  );
}
