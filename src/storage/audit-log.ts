/** The log of administrative acts: who did what to what. Written with the act, in its transaction, and never changed. */
import { formatTimestamp, parseTimestamp, sqlTimestamp } from '../telemetry/timestamp.js';
import type { Session } from './database.js';

/** The acts that are logged; `dead_letter.replay` reads: on the dead letter named in `target`. */
export type AuditAction = 'hold.create' | 'key.create' | 'key.revoke' | 'dead_letter.replay' | 'dead_letter.purge';

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
export async function audit(session: Session, { actor, action, target, detail = {} }: AuditEntry): Promise<void> {
  await session.execute('INSERT INTO audit_log (actor, action, target, detail) VALUES ($1, $2, $3, $4::jsonb)', [
    actor,
    action,
    target,
    JSON.stringify(detail),
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
  return rows.map((row) => ({
    at: instant(row['at']),
    actor: row['actor'] as string,
    action: row['action'] as string,
    target: row['target'] as string,
    detail: row['detail'] as Record<string, unknown>,
  }));
}

/** RFC 3339 of a timestamptz as the database gives it. */
function instant(text: unknown): string {
  const micros = parseTimestamp(String(text));
  return typeof micros === 'number' ? formatTimestamp(micros) : String(text);
}
