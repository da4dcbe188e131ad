/** For commands that work on a database as it is. */
import type { Database } from '../storage/database.js';
import { migrationStatus } from '../storage/migrator.js';
import { OperationalError } from '../telemetry/operational-error.js';
import type { Settings } from './load-settings.js';

/** @throws OperationalError `schema_pending` where the database waits for migrations of this version */
export async function refuseOlderSchema(
  database: Database,
  { schemaSubset }: Pick<Settings, 'schemaSubset'>,
): Promise<void> {
  const pending = (await migrationStatus(database)).filter(
    // Of the plain subset the others are not waited for.
    ({ state, requires }) => state === 'pending' && (schemaSubset === undefined || requires === 'none'),
  );
  if (pending.length === 0) return;
  throw new OperationalError(
    'schema_pending',
    `The database waits for ${pending.length} migrations of this version. Run \`downhole migrate\`, or start the service.`,
  );
}
