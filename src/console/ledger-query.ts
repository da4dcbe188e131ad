/** What the loss ledger says about a range of time. */
import type { DeviceScope } from '../ingest/device-scope.js';
import type { Database, Row } from '../storage/database.js';
import { ledgerDaysBeforeUs } from '../storage/ledger-days.js';
import { formatTimestamp, MICROS_PER_SECOND, sqlTimestamp } from '../telemetry/timestamp.js';
import type { Ledger, LedgerGroup } from './ledger-schemas.js';
import { nowRfc3339, toRfc3339 } from './timestamps.js';

export interface LedgerQuestion {
  readonly by: LedgerGroup;
  /** undefined: all, also what no device could be found for; '' is the latter alone. */
  readonly deviceId: string | undefined;
  readonly site: string | undefined;
  /** Epoch microseconds, whole hours. */
  readonly sinceUs: number;
  readonly untilUs: number;
  readonly limit: number;
  /** The part of the fleet that the caller may see; undefined: all. */
  readonly fleet?: DeviceScope | undefined;
}

const MICROS_PER_HOUR = 3600 * MICROS_PER_SECOND;
const MICROS_PER_DAY = 24 * MICROS_PER_HOUR;
const DEFAULT_HOURS = 24;

/**
 * The whole hours that cover a range, for the ledger knows no smaller ones; where they are rolled up, the whole days.
 * @param sinceUs default a day before the end
 * @param untilUs default now
 */
export function ledgerHours(
  sinceUs: number | undefined,
  untilUs: number | undefined,
  nowUs: number,
): Pick<LedgerQuestion, 'sinceUs' | 'untilUs'> {
  const daysBeforeUs = ledgerDaysBeforeUs(nowUs);
  const unitOf = (micros: number): number => (micros < daysBeforeUs ? MICROS_PER_DAY : MICROS_PER_HOUR);
  const end = untilUs ?? nowUs;
  const until = Math.ceil(end / unitOf(end)) * unitOf(end);
  const since = sinceUs === undefined ? until - DEFAULT_HOURS * MICROS_PER_HOUR : sinceUs;
  return { sinceUs: Math.floor(since / unitOf(since)) * unitOf(since), untilUs: until };
}

const COUNTS = ['received', 'stored', 'merged', 'duplicate', 'dead_lettered', 'rejected'] as const;

const KEYS: Readonly<Record<LedgerGroup, { readonly sql: string; readonly order: string }>> = {
  device: { sql: 'l.device_id', order: 'sum(l.dead_lettered + l.rejected) DESC, key' },
  hour: { sql: 'l.hour', order: 'key' },
  day: { sql: `date_trunc('day', l.hour)`, order: 'key' },
};

/** $1 … $7: range, device, site, and the restrictions of the caller's key; NULL restricts nothing. Same as DeviceScope. */
const CHOSEN = `
  l.hour >= $1::timestamptz AND l.hour < $2::timestamptz
  AND ($3::text IS NULL OR l.device_id = $3::text)
  AND ($4::text IS NULL OR d.site = $4::text)
  AND ($5::text[] IS NULL OR d.site = ANY($5::text[]))
  AND ($6::text[] IS NULL OR l.device_id = ANY($6::text[])
    OR EXISTS (SELECT FROM unnest($7::text[]) AS prefix WHERE starts_with(l.device_id, prefix)))`;

const ledgerSql = ({ sql, order }: (typeof KEYS)[LedgerGroup]): string => `
  SELECT ${sql} AS key, bool_or(l.whole_day) AS whole_day, min(l.first_at) AS first_at, max(l.last_at) AS last_at, (count(*) OVER ())::int AS total,
    ${COUNTS.map((name) => `sum(l.${name})::float8 AS ${name}, (sum(sum(l.${name})) OVER ())::float8 AS sum_${name}`).join(', ')}
  FROM ledger l LEFT JOIN devices d ON d.device_id = l.device_id
  WHERE ${CHOSEN}
  GROUP BY 1 ORDER BY ${order} LIMIT $8`;

export async function readLedger(database: Database, question: LedgerQuestion): Promise<Ledger> {
  const { by, deviceId, site, sinceUs, untilUs, limit, fleet } = question;
  const rows = await database.query(ledgerSql(KEYS[by]), [
    sqlTimestamp(sinceUs),
    sqlTimestamp(untilUs),
    deviceId ?? null,
    site ?? null,
    fleet?.sites ?? null,
    fleet?.ids ?? null,
    fleet?.prefixes ?? null,
    limit,
  ]);
  const [first] = rows;
  return {
    as_of: nowRfc3339(),
    since: formatTimestamp(sinceUs),
    until: formatTimestamp(untilUs),
    by,
    total: Number(first?.['total'] ?? 0),
    sum: countsOf(first ?? {}, 'sum_'),
    rows: rows.map((row) => ({
      key: by === 'device' ? (row['key'] as string) : (toRfc3339(row['key']) as string),
      ...countsOf(row, ''),
      whole_day: by === 'day' || (by === 'hour' && row['whole_day'] === true),
      first_at: toRfc3339(row['first_at']),
      last_at: toRfc3339(row['last_at']),
    })),
  };
}

function countsOf(row: Row, prefix: string): Ledger['sum'] {
  const counts = COUNTS.map((name) => [name, Number(row[prefix + name] ?? 0)] as const);
  return Object.fromEntries(counts) as unknown as Ledger['sum'];
}
