/** Past some weeks the loss ledger has a row for each day instead of its hours. */
import { MICROS_PER_SECOND } from '../telemetry/timestamp.js';
import type { Session } from './database.js';
import { ADD_TO_ROW_SQL } from './ledger-store.js';

/** So long hours can be looked at one by one. */
export const LEDGER_HOUR_DAYS = 35;

const MICROS_PER_DAY = 86_400 * MICROS_PER_SECOND;

/** Before this, days are, or are about to be, rolled up: epoch microseconds, the beginning of a day (UTC). */
export function ledgerDaysBeforeUs(nowUs: number): number {
  return (Math.floor(nowUs / MICROS_PER_DAY) - LEDGER_HOUR_DAYS) * MICROS_PER_DAY;
}

/**
 * $1: beginning of the first day that keeps its hours, $2: most hours to begin with. The newest first: behind them lie only
 * days that are done, and they are read through once, at the end. A row at 00:00 takes the others in; where somebody
 * adds to one of them meanwhile, either it is deleted with what was added, or the hour comes back and is taken in later.
 */
const ROLL_UP_SQL = `
  WITH chosen AS (
    SELECT DISTINCT device_id, date_trunc('day', hour) AS day FROM (
      SELECT device_id, hour FROM ledger WHERE NOT whole_day AND hour < $1::timestamptz ORDER BY hour DESC LIMIT $2
    ) AS newest
  ), gone AS (
    DELETE FROM ledger l USING chosen c
    WHERE l.device_id = c.device_id AND l.hour > c.day AND l.hour < c.day + interval '24 hours'
    RETURNING l.*
  ), rolled AS (
    INSERT INTO ledger AS l
      (device_id, hour, whole_day, stored, merged, duplicate, dead_lettered, rejected, written, first_at, last_at)
    SELECT c.device_id, c.day, true, coalesce(sum(stored), 0), coalesce(sum(merged), 0), coalesce(sum(duplicate), 0),
      coalesce(sum(dead_lettered), 0), coalesce(sum(rejected), 0), coalesce(sum(written), 0), min(first_at), max(last_at)
    FROM chosen c LEFT JOIN gone g ON g.device_id = c.device_id AND date_trunc('day', g.hour) = c.day
    GROUP BY c.device_id, c.day ORDER BY c.device_id, c.day
    ON CONFLICT (device_id, hour) DO UPDATE SET
      whole_day = true,
      ${ADD_TO_ROW_SQL}
    RETURNING 1
  )
  SELECT (SELECT count(*) FROM rolled)::int AS days, (SELECT count(*) FROM gone)::int AS hours`;

export interface RolledUp {
  /** Devices and days that have one row now; 0 where nothing is left. */
  readonly days: number;
  /** Rows that are gone for it. */
  readonly hours: number;
}

/**
 * Makes one row of all hours of each device and day of which the newest `limit` hours are, in one statement.
 * @param nowUs epoch microseconds
 */
export async function rollUpLedger(session: Session, nowUs: number, limit: number): Promise<RolledUp> {
  const before = new Date(ledgerDaysBeforeUs(nowUs) / 1000).toISOString();
  const [row] = await session.query<{ days: number; hours: number }>(ROLL_UP_SQL, [before, limit]);
  return { days: row?.days ?? 0, hours: row?.hours ?? 0 };
}
