import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkConnections, type Finding } from '../../src/commands/check-connections.js';
import { loadConfig } from '../../src/config/load-config.js';
import { acquireDirectoryLock } from '../../src/storage/directory-lock.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { startRabbitmq, type RabbitmqServer } from '../support/rabbitmq.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { openBroker } from '../../src/queue/open-broker.js';
import { recordEvents } from '../support/record-events.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

let postgres: PostgresServer;
let rabbitmq: RabbitmqServer;
let redis: RedisServer;

beforeAll(async () => {
  [postgres, rabbitmq, redis] = await Promise.all([
    startPostgres(),
    startRabbitmq(),
    startRedis({ password: 'geheim' }),
  ]);
}, 120_000);
afterAll(async () => {
  await Promise.all([postgres.remove(), rabbitmq.remove(), redis.remove()]);
});

async function look(overrides: Record<string, unknown>): Promise<Record<string, Finding>> {
  const config = loadConfig({ environment: {}, overrides });
  return Object.fromEntries((await checkConnections(config)).map((finding) => [finding.dependency, finding]));
}

it('says what answers, and that a server lacks TimescaleDB', async () => {
  const found = await look({ 'database.url': postgres.url, 'queue.url': rabbitmq.url, 'state.url': redis.url });
  expect(found['database']).toMatchObject({ ok: false, detail: expect.stringContaining('no TimescaleDB') as string });
  expect(found['queue']).toMatchObject({
    ok: true,
    detail: expect.stringMatching(/^RabbitMQ 3\.\d+.*telemetry_queue not there yet/) as string,
  });
  expect(found['state']).toMatchObject({
    ok: true,
    detail: expect.stringMatching(/^Redis 7\..*maxmemory-policy noeviction$/) as string,
  });
});

it('declares nothing, and sees what a start has declared', async () => {
  const url = await rabbitmq.createVirtualHost();
  await look({ 'queue.url': url });
  expect(await rabbitmq.control('list_queues', '-p', new URL(url).pathname.slice(1), 'name')).toBe('');
  const config = loadConfig({ environment: {}, overrides: { 'queue.url': url } });
  const broker = await openBroker(config, recordEvents());
  const { queue } = await look({ 'queue.url': url });
  await broker.close();
  expect(queue).toMatchObject({
    ok: true,
    detail: expect.stringContaining('telemetry_queue 0 messages ready, 0 consumers') as string,
  });
});

it('says why something cannot be used, without its password', async () => {
  const closed = '127.0.0.1:1';
  const found = await look({
    'database.url': `postgres://u:geheim@${closed}/x`,
    'queue.url': `amqp://u:geheim@${closed}`,
    'state.url': redis.url.replace('geheim', 'falsch'),
  });
  for (const { ok, detail } of Object.values(found)) {
    expect([ok, detail.length > 20]).toEqual([false, true]);
    expect(detail).not.toMatch(/geheim|falsch/);
  }
  expect(found['state']?.detail).toContain('WRONGPASS');
});

it('leaves what is embedded alone, and says who has it', async () => {
  const dataDir = temporaryDirectory('check');
  const lock = await acquireDirectoryLock(dataDir, { command: 'up' });
  const found = await look({ dataDir });
  lock.release();
  expect(found['database']).toEqual({
    dependency: 'database',
    ok: true,
    detail: `embedded in ${dataDir}, in use by \`downhole up\` (process ${process.pid})`,
  });
  expect(found['state']?.detail).toBe('in the database');
});
