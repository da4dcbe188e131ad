/**
 * The services that the server benchmarks run on: PostgreSQL (or the TimescaleDB server that DOWNHOLE_TEST_TIMESCALE_URL
 * names), RabbitMQ and Redis, started on private ports for one benchmark and removed behind it.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/load-config.js';
import { openBroker } from '../../src/queue/open-broker.js';
import type { Broker } from '../../src/queue/queue.js';
import type { Database } from '../../src/storage/database.js';
import { migrate } from '../../src/storage/migrator.js';
import { openDatabase } from '../../src/storage/open-database.js';
import { silentEvents } from '../../tests/support/inspection.js';
import { startPostgres } from '../../tests/support/postgres.js';
import { startRabbitmq } from '../../tests/support/rabbitmq.js';
import { startRedis, type RedisServer } from '../../tests/support/redis.js';
import { createScratchDatabase } from '../../tests/support/timescale-targets.js';

export interface Services {
  readonly databaseUrl: string;
  /** An empty table `telemetry` and everything around it. */
  readonly database: Database;
  /** `PostgreSQL 15.18 without TimescaleDB`. */
  readonly databaseName: string;
  readonly queueUrl: string;
  readonly redis: RedisServer;
  readonly dataDir: string;
  /** A connection to the queues of its own, such as another program has. */
  openBroker(): Promise<Broker>;
  /** Empties table, registry and device state. */
  clear(): Promise<void>;
  emptyQueue(): Promise<void>;
}

/** Large enough that checkpoints do not fall into one round and not into the other. */
const SETTINGS = ['shared_buffers=2GB', 'max_wal_size=16GB', 'checkpoint_timeout=30min', 'wal_compression=off'];
const TABLES = 'telemetry, devices, episode_states, device_latest, device_state, dead_letters, ledger';

export type DatabaseService = Pick<Services, 'databaseUrl' | 'database' | 'databaseName' | 'dataDir'>;

/** The same without queue and device state, for what needs neither. */
export async function withDatabase<T>(work: (service: DatabaseService) => Promise<T>): Promise<T> {
  const putAway: (() => Promise<unknown>)[] = [];
  try {
    return await work(await startDatabaseService(putAway));
  } finally {
    for (const close of putAway.reverse()) await close();
  }
}

/** Starts them, lets `work` measure, and removes them. */
export async function withServices<T>(work: (services: Services) => Promise<T>): Promise<T> {
  const putAway: (() => Promise<unknown>)[] = [];
  try {
    const service = await startDatabaseService(putAway);
    const { database, dataDir } = service;
    const rabbitmq = await startRabbitmq();
    putAway.push(() => rabbitmq.remove());
    const redis = await startRedis();
    putAway.push(() => redis.remove());
    const config = loadConfig({ environment: {}, overrides: { dataDir, 'queue.url': rabbitmq.url } });
    return await work({
      ...service,
      queueUrl: rabbitmq.url,
      redis,
      openBroker: () => openBroker(config, silentEvents()),
      async emptyQueue() {
        await rabbitmq.control('purge_queue', 'telemetry_queue');
      },
      async clear() {
        await database.execute(`TRUNCATE ${TABLES}`);
        await redis.flush();
      },
    });
  } finally {
    for (const close of putAway.reverse()) await close();
  }
}

async function startDatabaseService(putAway: (() => Promise<unknown>)[]): Promise<DatabaseService> {
  const dataDir = await mkdtemp(join(tmpdir(), 'downhole-bench-'));
  putAway.push(() => rm(dataDir, { recursive: true, force: true }));
  const databaseUrl = await startDatabase(putAway);
  const database = await openDatabase(
    { dataDir, database: { url: databaseUrl, poolSize: 4, statementTimeoutMs: 600_000 } },
    silentEvents(),
  );
  putAway.push(() => database.close());
  const { timescale, timescaleVersion, postgresVersion } = database.capabilities;
  await migrate(database, {
    events: silentEvents(),
    ...(timescale === 'community' ? { variables: { chunkHours: 24 } } : { subset: 'plain' }),
  });
  const extension = timescaleVersion === null ? 'without TimescaleDB' : `with TimescaleDB ${timescaleVersion}`;
  return { databaseUrl, database, databaseName: `PostgreSQL ${postgresVersion} ${extension}`, dataDir };
}

async function startDatabase(putAway: (() => Promise<unknown>)[]): Promise<string> {
  const given = process.env['DOWNHOLE_TEST_TIMESCALE_URL'] ?? '';
  if (given !== '') {
    const scratch = await createScratchDatabase(given);
    putAway.push(() => scratch.remove());
    return scratch.url;
  }
  const postgres = await startPostgres({ durable: true, settings: SETTINGS });
  putAway.push(() => postgres.remove());
  return postgres.createDatabase();
}
