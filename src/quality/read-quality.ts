/**
 * Data quality of any window, by fleet, site, device, hour or day, from the aggregates alone. It reads them and not the public views:
 * those have rounded means where exact sums are wanted, and join what is not asked for.
 */
import type { DeviceScope } from '../ingest/device-scope.js';
import type { Database, Row, SqlValue } from '../storage/database.js';
import { sqlInstant } from '../telemetry/sql-instant.js';
import { formatTimestamp, MICROS_PER_SECOND, sqlTimestamp } from '../telemetry/timestamp.js';
import { figuresOf, type QualityCounts } from './quality-figures.js';
import type { QualityGroup, QualityList, QualityRow, QualitySummary } from './quality-schemas.js';
import { planWindow, type PieceLevel, type TimeWindow, type WindowPiece, type WindowPlan } from './window-pieces.js';

export interface QualityQuestion {
  readonly window: TimeWindow;
  readonly nowUs: number;
  /** Days that the aggregates are kept: the section `retention` of the configuration. */
  readonly retention: { readonly minuteDays: number; readonly hourDays: number };
  readonly deviceId?: string | undefined;
  readonly site?: string | undefined;
  /** The part of the fleet that the caller may see; undefined: all. */
  readonly fleet?: DeviceScope | undefined;
}

export interface QualityListQuestion extends QualityQuestion {
  readonly by: QualityGroup;
  readonly limit: number;
  readonly offset: number;
}

const VIEWS: Readonly<Record<PieceLevel, string>> = {
  '1min': 'agg_1min_v1',
  '1hour': 'agg_1hour_v1',
  daily: 'agg_daily_v1',
};

interface Grouping {
  /** Of `p`, the pieces, and `d`, the devices. */
  readonly key: string;
  readonly order: string;
  readonly coarsest?: PieceLevel;
}

const WORST_FIRST = 'score_sum / nullif(scored, 0) NULLS LAST, anomalies::float8 / nullif(records, 0) DESC, key';
const GROUPINGS: Readonly<Record<QualityGroup, Grouping>> = {
  fleet: { key: 'NULL::text', order: 'key' },
  site: { key: 'd.site', order: WORST_FIRST },
  device: { key: 'p.device_id', order: WORST_FIRST },
  hour: { key: `date_bin('1 hour', p.bucket, '2000-01-01T00:00:00Z')::text`, order: 'key', coarsest: '1hour' },
  day: { key: `date_bin('1 day', p.bucket, '2000-01-01T00:00:00Z')::text`, order: 'key' },
};

/** One row for each of `by`, within limits. */
export async function readQualityList(database: Database, question: QualityListQuestion): Promise<QualityList> {
  const { by, limit, offset } = question;
  const plan = planOf(question, GROUPINGS[by].coarsest);
  const rows = await readGroups(database, plan, question);
  return {
    ...windowOf(plan),
    by,
    total: Number(rows[0]?.['total'] ?? 0),
    limit,
    offset,
    rows: rows.map((row) => rowOf(row, by, plan)),
  };
}

/** All devices that the question covers, together. */
export async function readQuality(database: Database, question: QualityQuestion): Promise<QualitySummary> {
  const plan = planOf(question);
  const [row] = await readGroups(database, plan, { ...question, by: 'fleet', limit: 1, offset: 0 });
  return { ...windowOf(plan), devices: Number(row?.['devices'] ?? 0), ...figuresOf(countsOf(row ?? {})) };
}

function planOf({ window, nowUs, retention }: QualityQuestion, coarsest?: PieceLevel): WindowPlan {
  return planWindow(window, { nowUs, ...retention, ...(coarsest === undefined ? {} : { coarsest }) });
}

const windowOf = ({ fromUs, toUs, pieces }: WindowPlan): Pick<QualityList, 'as_of' | 'from' | 'to' | 'sources'> => ({
  as_of: formatTimestamp(Date.now() * 1000),
  from: formatTimestamp(fromUs),
  to: formatTimestamp(toUs),
  sources: [...new Set(pieces.map(({ level }) => level))],
});

const COUNTS = ['n', 'anomaly_n', 'quality_n', 'assessed_n', 'complete_n', 'timely_n', 'coherent_n'] as const;

