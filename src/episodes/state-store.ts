/** What is known of a device while its readings are looked through, in the database. */
import type { Session } from '../storage/database.js';
import { sqlTimestamp } from '../telemetry/timestamp.js';

/** Times are epoch microseconds. */
export interface SavedTracker {
  /** Its readings up to here are in it. */
  readonly reachedUs: number;
  readonly state: Uint8Array;
}

/** The table takes no more. A tracker with every channel and a full past has a quarter of it. */
export const MOST_STATE_BYTES = 1_048_576;

export async function readTrackers(
  session: Session,
  deviceIds: readonly string[],
): Promise<ReadonlyMap<string, SavedTracker>> {
  const rows = await session.query<{ device_id: string; reached_us: number; state: Uint8Array }>(
    `SELECT device_id, (extract(epoch FROM reached) * 1000000)::bigint AS reached_us, state
     FROM episode_states WHERE device_id = ANY($1)`,
    [deviceIds],
  );
  return new Map(
    rows.map(({ device_id: deviceId, reached_us: reachedUs, state }) => [
      deviceId,
      { reachedUs: Number(reachedUs), state },
    ]),
  );
}

/** To be called in the transaction that stores what these trackers have found. */
export async function storeTrackers(
  session: Session,
  trackers: readonly (SavedTracker & { readonly deviceId: string })[],
): Promise<void> {
  if (trackers.length === 0) return;
  await session.execute(
    `INSERT INTO episode_states (device_id, reached, state)
     SELECT device_id, reached, decode(state, 'base64')
     FROM unnest($1::text[], $2::timestamptz[], $3::text[]) AS saved (device_id, reached, state)
     ON CONFLICT (device_id) DO UPDATE SET reached = excluded.reached, state = excluded.state, saved_at = clock_timestamp()`,
    [
      trackers.map(({ deviceId }) => deviceId),
      trackers.map(({ reachedUs }) => sqlTimestamp(reachedUs)),
      trackers.map(({ state }) => Buffer.from(state).toString('base64')),
    ],
  );
}
