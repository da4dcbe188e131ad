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

export interface PlainTarget extends StorageTarget {
  readonly url: string;
  /** The same database as another program has it, or through another port, such as a proxy's; closed by `remove`. */
  connect(options?: {
    port?: number;
    user?: string;
    poolSize?: number;
    statementTimeoutMs?: number;
  }): Promise<Database>;
}

/** The same tables on PostgreSQL without TimescaleDB. */
export async function openPlainTarget(server: PostgresServer, port = server.port): Promise<PlainTarget> {
  const address = await server.createDatabase();
  const connections: Database[] = [];
  const connect: PlainTarget['connect'] = async (options = {}) => {
    const { port: through = port, user, poolSize = 4, statementTimeoutMs = 30_000 } = options;
    const url = new URL(address);
    if (user !== undefined) url.username = user;
    url.port = String(through);
    const config = { dataDir: '', database: { url: url.href, poolSize, statementTimeoutMs } };
    const database = await openDatabase(config, recordEvents());
    connections.push(database);
    return database;
  };
  const database = await connect();
  await migrate(database, { events: recordEvents(), subset: 'plain' });
  const remove = async (): Promise<void> => void (await Promise.all(connections.map((each) => each.close())));
  return { database, url: address, connect, remove };
}
