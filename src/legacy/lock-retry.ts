/** Work that needs a lock which others wait behind: given up soon, tried again later, so that writers never stand still for long. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database, Session } from '../storage/database.js';
import { sqlStateOf } from '../storage/sql-state.js';
import { OperationalError } from '../telemetry/operational-error.js';

export interface LockPatience {
  /** How long one attempt waits, and with it whoever comes behind it. */
  readonly lockTimeoutMs: number;
  readonly attempts: number;
  /** Called before each further attempt. */
  readonly onWait?: ((attempt: number) => void) | undefined;
}

const PAUSE_MS = 500;
/** lock_not_available, deadlock_detected. */
const LOCKED = new Set(['55P03', '40P01']);

/** @throws OperationalError `legacy_locked` (retryable) after the last attempt */
export async function withLocks<T>(
  database: Database,
  { lockTimeoutMs, attempts, onWait }: LockPatience,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await database.transaction(
        async (session) => {
          await session.execute(`SET LOCAL lock_timeout = ${Math.trunc(lockTimeoutMs)}`);
          return work(session);
        },
        { statementTimeoutMs: 0 },
      );
    } catch (error) {
      if (!LOCKED.has(sqlStateOf(error) ?? '')) throw error;
      if (attempt >= attempts) {
        throw new OperationalError(
          'legacy_locked',
          `Other sessions kept the table locked through ${attempts} attempts of ${lockTimeoutMs} ms (pg_stat_activity shows whose ` +
            `transactions are long). Nothing has changed; run the command again, with a longer --lock-timeout if need be.`,
          { retryable: true, cause: error },
        );
      }
    }
    onWait?.(attempt);
    await sleep(PAUSE_MS);
  }
}
