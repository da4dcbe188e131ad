/**
 * The fleet: one row a device with its last values. Reads `devices` and `device_latest`, and of the telemetry only
 * those newest rows of which `device_latest` does not know what they say, through the key.
 */
import { anomalyCauseName } from '../telemetry/anomaly-cause.js';
import { CHANNEL_NAMES } from '../telemetry/channels.js';
import { operatingStateName } from '../telemetry/operating-state.js';
import { formatTimestamp } from '../telemetry/timestamp.js';
import type { Database, Row } from '../storage/database.js';
import type { DeviceScope } from '../ingest/device-scope.js';
import type { Device } from './api-schemas.js';
import { toRfc3339 } from './timestamps.js';

export interface DevicePage {
  readonly total: number;
  readonly devices: Device[];
}

interface DeviceRow extends Row {
  device_id: string;
  display_name: string | null;
  site: string | null;
  field: string | null;
  expected_interval_seconds: number | null;
  first_seen: string | null;
  last_seen: string | null;
  quality_score: number | null;
  is_anomaly: boolean | null;
  anomaly_cause: number | null;
  operating_state: number | null;
  /** By catalogue position. */
  values: (number | null)[];
  times: (string | null)[];
  total: number;
}

const SEARCHED = `lower(concat_ws(' ', d.device_id, d.display_name, d.site, d.field))`;

/** Wells seen within so many days are looked up in the newest chunks only. */
const RECENT_DAYS = 2;

/** Nearly always the newest row is the one that `device_latest` was told of; if not, the row is looked up. */
const NEWEST_IS_KNOWN = 'l.newest_at = page.last_seen AND l.operating_state IS NOT NULL';

const lastRow = (condition: string): string => `
  (SELECT t.data_quality_score AS quality_score, t.is_anomaly, t.anomaly_cause, t.operating_state
   FROM telemetry t
   WHERE t.device_id = page.device_id AND t."timestamp" = page.last_seen AND ${condition}
   LIMIT 1)`;

// The lateral part runs per device of the page, so that the cost follows the page and never the fleet or the history.
// The bound on the time of recent wells lets the planner leave out all old chunks once, instead of once per well.
// Values and times come as two arrays: thirty columns a device take four times as long to get here.
const selectDevices = (page: string, recent: string): string => `
  WITH page AS (${page})
  SELECT page.*, newest.*,
    ARRAY[${CHANNEL_NAMES.map((name) => `l.${name}`).join(', ')}] AS values,
    ARRAY[${CHANNEL_NAMES.map((name) => `l.${name}_at`).join(', ')}] AS times
  FROM page
  LEFT JOIN device_latest l ON l.device_id = page.device_id
  LEFT JOIN LATERAL (
    SELECT l.quality_score, l.is_anomaly, l.anomaly_cause, l.operating_state WHERE ${NEWEST_IS_KNOWN}
    UNION ALL
    ${lastRow(`t."timestamp" >= ${recent}::timestamptz AND (${NEWEST_IS_KNOWN}) IS NOT TRUE`)}
    UNION ALL
    ${lastRow(`page.last_seen < ${recent}::timestamptz AND (${NEWEST_IS_KNOWN}) IS NOT TRUE`)}
  ) newest ON true
  ORDER BY page.device_id`;

const recentFrom = (): string => formatTimestamp((Date.now() - RECENT_DAYS * 86_400_000) * 1000);

const DEVICE_COLUMNS = `d.device_id, d.display_name, d.site, d.field, d.expected_interval_seconds, d.first_seen,
  d.last_seen`;

/** What the search and the restrictions of the caller's key leave; NULL restricts nothing. Same as DeviceScope. */
const SHOWN = `
  ($1 = '' OR strpos(${SEARCHED}, $1) > 0)
  AND ($2::text[] IS NULL OR d.site = ANY($2::text[]))
  AND ($3::text[] IS NULL OR d.device_id = ANY($3::text[])
    OR EXISTS (SELECT FROM unnest($4::text[]) AS prefix WHERE starts_with(d.device_id, prefix)))`;

const PAGE_SQL = selectDevices(
  `
  SELECT ${DEVICE_COLUMNS}, (count(*) OVER ())::int AS total
  FROM devices d
  WHERE ${SHOWN}
  ORDER BY d.device_id
  LIMIT $5 OFFSET $6`,
  '$7',
);

const ONE_SQL = selectDevices(`SELECT ${DEVICE_COLUMNS}, 1 AS total FROM devices d WHERE d.device_id = $1`, '$2');

const TOTAL_SQL = `SELECT count(*)::int AS total FROM devices d WHERE ${SHOWN}`;

/**
 * A page of the fleet in the order of device ids.
 * @param fleet the part of it that the caller may see; undefined: all
 * @param search part of id, name, site or field; '' = all
 */
export async function readDevicePage(
  database: Database,
  fleet: DeviceScope | undefined,
  search: string,
  limit: number,
  offset: number,
): Promise<DevicePage> {
  const shown = [search.toLowerCase(), fleet?.sites ?? null, fleet?.ids ?? null, fleet?.prefixes ?? null];
  const rows = await database.query<DeviceRow>(PAGE_SQL, [...shown, limit, offset, recentFrom()]);
  const first = rows[0];
  if (first !== undefined) return { total: first.total, devices: rows.map(deviceOf) };
  const [counted] = await database.query<{ total: number }>(TOTAL_SQL, shown);
  return { total: counted?.total ?? 0, devices: [] };
}

/** One device, or undefined when there is none of this id. */
export async function readDevice(database: Database, deviceId: string): Promise<Device | undefined> {
  const [row] = await database.query<DeviceRow>(ONE_SQL, [deviceId, recentFrom()]);
  return row === undefined ? undefined : deviceOf(row);
}

function deviceOf(row: DeviceRow): Device {
  return {
    device_id: row.device_id,
    display_name: row.display_name,
    site: row.site,
    field: row.field,
    expected_interval_seconds: row.expected_interval_seconds,
    first_seen: toRfc3339(row.first_seen),
    last_seen: toRfc3339(row.last_seen),
    operating_state: operatingStateName(row.operating_state),
    quality_score: row.quality_score,
    is_anomaly: row.is_anomaly,
    anomaly_cause: anomalyCauseName(row.anomaly_cause),
    values: lastValues(row),
  };
}

function lastValues({ values, times }: DeviceRow): Device['values'] {
  const known: Device['values'] = {};
  for (const [index, name] of CHANNEL_NAMES.entries()) {
    const value = values[index];
    const timestamp = toRfc3339(times[index]);
    if (typeof value === 'number' && timestamp !== null) known[name] = { value, timestamp };
  }
  return known;
}
