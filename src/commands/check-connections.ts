/** What answers at the URLs of a configuration, for `config check --connect`. Looks, and changes nothing. */
import type { Config } from '../config/schema.js';
import type { Events } from '../monitoring/events.js';
import { rabbitmqAddress } from '../queue/rabbitmq-address.js';
import { inspectRabbitmq } from '../queue/rabbitmq-inspection.js';
import type { Database } from '../storage/database.js';
import { readDirectoryLock } from '../storage/directory-lock.js';
import { migrationStatus } from '../storage/migrator.js';
import { RedisDeviceStateStore } from '../storage/redis-device-state-store.js';
import { ServerDatabase } from '../storage/server-database.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { isDoneWithin } from '../telemetry/time-limit.js';

export interface Finding {
  readonly dependency: string;
  readonly ok: boolean;
  /** Versions and what there is, or what is wrong and what to do. */
  readonly detail: string;
}

/** Longer than the time that the clients themselves wait for a connection, so that they say why there is none. */
const TIME_LIMIT_MS = 15_000;
/** Nothing is said of it but the result. */
const QUIET: Events = { emit: () => undefined };

/** Looks at all of them at the same time. */
export function checkConnections(config: Config): Promise<Finding[]> {
  const { database, queue, state } = config;
  return Promise.all([
    find('database', database.url === '' ? lookAtDirectory(config) : lookAtDatabase(database)),
    find('queue', queue.url === '' ? lookAtDirectory(config) : lookAtQueue(queue)),
    find('state', state.url === '' ? 'in the database' : RedisDeviceStateStore.inspect(new URL(state.url))),
  ]);
}

async function find(dependency: string, look: string | Promise<string>): Promise<Finding> {
  const answer = Promise.resolve(look);
  try {
    if (await isDoneWithin(answer, TIME_LIMIT_MS)) return { dependency, ok: true, detail: await answer };
    return { dependency, ok: false, detail: `There is no answer within ${TIME_LIMIT_MS / 1000} s.` };
  } catch (error) {
    if (!(error instanceof OperationalError)) throw error;
    return { dependency, ok: false, detail: error.message };
  }
}

/** Whatever is wrong with the address is a finding as well. */
async function lookAtQueue(queue: Config['queue']): Promise<string> {
  return await inspectRabbitmq({ ...rabbitmqAddress(queue), partitions: queue.partitions });
}

/** What is embedded is not opened: a service may have it. */
async function lookAtDirectory({ dataDir }: Config): Promise<string> {
  const holder = readDirectoryLock(dataDir);
  const use = holder === undefined ? 'not in use' : `in use by \`downhole ${holder.command}\` (process ${holder.pid})`;
  return `embedded in ${dataDir}, ${use}`;
}

async function lookAtDatabase(config: Config['database']): Promise<string> {
  const database = await ServerDatabase.open({ ...config, poolSize: 2 }, QUIET, { mayCreateExtension: false });
  try {
    const { postgresVersion } = database.capabilities;
    return `PostgreSQL ${postgresVersion}, ${await describeTimescale(database)}; ${await describeSchema(database)}`;
  } finally {
    await database.close();
  }
}

/** @throws OperationalError `timescale_missing` where a start would be refused */
async function describeTimescale(database: Database): Promise<string> {
  const { timescale, timescaleVersion } = database.capabilities;
  if (timescale === 'community') return `TimescaleDB ${timescaleVersion} (community)`;
  if (timescale === 'none' && (await isOffered(database)))
    return 'TimescaleDB not in this database yet: the first start runs CREATE EXTENSION, or somebody who may has to';
  throw new OperationalError(
    'timescale_missing',
    timescale === 'none'
      ? 'This server has no TimescaleDB: install the community edition.'
      : 'This server has the Apache edition of TimescaleDB: install the community edition.',
  );
}

/** Whether the library is loaded; without it the extension cannot be created. */
async function isOffered(database: Database): Promise<boolean> {
  const loaded = await database.query(
    `SELECT FROM pg_available_extensions
     WHERE name = 'timescaledb' AND current_setting('timescaledb.disable_load', true) IS NOT NULL`,
  );
  return loaded.length > 0;
}

async function describeSchema(database: Database): Promise<string> {
  const migrations = await migrationStatus(database);
  const pending = migrations.filter(({ state }) => state === 'pending').length;
  if (pending === 0) return `schema at version ${migrations.length}`;
  return `${pending} of ${migrations.length} migrations pending: the first start applies them`;
}
