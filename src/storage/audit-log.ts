/** The log of administrative acts: who did what to what. Written with the act, in its transaction, and never changed. */
import { formatTimestamp, parseTimestamp, sqlTimestamp } from '../telemetry/timestamp.js';
import type { Row, Session } from './database.js';

/** The acts that are logged; `dead_letter.replay` reads: on the dead letter named in `target`. */
export type AuditAction =
  | 'alert.silence'
  | 'alert.unsilence'
  | 'alert.test'
  | 'hold.create'
  | 'hold.release'
  | 'key.create'
  | 'key.revoke'
  | 'dead_letter.replay'
  | 'dead_letter.purge'
  | 'episode.acknowledge'
  | 'episode.close'
  | 'episode.note';

export interface AuditEntry {
  /** `key:ID`, `http:ADDRESS` where there are no keys, `cli:USER`. */
  readonly actor: string;
  readonly action: AuditAction;
  /** What was acted upon: an id, a filter in words. */
  readonly target: string;
  /** JSON; no secrets. */
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** Writes an entry; pass the session of the transaction that does the deed, so that both happen or neither. */
export async function audit(session: Session, entry: AuditEntry): Promise<void> {
  await auditAll(session, [entry]);
}

const INSERT_SQL = `
  INSERT INTO audit_log (actor, action, target, detail)
  SELECT actor, action, target, detail::jsonb
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS entry (actor, action, target, detail)`;

/** As `audit`, for what was done to many things at once. */
export async function auditAll(session: Session, entries: readonly AuditEntry[]): Promise<void> {
  if (entries.length === 0) return;
  await session.execute(INSERT_SQL, [
    entries.map(({ actor }) => actor),
    entries.map(({ action }) => action),
    entries.map(({ target }) => target),
    entries.map(({ detail = {} }) => JSON.stringify(detail)),
  ]);
}

/** An entry as the API and the command line show it. */
export interface LoggedAct {
  readonly at: string;
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

/**
 * The log, newest first.
 * @param sinceUs epoch microseconds; null: from the beginning
 */
export async function readAuditLog(session: Session, sinceUs: number | null, limit: number): Promise<LoggedAct[]> {
  const rows = await session.query(
    `SELECT at, actor, action, target, detail FROM audit_log WHERE $1::timestamptz IS NULL OR at >= $1::timestamptz
     ORDER BY at DESC, id DESC LIMIT $2`,
    [sinceUs === null ? null : sqlTimestamp(sinceUs), limit],
  );
  return rows.map(loggedAct);
}

/** What was done to one thing, oldest first; the last `limit` acts. */
export async function readActsOn(session: Session, target: string, limit: number): Promise<LoggedAct[]> {
  const rows = await session.query(
    `SELECT at, actor, action, target, detail FROM audit_log WHERE target = $1 ORDER BY at DESC, id DESC LIMIT $2`,
    [target, limit],
  );
  return rows.reverse().map(loggedAct);
}

const loggedAct = (row: Row): LoggedAct => ({
  at: instant(row['at']),
  actor: row['actor'] as string,
  action: row['action'] as string,
  target: row['target'] as string,
  detail: row['detail'] as Record<string, unknown>,
});

/** RFC 3339 of a timestamptz as the database gives it. */
function instant(text: unknown): string {
  const micros = parseTimestamp(String(text));
  return typeof micros === 'number' ? formatTimestamp(micros) : String(text);
}
