/** Whether a process is ready, role by role, while what it depends on is taken away and given back. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Role } from '../../src/commands/roles.js';
import { startProcess } from '../../src/commands/start-process.js';
import { loadConfig } from '../../src/config/load-config.js';
import { newApiKeyText } from '../../src/ingest/keys/api-key.js';
import { createLogger } from '../../src/monitoring/logger.js';
import { Metrics } from '../../src/monitoring/metrics.js';
import type { ReadinessReport } from '../../src/monitoring/readiness.js';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.js';
import { silentEvents } from '../support/inspection.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { startRabbitmq, type RabbitmqServer } from '../support/rabbitmq.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

let postgres: PostgresServer;
let rabbitmq: RabbitmqServer;
let redis: RedisServer;
let toDatabase: FaultProxy;
let toQueue: FaultProxy;

beforeAll(async () => {
  [postgres, rabbitmq, redis] = await Promise.all([startPostgres(), startRabbitmq(), startRedis()]);
  [toDatabase, toQueue] = await Promise.all([startFaultProxy(postgres.port), startFaultProxy(rabbitmq.port)]);
}, 120_000);
afterAll(async () => {
  await Promise.all([toDatabase.close(), toQueue.close()]);
  await Promise.all([postgres.remove(), rabbitmq.remove(), redis.remove()]);
});

interface Asked extends ReadinessReport {
  readonly code: number;
}

interface Started {
  readonly url: string;
  /** Asks it whether it is ready. */
  readonly ask: () => Promise<Asked>;
  /** Its database, past the proxy. */
  readonly databaseUrl: string;
}

/** A process with these roles, on a database and a virtual host of its own. */
const start = (...roles: Role[]): Promise<Started> => startWith({}, ...roles);

async function startWith(more: Readonly<Record<string, unknown>>, ...roles: Role[]): Promise<Started> {
  const databaseUrl = await postgres.createDatabase();
  const database = new URL(databaseUrl);
  database.port = String(toDatabase.port);
  const queue = new URL(await rabbitmq.createVirtualHost());
  queue.port = String(toQueue.port);
  const overrides = {
    dataDir: temporaryDirectory('readiness'),
    'http.port': 0,
    'database.url': database.href,
    'queue.url': queue.href,
    'state.url': redis.url,
    ...more,
  };
  const metrics = new Metrics();
  const settings = {
    config: loadConfig({ environment: {}, overrides }),
    logger: createLogger('error'),
    events: silentEvents(metrics),
    metrics,
    schemaSubset: 'plain',
  } as const;
  const { url, close } = await startProcess(settings, { version: '0.0.0-test', roles, command: 'test' });
  onTestFinished(close);
  const ask = async (): Promise<Asked> => {
    const answer = await fetch(`${url}/v1/health/ready`);
    return { code: answer.status, ...((await answer.json()) as ReadinessReport) };
  };
  return { url, ask, databaseUrl };
}

