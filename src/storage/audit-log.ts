/** The log of administrative acts: who did what to what. Written with the act, in its transaction, and never changed. */
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
