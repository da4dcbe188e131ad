/** The roles as processes of their own on real servers, stopped and started under load; a Redis that goes and forgets. */
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { startRabbitmq, type RabbitmqServer } from '../support/rabbitmq.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { startRoleLoad } from '../support/role-load.js';
import { downhole, startService, type Service } from '../support/service.js';
import { createTemporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.js';

const SLOW_MS = 180_000;
/** Acknowledged records after which the next thing happens: enough that all parts are at work. */
const UNDER_LOAD = 1000;

let postgres: PostgresServer;
let rabbitmq: RabbitmqServer;
let redis: RedisServer;
let directory: TemporaryDirectory;
const services: Service[] = [];

beforeAll(async () => {
  directory = createTemporaryDirectory('roles');
  [postgres, rabbitmq, redis] = await Promise.all([startPostgres(), startRabbitmq(), startRedis()]);
}, 120_000);
afterAll(async () => {
  for (const service of services) await service.kill();
  await Promise.all([postgres.remove(), rabbitmq.remove(), redis.remove()]);
  await directory.remove();
});

async function start(role: string, environment: Record<string, string>): Promise<Service> {
  const dataDir = join(directory.path, 'never-made');
  const service = await startService(dataDir, { DOWNHOLE_HTTP_STOP_DELAY_MS: '500', ...environment }, downhole(role));
  services.push(service);
  return service;
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 50));
}

interface Seen {
  readonly code: number;
  readonly status: string;
  readonly checks: Readonly<Record<string, { readonly ok: boolean; readonly detail: string }>>;
}

/** What it says of itself; undefined when nobody answers. */
async function readiness({ url }: Service): Promise<Seen | undefined> {
  try {
    const answer = await fetch(`${url}/v1/health/ready`, { headers: { connection: 'close' } });
    return { code: answer.status, ...((await answer.json()) as Omit<Seen, 'code'>) };
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** SIGTERM, and what it said of itself from then on: that it is not ready, before it stops to answer. */
async function stopSeen(service: Service): Promise<void> {
  const stopped = service.stop();
  const seen: Seen[] = [];
  for (let now = await readiness(service); now !== undefined; now = await readiness(service)) seen.push(now);
  expect(await stopped).toBe(0);
  expect(seen.at(-1)).toMatchObject({ code: 503, status: 'not_ready', checks: { process: { ok: false } } });
}

interface Stored {
  readonly numbers: number[];
  /** As the loss ledger has counted them. */
  readonly counted: number;
}

async function stored(url: string): Promise<Stored> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ number: number }>(
    `SELECT (extract(epoch FROM "timestamp" - '2026-01-01T00:00:00Z'))::int AS number FROM telemetry`,
  );
  const { rows: sums } = await client.query<{ counted: string }>('SELECT sum(stored) AS counted FROM ledger');
  await client.end();
  return { numbers: rows.map(({ number }) => number), counted: Number(sums[0]?.counted) };
}

/** A sender that never comes to the end of its request does not hold the stop of its server. */
async function stopWithDawdler(): Promise<void> {
  const ingest = await start('ingest', { DOWNHOLE_QUEUE_URL: await rabbitmq.createVirtualHost() });
  const socket = connect(Number(new URL(ingest.url).port), '127.0.0.1');
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const head = ['POST /v1/telemetry HTTP/1.1', `Host: ${new URL(ingest.url).host}`, 'Content-Type: application/json'];
  socket.write(`${[...head, 'Content-Length: 1000', '', ''].join('\r\n')}[{"device_id":`);
  await until(async () => (await readiness(ingest))?.code === 200);
  expect(await ingest.stop()).toBe(0);
  await closed;
  // Its database would be embedded, and is another process' to open: what it refuses is not in the ledger, and it says so.
  expect(ingest.log()).toContain('not in the loss ledger');
}

it(
  'stop with exit code 0 under load, say so before, and lose nothing that was accepted, with Redis and without',
  async () => {
    const dawdled = stopWithDawdler(); // beside the others, since it takes its time
    const database = await postgres.createDatabase();
    const environment = {
      DOWNHOLE_TEST_PLAIN_SCHEMA: '1',
      DOWNHOLE_DATABASE_URL: database,
      DOWNHOLE_QUEUE_URL: await rabbitmq.createVirtualHost(),
      DOWNHOLE_STATE_URL: redis.url,
    };
    const [ingest, pipeline, jobs, page] = await Promise.all([
      start('ingest', environment),
      start('pipeline', environment),
      start('jobs', environment),
      start('console', environment),
    ]);
    const load = startRoleLoad(ingest.url);
    const more = (): Promise<void> => {
      const enough = load.acknowledged.size + UNDER_LOAD;
      return until(() => load.acknowledged.size > enough);
    };
    const isStored = async (): Promise<void> => {
      const wanted = [...load.acknowledged];
      await until(async () => {
        const there = new Set((await stored(database)).numbers);
        return wanted.every((number) => there.has(number));
      });
    };
    await more();
    await until(async () => (await redis.command('exists', 'device:esp-0:stats')) === 1);

    await redis.stop();
    await until(async () => (await readiness(pipeline))?.status === 'degraded');
    expect(await readiness(pipeline)).toMatchObject({
      code: 200,
      checks: { state: { ok: false }, database: { ok: true } },
    });
    await more();
    await isStored();
    await redis.restart();
    await redis.flush();
    await until(async () => (await readiness(pipeline))?.status === 'ready');
    await until(async () => (await redis.command('exists', 'device:esp-0:stats')) === 1);

    await stopSeen(pipeline);
    await more();
    const next = await start('pipeline', environment);
    await Promise.all([stopSeen(jobs), stopSeen(page)]);
    await more();
    await stopSeen(ingest);
    expect([...(await load.finished)].filter((status) => status !== 202)).toEqual([]);

    await isStored();
    await stopSeen(next);
    const { numbers, counted } = await stored(database);
    // Each once: none came twice, and the ledger, which adds up what two pipelines have counted, says the same.
    expect([new Set(numbers).size, counted]).toEqual([numbers.length, numbers.length]);
    await dawdled;
    // Nothing of them is embedded, so that none has touched the data directory.
    expect(existsSync(join(directory.path, 'never-made'))).toBe(false);
  },
  SLOW_MS,
);
