/**
 * Where tests of chunks and aggregates run: on the embedded database, and on a server too where
 * DOWNHOLE_TEST_TIMESCALE_URL names one with TimescaleDB community (a role that may create databases).
 */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { acquireDirectoryLock } from '../../src/storage/directory-lock.js';
import { openDatabase } from '../../src/storage/open-database.js';
import type { Database } from '../../src/storage/database.js';
import { putNewDatabase } from './new-database.js';
import { recordEvents } from './record-events.js';
import { createTemporaryDirectory } from './temporary-directory.js';

export interface OpenedTarget {
  /** Empty: nothing has been migrated. */
  readonly database: Database;
  /**
   * The same database as another program has it, closed by `remove`. The embedded one has a single holder: there it is
   * `database` itself, whoever asks.
   */
  connect(poolSize?: number): Promise<Database>;
  remove(): Promise<void>;
}

export interface TimescaleTarget {
  readonly name: string;
  open(): Promise<OpenedTarget>;
}

/** An empty database on a server. */
export interface ScratchDatabase {
  readonly url: string;
  remove(): Promise<void>;
}

const SERVER_SETTINGS = { poolSize: 4, statementTimeoutMs: 60_000 };

const embedded: TimescaleTarget = {
  name: 'embedded',
  async open() {
    const directory = createTemporaryDirectory('timescale');
    putNewDatabase(directory.path);
    const config = { dataDir: directory.path, database: { ...SERVER_SETTINGS, url: '' } };
    const lock = await acquireDirectoryLock(directory.path, { command: 'test' });
    const database = await openDatabase(config, recordEvents());
    return {
      database,
      connect: () => Promise.resolve(database),
      async remove() {
        await database.close();
        lock.release();
        await directory.remove();
      },
    };
  },
};

async function onServer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(statement);
  await client.end();
}

/** Creates a database with a name of its own on the server that `url` names. */
export async function createScratchDatabase(url: string): Promise<ScratchDatabase> {
  const name = `downhole_test_${randomBytes(8).toString('hex')}`; // of a killed run one may be left
  await onServer(url, `CREATE DATABASE ${name}`);
  const scratch = new URL(url);
  scratch.pathname = `/${name}`;
  return { url: scratch.href, remove: () => onServer(url, `DROP DATABASE ${name} WITH (FORCE)`) };
}

const server = (url: string): TimescaleTarget => ({
  name: 'server',
  async open() {
    const scratch = await createScratchDatabase(url);
    const connections: Database[] = [];
    const connect = async (poolSize = SERVER_SETTINGS.poolSize): Promise<Database> => {
      const config = { dataDir: '', database: { ...SERVER_SETTINGS, poolSize, url: scratch.url } };
      const database = await openDatabase(config, recordEvents());
      connections.push(database);
      return database;
    };
    return {
      database: await connect(),
      connect,
      async remove() {
        for (const database of connections) await database.close();
        await scratch.remove();
      },
    };
  },
});

/** The server's URL; undefined where there is none, which is said once. */
export function timescaleServerUrl(): string | undefined {
  const url = process.env['DOWNHOLE_TEST_TIMESCALE_URL'];
  if (url !== undefined && url !== '') return url;
  console.info('not run on a TimescaleDB server: DOWNHOLE_TEST_TIMESCALE_URL is not set');
  return undefined;
}

/** The targets of this run. */
export function timescaleTargets(): TimescaleTarget[] {
  const url = timescaleServerUrl();
  return url === undefined ? [embedded] : [embedded, server(url)];
}
