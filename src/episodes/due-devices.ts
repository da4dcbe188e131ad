/** Which devices have readings that were not yet looked through for episodes. */
import type { Session } from '../storage/database.js';
import { sqlTimestamp } from '../telemetry/timestamp.js';

/** Times are epoch microseconds. */
export interface DueDevice {
  readonly deviceId: string;
  /** Up to where its readings have been looked through; null: not at all. */
  readonly reachedUs: number | null;
  /** Time of its newest reading. */
  readonly newestUs: number;
}

interface DueRow extends Record<string, unknown> {
  readonly device_id: string;
  readonly reached_us: number | null;
  readonly newest_us: number;
}

/** In the order of their ids. @param untilUs nothing later is looked at yet */
export async function readDueDevices(session: Session, untilUs: number): Promise<DueDevice[]> {
  const rows = await session.query<DueRow>(
    `SELECT d.device_id, (extract(epoch FROM w.reached) * 1000000)::bigint AS reached_us,
       (extract(epoch FROM d.last_seen) * 1000000)::bigint AS newest_us
     FROM devices d LEFT JOIN episode_watermarks w USING (device_id)
     WHERE d.last_seen > coalesce(w.reached, '-infinity') AND coalesce(w.reached, '-infinity') < $1::timestamptz`,
    [sqlTimestamp(untilUs)],
  );
  return rows
    .map(({ device_id: deviceId, reached_us: reached, newest_us: newest }) => ({
      deviceId,
      reachedUs: reached === null ? null : Number(reached),
      newestUs: Number(newest),
    }))
    .toSorted((a, b) => (a.deviceId < b.deviceId ? -1 : 1));
}

/** Readings that should have been looked through by now, in words; null: none. */
export async function findBehind(session: Session): Promise<string | null> {
  const [row] = await session.query<{ behind: number }>(
    `SELECT count(*)::int AS behind FROM devices d LEFT JOIN episode_watermarks w USING (device_id)
     WHERE d.last_seen < now() - interval '${BEHIND_MINUTES} minutes'
       AND coalesce(w.reached, '-infinity') < d.last_seen - interval '${BEHIND_MINUTES} minutes'`,
  );
  const behind = row?.behind ?? 0;
  return behind === 0
    ? null
    : `readings of ${behind} devices, older than ${BEHIND_MINUTES} minutes, have not been looked through for episodes`;
}

const BEHIND_MINUTES = 15;