/** Asks until it is answered like that. */
async function until(ask: () => Promise<Asked>, status: ReadinessReport['status']): Promise<Asked> {
  for (;;) {
    const asked = await ask();
    expect(asked.code).toBe(asked.status === 'not_ready' ? 503 : 200);
    if (asked.status === status) return asked;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const SLOW_MS = 90_000;

describe('ready', () => {
  it('is ingest while the queue takes messages, whatever becomes of the database', { timeout: SLOW_MS }, async () => {
    const { url, ask } = await start('ingest');
    expect(Object.keys((await until(ask, 'ready')).checks)).toEqual(['queue']);
    toDatabase.refuse();
    toQueue.refuse();
    onTestFinished(() => (toDatabase.heal(), toQueue.heal()));
    const { checks } = await until(ask, 'not_ready');
    expect(checks['queue']).toMatchObject({ ok: false, required: true });
    expect((await fetch(`${url}/v1/health/live`)).status).toBe(200);
    toQueue.heal();
    await until(ask, 'ready');
  });

  it(
    'is ingest that requires keys once it has read them, and lets nobody in before; then they do without the database',
    { timeout: SLOW_MS },
    async () => {
      toDatabase.refuse();
      onTestFinished(() => toDatabase.heal());
      const { url, ask, databaseUrl } = await startWith({ 'http.requireKeys': true }, 'ingest');
      const key = newApiKeyText();
      const post = async (text: string): Promise<Response> =>
        fetch(`${url}/v1/telemetry`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', authorization: `Bearer ${text}` },
          body: JSON.stringify({ device_id: 'esp-1', timestamp: '2026-11-01T00:00:00Z', temperature: 80 }),
        });
      await until(ask, 'not_ready');
      const refused = await post(key.text);
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, expect.stringMatching(/\d/)]);

      toDatabase.heal();
      await until(ask, 'ready');
      const client = new pg.Client({ connectionString: databaseUrl });
      await client.connect();
      await client.query(
        `INSERT INTO api_keys (id, name, secret_hash, scopes, created_by) VALUES ($1, 'test', $2, '{write}', 'test')`,
        [key.id, key.secretHash],
      );
      await client.end();
      await expect.poll(async () => (await post(key.text)).status, { timeout: 30_000 }).toBe(202);

      toDatabase.refuse();
      await until(ask, 'degraded');
      expect((await post(key.text)).status).toBe(202);
      await expect.poll(async () => (await post(newApiKeyText().text)).status, { timeout: 30_000 }).toBe(503);
      expect((await post(`${key.text.slice(0, -8)}AAAAAAAA`)).status).toBe(401);
    },
  );

  it(
    'is the pipeline while it gets messages and can write them; without Redis it is degraded',
    { timeout: SLOW_MS },
    async () => {
      const { ask } = await start('pipeline');
      expect(Object.keys((await until(ask, 'ready')).checks)).toEqual(['database', 'queue', 'pipeline', 'state']);

      await redis.stop();
      const { checks } = await until(ask, 'degraded');
      expect(checks['state']).toMatchObject({ ok: false, required: false });
      await redis.restart();
      await until(ask, 'ready');

      toQueue.refuse();
      onTestFinished(() => toQueue.heal());
      expect((await until(ask, 'not_ready')).checks['queue']?.ok).toBe(false);
      toQueue.heal();
      await until(ask, 'ready');
    },
  );

  it.each<Role>(['pipeline', 'jobs', 'console'])(
    'is %s only with a database, and says so while that hangs',
    { timeout: SLOW_MS },
    async (role) => {
      const { ask } = await start(role);
      await until(ask, 'ready');
      toDatabase.hang();
      onTestFinished(() => toDatabase.heal());
      const { checks } = await until(ask, 'not_ready');
      expect(checks['database']?.detail).toMatch(/has not answered for \d+ s/);
      toDatabase.heal();
      await until(ask, 'ready');
    },
  );

  it('is not the pipeline while it holds a batch, though the database answers', { timeout: SLOW_MS }, async () => {
    const { url, ask, databaseUrl } = await start('ingest', 'pipeline', 'console');
    await until(ask, 'ready');
    const database = new pg.Client({ connectionString: databaseUrl });
    await database.connect();
    await database.query('ALTER TABLE telemetry RENAME TO elsewhere');
    const record = { device_id: 'esp-1', timestamp: new Date().toISOString(), temperature: 80 };
    const body = JSON.stringify(record);
    const headers = { 'content-type': 'application/json' };
    expect((await fetch(`${url}/v1/telemetry`, { method: 'POST', headers, body })).status).toBe(202);
    const { checks } = await until(ask, 'not_ready');
    expect([checks['database']?.ok, checks['pipeline']?.ok]).toEqual([true, false]);
    await database.query('ALTER TABLE elsewhere RENAME TO telemetry');
    await until(ask, 'ready');
    await database.end();
  });
});
