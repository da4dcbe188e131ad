/** Maintenance windows: alerts in them are recorded and not told. */
import { audit } from '../storage/audit-log.js';
import type { Database, Row, Session } from '../storage/database.js';
import { sqlInstant } from '../telemetry/sql-instant.js';
import { sqlTimestamp } from '../telemetry/timestamp.js';
import type { Silence } from './alert-schemas.js';

/** Instants in epoch microseconds; null: every one. */
export interface NewSilence {
  readonly device: string | null;
  readonly site: string | null;
  readonly rule: string | null;
  readonly fromUs: number;
  readonly toUs: number;
  readonly reason: string;
}

const COLUMNS = 'id, device_id, site, rule, begins_at, ends_at, reason, created_at, created_by, lifted_at';
/** So many at most; the newest first. */
const MAX_LISTED = 1000;

/** Makes a maintenance window, and its entry in the audit log. */
export async function createSilence(database: Database, silence: NewSilence, actor: string): Promise<Silence> {
  const { device, site, rule, fromUs, toUs, reason } = silence;
  return database.transaction(async (session) => {
    const [created] = await session.query(
      `INSERT INTO alert_silences (device_id, site, rule, begins_at, ends_at, reason, created_by)
       VALUES ($1, $2, $3, $4::timestamptz, $5::timestamptz, $6, $7) RETURNING ${COLUMNS}`,
      [device, site, rule, sqlTimestamp(fromUs), sqlTimestamp(toUs), reason, actor],
    );
    const detail = { device, site, rule, reason };
    await audit(session, { actor, action: 'alert.silence', target: String(created?.['id']), detail });
    return toSilence(created as Row);
  });
}

/** The newest first. */
export async function listSilences(session: Session): Promise<Silence[]> {
  const rows = await session.query(`SELECT ${COLUMNS} FROM alert_silences ORDER BY id DESC LIMIT ${MAX_LISTED}`);
  return rows.map(toSilence);
}

/** Ends a maintenance window; one that was ended before stays as it was. Resolves to undefined when there is none of this id. */
export async function liftSilence(database: Database, id: number, actor: string): Promise<Silence | undefined> {
  return database.transaction(async (session) => {
    const [lifted] = await session.query(
      `UPDATE alert_silences SET lifted_at = clock_timestamp() WHERE id = $1 AND lifted_at IS NULL RETURNING ${COLUMNS}`,
      [id],
    );
    if (lifted !== undefined) {
      const detail = { reason: lifted['reason'] };
      await audit(session, { actor, action: 'alert.unsilence', target: String(id), detail });
      return toSilence(lifted);
    }
    const [present] = await session.query(`SELECT ${COLUMNS} FROM alert_silences WHERE id = $1`, [id]);
    return present === undefined ? undefined : toSilence(present);
  });
}

const toSilence = (row: Row): Silence => ({
  id: Number(row['id']),
  device: row['device_id'] as string | null,
  site: row['site'] as string | null,
  rule: row['rule'] as string | null,
  from: sqlInstant(row['begins_at']) as string,
  to: sqlInstant(row['ends_at']) as string,
  reason: row['reason'] as string,
  created_at: sqlInstant(row['created_at']) as string,
  created_by: row['created_by'] as string,
  lifted_at: sqlInstant(row['lifted_at']),
});
