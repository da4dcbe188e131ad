import type { Database } from '../../src/storage/database.js';
import { acquireDirectoryLock } from '../../src/storage/directory-lock.js';
import { openDatabase } from '../../src/storage/open-database.js';
import { recordEvents, type RecordedEvents } from './record-events.js';

export interface OpenedEmbeddedDatabase {
  readonly database: Database;
  readonly events: RecordedEvents;
  /** Closes the database and gives its directory free. */
  readonly close: () => Promise<void>;
}

/** Opens the embedded database of a data directory as the program does: behind the lock. About 3 s when it is new. */
export async function openEmbeddedDatabase(dataDir: string): Promise<OpenedEmbeddedDatabase> {
  const lock = await acquireDirectoryLock(dataDir, { command: 'test' });
  const events = recordEvents();
  const database = await openDatabase(
    { dataDir, database: { url: '', poolSize: 2, statementTimeoutMs: 60_000 } },
    events,
  );
  return {
    database,
    events,
    async close() {
      await database.close();
      lock.release();
    },
  };
}
