import { connect } from 'amqplib';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import type { Database } from '../../src/storage/database.js';
import { migrate } from '../../src/storage/migrator.js';
import { ServerDatabase } from '../../src/storage/server-database.js';
import { OperationalError } from '../../src/telemetry/operational-error.js';
import { startFaultProxy } from '../support/fault-proxy.js';
import { silentEvents } from '../support/inspection.js';
import { startPipeline, type RunningPipeline } from '../support/pipeline.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { startRabbitmq, type RabbitmqServer } from '../support/rabbitmq.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const EPOCH_MS = Date.UTC(2026, 10, 1);
const BATCHES = 60;
const BATCH_RECORDS = 50;

let rabbitmq: RabbitmqServer;
let postgres: PostgresServer;
let database: Database;

beforeAll(async () => {
  [rabbitmq, postgres] = await Promise.all([startRabbitmq(), startPostgres()]);
  const options = { url: await postgres.createDatabase(), poolSize: 6, statementTimeoutMs: 30_000 };
  database = await ServerDatabase.open(options, silentEvents());
  await migrate(database, { events: silentEvents(), subset: 'plain' });
});
afterAll(async () => {
  await database.close();
  await Promise.all([postgres.remove(), rabbitmq.remove()]);
});

/** A record every second; one of each batch contradicts what was stored and becomes a dead letter. */
function batch(number: number): object[] {
  const records = Array.from({ length: BATCH_RECORDS }, (_, index) => ({
    device_id: `esp-${index % 5}`,
    timestamp: new Date(EPOCH_MS + (number * BATCH_RECORDS + index) * 1000).toISOString(),
    temperature: 90 + (index % 7),
  }));
  return [...records, { ...records[0], temperature: 140 }];
}

async function publishUntilTaken(pipeline: RunningPipeline, records: readonly object[]): Promise<void> {
  for (;;) {
    try {
      return await pipeline.publish(records);
    } catch (error) {
      if (!(error instanceof OperationalError) || !error.retryable) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

it('accounts for every record while connections are cut and the database restarts', async () => {
  const proxy = await startFaultProxy(rabbitmq.port);
  onTestFinished(() => proxy.close());
  const pipeline = await startPipeline(database, temporaryDirectory('rabbitmq'), {
    'queue.url': rabbitmq.urlAt(proxy.port),
  });
  onTestFinished(() => pipeline.stop());
  const faults: Record<number, () => void | Promise<void>> = {
    10: () => proxy.cut(),
    20: () => proxy.cut(),
    30: () => postgres.stop(),
    40: () => proxy.cut(),
  };
  for (let number = 0; number < BATCHES; number++) {
    await faults[number]?.();
    // Whoever supervises it starts it again.
    if (number === 30) void postgres.restart();
    await publishUntilTaken(pipeline, batch(number));
  }
  await pipeline.drained();
  const rows = await database.query<{ rows: number }>('SELECT count(*)::int AS rows FROM telemetry');
  expect(rows).toEqual([{ rows: BATCHES * BATCH_RECORDS }]);
  const letters = await database.query<{ code: string; letters: number }>(
    'SELECT code, count(*)::int AS letters FROM dead_letters GROUP BY code',
  );
  expect(letters).toEqual([{ code: 'conflict', letters: BATCHES }]);
  const books = await pipeline.books();
  expect(books.came).toBe(books.went);
  expect(books.came).toBeGreaterThanOrEqual(BATCHES * (BATCH_RECORDS + 1));
}, 90_000);

it.each([0, 3])(
  'balances its books for messages of others, whose records nobody has counted (partitions: %d)',
  async (partitions) => {
    const url = await rabbitmq.createVirtualHost();
    await database.script('TRUNCATE dead_letters');
    const pipeline = await startPipeline(database, temporaryDirectory('third-parties'), {
      'queue.url': url,
      'queue.partitions': partitions,
    });
    onTestFinished(() => pipeline.stop());
    const record = (second: number) => ({
      device_id: `third-party-${second % 3}`,
      timestamp: new Date(EPOCH_MS + second * 1000).toISOString(),
      temperature: 90,
    });
    const connection = await connect(url);
    const channel = await connection.createConfirmChannel();
    const send = (body: string, headers = {}) =>
      channel.sendToQueue('telemetry_queue', Buffer.from(body), { persistent: true, headers });
    send(JSON.stringify(record(0)));
    send(JSON.stringify([1, 2, 3, 4, 5].map(record)));
    send(JSON.stringify(record(6)), { records: 40 });
    send('[]');
    send('not JSON');
    await channel.waitForConfirms();
    await connection.close();
    await expect.poll(() => pipeline.books(), { timeout: 20_000 }).toEqual({ came: 9, went: 9 });
    await pipeline.drained();
    expect(await pipeline.books()).toEqual({ came: 9, went: 9 });
    const letters = await database.query(
      "SELECT code FROM dead_letters WHERE code IN ('no_records', 'malformed_json') ORDER BY code",
    );
    expect(letters).toEqual([{ code: 'malformed_json' }, { code: 'no_records' }]);
  },
  90_000,
);

it('goes on from what another process has taught a device, when the queue comes back to it', async () => {
  const proxy = await startFaultProxy(rabbitmq.port);
  onTestFinished(() => proxy.close());
  const url = await rabbitmq.createVirtualHost();
  const overrides = { 'queue.partitions': 0, 'pipeline.checkpointIntervalMs': 100 };
  const begin = async (name: string, address: string): Promise<RunningPipeline> => {
    const pipeline = await startPipeline(database, temporaryDirectory(name), { ...overrides, 'queue.url': address });
    onTestFinished(() => pipeline.stop());
    return pipeline;
  };
  let second = 0;
  const publish = async (by: RunningPipeline, records: number): Promise<void> => {
    const record = () => ({
      device_id: 'handed-back',
      timestamp: new Date(EPOCH_MS + second++ * 1000).toISOString(),
      temperature: 90,
    });
    await by.publish(Array.from({ length: records }, record));
  };
  const learned = async (): Promise<number> => {
    const [row] = await database.query<{ count: number }>(
      "SELECT (state->>'temp_count')::int AS count FROM device_state WHERE device_id = 'handed-back' AND kind = 'stats'",
    );
    return row?.count ?? 0;
  };
  const first = await begin('first', url.replace(`:${rabbitmq.port}`, `:${proxy.port}`));
  await publish(first, 50);
  await expect.poll(learned).toBe(50);
  const other = await begin('other', url);
  proxy.cut(); // the other one has the queue now, and the first one waits behind it
  await publish(other, 40);
  await expect.poll(learned).toBe(90);
  await other.stop();
  const publisher = await begin('publisher', url); // behind the first one
  await publish(publisher, 1);
  await expect.poll(learned).toBe(91);
}, 90_000);
