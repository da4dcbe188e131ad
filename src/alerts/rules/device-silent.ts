/** A device without a reading for longer than it should be. Those that report by exception may be silent. */
import type { Config } from '../../config/schema.js';
import type { Database } from '../../storage/database.js';
import { sqlInstant } from '../../telemetry/sql-instant.js';
import type { AlertCondition, AlertRule } from '../alert.js';
import { ruleTimes } from './rule-times.js';

/**
 * What was silent for days before anybody looked is imported history, or a well that was given up: it is no news. What was told of
 * before goes on being the case, however long it lasts.
 */
const SILENT_SQL = `
  SELECT device_id, site, last_seen, extract(epoch FROM silence)::float8 AS silent_seconds, expected_interval_seconds::float8 AS interval_seconds,
    NOT (silence > make_interval(secs => greatest(expected_interval_seconds * $1::float8, $3::float8)) AND silence < make_interval(secs => $4::float8)) AS is_lingering
  FROM (
    SELECT device_id, site, last_seen, expected_interval_seconds, clock_timestamp() - last_seen AS silence
    FROM devices WHERE reporting_mode = 'periodic' AND last_seen IS NOT NULL
  ) seen
  WHERE silence > make_interval(secs => greatest(expected_interval_seconds * least($2::float8, $1::float8), $3::float8))`;

interface SilentDevice extends Record<string, unknown> {
  readonly device_id: string;
  readonly site: string | null;
  readonly last_seen: string;
  readonly silent_seconds: number;
  readonly interval_seconds: number;
  readonly is_lingering: boolean;
}

export function deviceSilentRule(database: Database, settings: Config['alerts']['deviceSilent']): AlertRule {
  const { intervals, resolveIntervals, leastMinutes, forgetDays } = settings;
  return {
    name: 'device_silent',
    ...ruleTimes(settings),
    groupBy: ['site'],
    async find() {
      const devices = await database.query<SilentDevice>(SILENT_SQL, [
        intervals,
        resolveIntervals,
        leastMinutes * 60,
        forgetDays * 86_400,
      ]);
      return devices.map(conditionOf);
    },
  };
}

function conditionOf(device: SilentDevice): AlertCondition {
  const { device_id: id, site, interval_seconds: seconds } = device;
  const since = sqlInstant(device.last_seen) ?? device.last_seen;
  return {
    labels: { device: id, site: site ?? '' },
    // Without the time that has passed, which is another one at every look.
    summary: `Device ${JSON.stringify(id)} has been silent since ${since}; it reports every ${Number(seconds.toPrecision(3))} s.`,
    detail: { lastSeen: since, expectedIntervalSeconds: seconds },
    isLingering: device.is_lingering,
  };
}