/** The pieces' rows under one another, narrowed to a device in each of them: there its key helps. */
function piecesSql(pieces: readonly WindowPiece[], deviceId: string | undefined, parameters: SqlValue[]): string {
  const place = (value: SqlValue): string => `$${parameters.push(value)}`;
  const device = deviceId === undefined ? '' : ` AND device_id = ${place(deviceId)}`;
  return pieces
    .map(({ level, fromUs, toUs }) => {
      const minutes = level === '1min' ? '1' : 'minutes_n';
      const range = `bucket >= ${place(sqlTimestamp(fromUs))}::timestamptz AND bucket < ${place(sqlTimestamp(toUs))}::timestamptz`;
      return `SELECT device_id, bucket, ${minutes}::int8 AS minutes_n, quality_sum, ${COUNTS.join(', ')} FROM ${VIEWS[level]} WHERE ${range}${device}`;
    })
    .join('\n    UNION ALL ');
}

async function readGroups(database: Database, plan: WindowPlan, question: QualityListQuestion): Promise<Row[]> {
  if (plan.pieces.length === 0) return [];
  const { by, site, fleet } = question;
  const { key, order } = GROUPINGS[by];
  const parameters: SqlValue[] = [];
  const pieces = piecesSql(plan.pieces, question.deviceId, parameters);
  const place = (value: SqlValue): string => `$${parameters.push(value)}`;
  const conditions: string[] = [];
  if (site !== undefined) conditions.push(`d.site = ${place(site)}`);
  if (fleet?.sites != null) conditions.push(`d.site = ANY(${place(fleet.sites)}::text[])`);
  if (fleet?.ids != null) {
    const prefixes = place(fleet.prefixes ?? []);
    conditions.push(
      `(p.device_id = ANY(${place(fleet.ids)}::text[]) OR EXISTS (SELECT FROM unnest(${prefixes}::text[]) AS prefix WHERE starts_with(p.device_id, prefix)))`,
    );
  }
  const ofDevice = by === 'device';
  return database.query(
    `SELECT g.*, (count(*) OVER ())::int AS total
     FROM (
       SELECT ${key} AS key, count(DISTINCT p.device_id)::int AS devices,
         ${ofDevice ? 'min(d.display_name)' : 'NULL'} AS display_name, ${ofDevice ? 'min(d.last_seen)' : 'NULL'} AS last_seen,
         ${ofDevice ? 'sum(p.minutes_n)::float8 * greatest(60, coalesce(min(d.expected_interval_seconds), 60))' : 'NULL::float8'} AS covered_seconds,
         sum(p.n)::float8 AS records, sum(p.anomaly_n)::float8 AS anomalies, sum(p.quality_n)::float8 AS scored,
         sum(p.quality_sum)::float8 AS score_sum, sum(p.assessed_n)::float8 AS assessed, sum(p.complete_n)::float8 AS complete,
         sum(p.timely_n)::float8 AS timely, sum(p.coherent_n)::float8 AS coherent
       FROM (${pieces}) p LEFT JOIN devices d ON d.device_id = p.device_id
       ${conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`}
       GROUP BY 1
     ) g ORDER BY ${order} LIMIT ${place(question.limit)} OFFSET ${place(question.offset)}`,
    parameters,
  );
}

function rowOf(row: Row, by: QualityGroup, { fromUs, toUs }: WindowPlan): QualityRow {
  const covered = row['covered_seconds'];
  const windowSeconds = (toUs - fromUs) / MICROS_PER_SECOND;
  return {
    key: by === 'hour' || by === 'day' ? sqlInstant(row['key']) : ((row['key'] as string | null) ?? null),
    display_name: (row['display_name'] as string | null) ?? null,
    last_seen: sqlInstant(row['last_seen']),
    devices: Number(row['devices']),
    coverage: typeof covered === 'number' ? Number(Math.min(1, covered / windowSeconds).toFixed(6)) : null,
    ...figuresOf(countsOf(row)),
  };
}

function countsOf(row: Row): QualityCounts {
  const count = (name: keyof QualityCounts): number => Number(row[name] ?? 0);
  return {
    records: count('records'),
    anomalies: count('anomalies'),
    scored: count('scored'),
    score_sum: count('score_sum'),
    assessed: count('assessed'),
    complete: count('complete'),
    timely: count('timely'),
    coherent: count('coherent'),
  };
}
