/**
 * Learns how often each device reports: the median of the times between its last readings. Gaps, uptime, coverage and volumes are
 * judged by the expected interval, and nobody types it for a thousand wells.
 */
import type { Database } from '../storage/database.js';
import type { JobContext, JobDefinition, JobOutcome } from './job.js';

/** Readings that are looked at: enough that some gaps and bursts do not move the median. */
const READINGS = 500;
/** Fewer say too little. */
const FEWEST_READINGS = 20;
/** Of a device that reports every half hour these are a hundred readings. */
const DAYS = 2;
const DEVICES_A_SLICE = 200;
/** An interval that differs by less is the same one: jitter must not move every figure that is derived from it. */
const CHANGE_SHARE = 0.05;
const DEFAULT_INTERVAL_SECONDS = 60;

/**
 * The newest readings of a device lie at the end of its key. Readings of one instant (gauge and drive) are merged into one row; those
 * a moment apart are two, and the times between them alternate: the 60th percentile lies on the longer side then, as it should.
 */
const LEARN_SQL = `
  WITH page AS (
    SELECT device_id, last_seen FROM devices
    WHERE device_id > $1 AND reporting_mode = 'periodic' AND last_seen > now() - make_interval(days => ${DAYS})
    ORDER BY device_id LIMIT ${DEVICES_A_SLICE}
  ), seen AS (
    SELECT page.device_id, gaps.readings, gaps.seconds
    FROM page CROSS JOIN LATERAL (
      SELECT count(*) AS readings, percentile_cont(0.6) WITHIN GROUP (ORDER BY gap) AS seconds
      FROM (
        SELECT extract(epoch FROM "timestamp" - lag("timestamp") OVER (ORDER BY "timestamp"))::float8 AS gap
        FROM (
          SELECT t."timestamp" FROM telemetry t
          WHERE t.device_id = page.device_id AND t."timestamp" > page.last_seen - make_interval(days => ${DAYS})
            AND t."timestamp" <= page.last_seen
          ORDER BY t."timestamp" DESC LIMIT ${READINGS}
        ) newest
      ) between_them WHERE gap IS NOT NULL
    ) gaps
  ), learned AS (
    UPDATE devices d SET
      learned_interval_seconds = round(seen.seconds::numeric, 3),
      expected_interval_seconds = CASE
        WHEN d.expected_interval_seconds IN (${DEFAULT_INTERVAL_SECONDS}, d.learned_interval_seconds) THEN round(seen.seconds::numeric, 3)
        ELSE d.expected_interval_seconds END
    FROM seen
    WHERE d.device_id = seen.device_id AND seen.readings >= ${FEWEST_READINGS} AND seen.seconds >= 0.001
      AND abs(seen.seconds / coalesce(d.learned_interval_seconds, 1e9) - 1) > ${CHANGE_SHARE}
    RETURNING 1
  )
  SELECT (SELECT count(*) FROM page)::int AS devices, (SELECT max(device_id) FROM page) AS last, (SELECT count(*) FROM learned)::int AS learned`;

interface Slice extends Record<string, unknown> {
  readonly devices: number;
  readonly last: string | null;
  readonly learned: number;
}

export function learnIntervalsJob(): JobDefinition {
  /** Where the next run goes on; the fleet may be too large for one. */
  let after = '';
  return {
    name: 'learn-intervals',
    description: 'learns how often each device reports, where nobody has said so',
    lane: 'housekeeping',
    intervalSeconds: 3600,
    initialDelaySeconds: 90,
    async run({ database, slice, shouldYield }: JobContext): Promise<JobOutcome> {
      let devices = 0;
      let learned = 0;
      for (;;) {
        const found = await slice(() => learnFrom(database, after));
        devices += found.devices;
        learned += found.learned;
        after = found.devices < DEVICES_A_SLICE ? '' : (found.last ?? '');
        if (after === '') return { detail: { devices, learned }, more: false };
        if (shouldYield()) return { detail: { devices, learned }, more: true };
      }
    },
    findFault: () => Promise.resolve(null),
  };
}

async function learnFrom(database: Database, after: string): Promise<Slice> {
  const [found] = await database.query<Slice>(LEARN_SQL, [after]);
  return found as Slice;
}
