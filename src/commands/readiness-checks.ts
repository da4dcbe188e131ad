/** What the dependencies of a role say of themselves. */
import type { DependencyState } from '../ingest/health-routes.js';
import type { Broker } from '../queue/queue.js';
import type { Database } from '../storage/database.js';
import { OperationalError } from '../telemetry/operational-error.js';

export async function databaseState(database: Database): Promise<DependencyState> {
  try {
    await database.query('SELECT 1');
    return { ok: true, detail: `PostgreSQL ${database.capabilities.postgresVersion}` };
  } catch (error) {
    if (!(error instanceof OperationalError)) throw error;
    return { ok: false, detail: error.message };
  }
}

export function queueState({ telemetry }: Broker): DependencyState {
  const { records, bytes } = telemetry.depth();
  return { ok: true, detail: `${records} records (${bytes} bytes) in flight` };
}
