/**
 * Where tests of chunks and aggregates run: on the embedded database, and on a server too where
 * DOWNHOLE_TEST_TIMESCALE_URL names one with TimescaleDB community (a role that may create databases).
 */
import pg from 'pg';
import { acquireDirectoryLock } from '../../src/storage/directory-lock.js';
import { openDatabase } from '../../src/storage/open-database.js';
import type { Database } from '../../src/storage/database.js';
import { recordEvents } from './record-events.js';
import { createTemporaryDirectory } from './temporary-directory.js';

export interface OpenedTarget {
  /** Empty: nothing has been migrated. */
  readonly database: Database;
  remove(): Promise<void>;
}

export interface TimescaleTarget {
  readonly name: string;
  open(): Promise<OpenedTarget>;
}

const SERVER_SETTINGS = { poolSize: 4, statementTimeoutMs: 60_000 };
const serverUrl = process.env['DOWNHOLE_TEST_TIMESCALE_URL'];

const embedded: TimescaleTarget = {
  name: 'embedded',
  async open() {
    const directory = createTemporaryDirectory('timescale');
    const config = { dataDir: directory.path, database: { ...SERVER_SETTINGS, url: '' } };
    const lock = await acquireDirectoryLock(directory.path, { command: 'test' });
    const database = await openDatabase(config, recordEvents());
    return {
      database,
      async remove() {
        await database.close();
        lock.release();
        await directory.remove();
      },
    };
  },
};

async function onServer(url: string, statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  for (const statement of statements) await client.query(statement);
  await client.end();
}

let scratchDatabases = 0;

const server = (url: string): TimescaleTarget => ({
  name: 'server',
  async open() {
    const name = `downhole_test_${process.pid}_${++scratchDatabases}`;
    await onServer(url, [`CREATE DATABASE ${name}`]);
    const scratch = new URL(url);
    scratch.pathname = `/${name}`;
    await onServer(scratch.href, ['CREATE EXTENSION IF NOT EXISTS timescaledb']);
    const config = { dataDir: '', database: { ...SERVER_SETTINGS, url: scratch.href } };
    const database = await openDatabase(config, recordEvents());
    return {
      database,
      async remove() {
        await database.close();
        await onServer(url, [`DROP DATABASE ${name} WITH (FORCE)`]);
      },
    };
  },
});

/** The targets of this run; says so when the server is not among them. */
export function timescaleTargets(): TimescaleTarget[] {
  if (serverUrl !== undefined && serverUrl !== '') return [embedded, server(serverUrl)];
  console.info('not run on a TimescaleDB server: DOWNHOLE_TEST_TIMESCALE_URL is not set');
  return [embedded];
}
