/** A look into a data directory that no service holds any more. */
import { pino } from 'pino';
import { loadConfig } from '../../src/config/load-config.js';
import { createEvents } from '../../src/monitoring/events.js';
import { Metrics } from '../../src/monitoring/metrics.js';
import { acquireDirectoryLock } from '../../src/storage/directory-lock.js';
import type { Database } from '../../src/storage/database.js';
import { openDatabase } from '../../src/storage/open-database.js';

/** Events that nobody reads, with metrics that somebody may. */
export function silentEvents(metrics = new Metrics()): ReturnType<typeof createEvents> {
  return createEvents(pino({ level: 'silent' }), metrics);
}

/** Runs `look` on the embedded database in a data directory. */
export async function inspect<T>(dataDir: string, look: (database: Database) => Promise<T>): Promise<T> {
  const lock = await acquireDirectoryLock(dataDir, { command: 'test' });
  try {
    const config = loadConfig({ environment: {}, overrides: { dataDir } });
    const database = await openDatabase(config, silentEvents());
    try {
      return await look(database);
    } finally {
      await database.close();
    }
  } finally {
    lock.release();
  }
}
