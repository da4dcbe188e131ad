/**
 * Data quality over the last hours, from the aggregates. Dimensions are shares: complete, timely and coherent records
 * of those that were assessed (history taken over from elsewhere carries no flags and counts for none of them).
 */
import type { Database, Row } from '../storage/database.js';
import type { DeviceQuality, QualitySummary } from './api-schemas.js';
import { toRfc3339 } from './timestamps.js';

type Figures = Pick<
  QualitySummary,
  'records' | 'anomalies' | 'avg_quality' | 'completeness' | 'validity' | 'consistency' | 'timeliness' | 'overall'
>;

/** Beyond this many hours the hourly level answers: it has a sixtieth of the rows. */
const ONE_MINUTE_LEVEL_HOURS = 2;
/** Weights of the overall figure; requirements.md, Q1. */
const WEIGHTS = { completeness: 0.3, validity: 0.3, consistency: 0.25, timeliness: 0.15 } as const;

export type QualityLevel = '1min' | '1hour';

export function qualityLevel(hours: number): QualityLevel {
  return hours <= ONE_MINUTE_LEVEL_HOURS ? '1min' : '1hour';
}

const TABLES = { '1min': 'telemetry_1min', '1hour': 'telemetry_1hour' } as const;

const windowSql = (level: QualityLevel): string => `
  SELECT device_id,
    sum(sample_count)::float8 AS records, sum(anomaly_count)::float8 AS anomalies,
    sum(avg_quality * sample_count) / nullif(sum(sample_count) FILTER (WHERE avg_quality IS NOT NULL), 0) AS quality,
    sum(assessed_count)::float8 AS assessed, sum(complete_count)::float8 AS complete, sum(timely_count)::float8 AS timely
  FROM ${TABLES[level]}
  WHERE bucket > now() - make_interval(hours => $1) AND bucket <= now()
  GROUP BY device_id`;

/** All devices together. */
export async function readQuality(database: Database, hours: number): Promise<Figures & { devices: number }> {
  const [row] = await database.query(
    `SELECT count(*)::int AS devices, sum(records) AS records, sum(anomalies) AS anomalies,
       sum(quality * records) / nullif(sum(records) FILTER (WHERE quality IS NOT NULL), 0) AS quality,
       sum(assessed) AS assessed, sum(complete) AS complete, sum(timely) AS timely
     FROM (${windowSql(qualityLevel(hours))}) per_device`,
    [hours],
  );
  return { devices: Number(row?.['devices'] ?? 0), ...figuresOf(row ?? {}) };
}

/** Each device with records in the window, worst mean score first, then most anomalies. */
export async function readDeviceQuality(
  database: Database,
  hours: number,
  limit: number,
  offset: number,
): Promise<{ total: number; devices: DeviceQuality[] }> {
  const rows = await database.query(
    `SELECT w.*, d.display_name, d.last_seen, (count(*) OVER ())::int AS total
     FROM (${windowSql(qualityLevel(hours))}) w LEFT JOIN devices d ON d.device_id = w.device_id
     ORDER BY w.quality NULLS LAST, w.anomalies / nullif(w.records, 0) DESC, w.device_id
     LIMIT $2 OFFSET $3`,
    [hours, limit, offset],
  );
  const devices = rows.map((row) => ({
    device_id: row['device_id'] as string,
    display_name: (row['display_name'] as string | null) ?? null,
    last_seen: toRfc3339(row['last_seen']),
    ...figuresOf(row),
  }));
  return { total: Number(rows[0]?.['total'] ?? 0), devices };
}

function figuresOf(row: Row): Figures {
  const count = (name: string): number => Number(row[name] ?? 0);
  const share = (part: number, whole: number): number | null => (whole === 0 ? null : rounded(part / whole));
  const quality = typeof row['quality'] === 'number' ? rounded(row['quality']) : null;
  const dimensions = {
    completeness: share(count('complete'), count('assessed')),
    validity: quality,
    consistency: share(count('records') - count('anomalies'), count('records')),
    timeliness: share(count('timely'), count('assessed')),
  };
  return {
    records: count('records'),
    anomalies: count('anomalies'),
    avg_quality: quality,
    ...dimensions,
    overall: overallOf(dimensions),
  };
}

function overallOf(dimensions: Readonly<Record<keyof typeof WEIGHTS, number | null>>): number | null {
  let sum = 0;
  for (const name of Object.keys(WEIGHTS) as (keyof typeof WEIGHTS)[]) {
    const value = dimensions[name];
    if (value === null) return null;
    sum += value * WEIGHTS[name];
  }
  return rounded(sum);
}

/** Shares to a hundredth of a per cent would hide one bad record in a million: six digits do not. */
function rounded(value: number): number {
  return Number(value.toFixed(6));
}
