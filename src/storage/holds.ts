/** Holds: ranges that retention leaves alone, of one device or of all. A hold keeps whole chunks, since chunks are what is dropped. */
import { audit } from './audit-log.js';
import type { Database, Row } from './database.js';
import { formatTimestamp, parseTimestamp, sqlTimestamp } from '../telemetry/timestamp.js';

/** A hold as the API and the command line show it; instants in RFC 3339. */
export interface Hold {
  readonly id: number;
  /** null: all devices. */
  readonly device_id: string | null;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  readonly created_at: string;
  readonly created_by: string;
  /** null: until it is released. */
  readonly expires_at: string | null;
  /** null: in force, unless it has expired. */
  readonly released_at: string | null;
}

/** Instants in epoch microseconds. */
export interface NewHold {
  readonly deviceId: string | null;
  readonly fromUs: number;
  readonly toUs: number;
  readonly reason: string;
  readonly expiresAtUs: number | null;
}

const COLUMNS = 'id, device_id, range_from, range_to, reason, created_at, created_by, expires_at, released_at';
/** So many at most; the newest first. */
const MAX_LISTED_HOLDS = 1000;

/** Makes a hold, and its entry in the audit log. */
export async function createHold(database: Database, hold: NewHold, actor: string): Promise<Hold> {
  const { deviceId, fromUs, toUs, reason, expiresAtUs } = hold;
  const expires = expiresAtUs === null ? null : sqlTimestamp(expiresAtUs);
  return database.transaction(async (session) => {
    const [created] = await session.query(
      `INSERT INTO holds (device_id, range_from, range_to, reason, created_by, expires_at)
       VALUES ($1, $2::timestamptz, $3::timestamptz, $4, $5, $6::timestamptz) RETURNING ${COLUMNS}`,
      [deviceId, sqlTimestamp(fromUs), sqlTimestamp(toUs), reason, actor, expires],
    );
    await audit(session, { actor, action: 'hold.create', target: String(created?.['id']), detail: { reason } });
    return toHold(created as Row);
  });
}

/** The newest first. */
export async function listHolds(database: Database): Promise<Hold[]> {
  const rows = await database.query(
    `SELECT ${COLUMNS} FROM holds ORDER BY created_at DESC, id DESC LIMIT ${MAX_LISTED_HOLDS}`,
  );
  return rows.map(toHold);
}

/** Ends a hold; one that was released before stays as it was. Resolves to undefined when there is none of this id. */
export async function releaseHold(database: Database, id: number, actor: string): Promise<Hold | undefined> {
  return database.transaction(async (session) => {
    const [released] = await session.query(
      `UPDATE holds SET released_at = clock_timestamp() WHERE id = $1 AND released_at IS NULL RETURNING ${COLUMNS}`,
      [id],
    );
    if (released !== undefined) {
      await audit(session, {
        actor,
        action: 'hold.release',
        target: String(id),
        detail: { reason: released['reason'] },
      });
      return toHold(released);
    }
    const [present] = await session.query(`SELECT ${COLUMNS} FROM holds WHERE id = $1`, [id]);
    return present === undefined ? undefined : toHold(present);
  });
}

const toHold = (row: Row): Hold => ({
  id: Number(row['id']),
  device_id: row['device_id'] as string | null,
  from: instant(row['range_from']) as string,
  to: instant(row['range_to']) as string,
  reason: row['reason'] as string,
  created_at: instant(row['created_at']) as string,
  created_by: row['created_by'] as string,
  expires_at: instant(row['expires_at']),
  released_at: instant(row['released_at']),
});

/** RFC 3339 of a timestamptz as the database gives it (`2026-11-23 18:22:08.672341+00`). */
function instant(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  const micros = parseTimestamp(value);
  return typeof micros === 'number' ? formatTimestamp(micros) : value; // `infinity` stays what it is
}
