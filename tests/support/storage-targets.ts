/** Databases with their tables, for tests of what is written on top of the interface. */
import { migrate } from '../../src/storage/migrator.js';
import { openDatabase } from '../../src/storage/open-database.js';
import type { Database } from '../../src/storage/database.js';
import type { PostgresServer } from './postgres.js';
import { recordEvents } from './record-events.js';
import type { OpenedTarget, TimescaleTarget } from './timescale-targets.js';

export interface StorageTarget {
  readonly database: Database;
  remove(): Promise<void>;
}

/** A database with TimescaleDB and every migration. */
export async function openMigratedTarget(target: TimescaleTarget): Promise<OpenedTarget> {
  const opened = await target.open();
  await migrate(opened.database, { events: recordEvents() });
  return opened;
}

/** The same tables on PostgreSQL without TimescaleDB. */
export async function openPlainTarget(server: PostgresServer, port = server.port): Promise<StorageTarget> {
  const url = new URL(await server.createDatabase());
  url.port = String(port);
  const config = { dataDir: '', database: { url: url.href, poolSize: 4, statementTimeoutMs: 30_000 } };
  const database = await openDatabase(config, recordEvents());
  await migrate(database, { events: recordEvents(), subset: 'plain' });
  return { database, remove: () => database.close() };
}
