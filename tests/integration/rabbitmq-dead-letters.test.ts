/** Dead letters that come through RabbitMQ: those of other programs, and messages that the broker itself gave up. */
import { connect, type Channel } from 'amqplib';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest';
import { startDeadLetterDrainer } from '../../src/queue/dead-letter-drainer.js';
import type { Broker } from '../../src/queue/queue.js';
import { openRabbitmqBroker } from '../../src/queue/rabbitmq-broker.js';
import type { Database, Row } from '../../src/storage/database.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { startRabbitmq, type RabbitmqServer } from '../support/rabbitmq.js';
import { recordEvents } from '../support/record-events.js';
import { openPlainTarget, type StorageTarget } from '../support/storage-targets.js';

let rabbitmq: RabbitmqServer;
let postgres: PostgresServer;
let target: StorageTarget;
let database: Database;

beforeAll(async () => {
  [rabbitmq, postgres] = await Promise.all([startRabbitmq(), startPostgres()]);
  target = await openPlainTarget(postgres);
  ({ database } = target);
}, 60_000);
afterAll(async () => {
  await target.remove();
  await Promise.all([postgres.remove(), rabbitmq.remove()]);
});
beforeEach(() => database.script('TRUNCATE dead_letters'));

/** A broker of ours with its drainer, and a channel as another program has it. */
async function setUp(): Promise<{ broker: Broker; channel: Channel }> {
  const url = await rabbitmq.createVirtualHost();
  const broker = await openRabbitmqBroker({ url: new URL(url), events: recordEvents() });
  const drainer = await startDeadLetterDrainer({ failed: broker.failed, database, events: recordEvents() });
  const connection = await connect(url);
  const channel = await connection.createChannel();
  onTestFinished(async () => {
    await drainer.stop();
    await broker.close();
    await connection.close();
  });
  return { broker, channel };
}

async function letters(count: number): Promise<Row[]> {
  for (;;) {
    const rows = await database.query(
      `SELECT code, device_id, error, convert_from(original, 'UTF8') AS original, headers, occurrences, state
       FROM dead_letters ORDER BY original`,
    );
    if (rows.length >= count) return rows;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const RECORD = '{"device_id":"esp-1","timestamp":"2026-11-23T18:22:08Z","temperature":1e999}';

it('takes what another program publishes to dlx, in whatever form', async () => {
  const { channel } = await setUp();
  const publish = (body: string | Buffer, options = {}): boolean =>
    channel.publish('dlx', 'telemetry.failed', Buffer.from(body), { persistent: true, ...options });
  publish(JSON.stringify({ original_message: '1 text', error: 'no such pump', timestamp: '2026-11-23T18:00:00Z' }), {
    headers: { failure_code: 'wrong_pump', failure_device_id: 'esp-1' },
  });
  // As a program in Python writes it: the record itself, a naive time, no headers at all.
  publish(`{"original_message": ${RECORD}, "error": "overflow", "timestamp": "2026-11-23T18:00:00.5"}`);
  publish('raw bytes', { headers: { failure_code: 7 } });
  publish(gzipSync('zipped'), { contentEncoding: 'gzip', contentType: 'application/x-ndjson' });
  expect(await letters(4)).toMatchObject([
    { code: 'wrong_pump', device_id: 'esp-1', error: 'no such pump', original: '1 text' },
    {
      code: 'unknown',
      device_id: null,
      error: expect.stringContaining('kept as it came') as string,
      original: 'raw bytes',
    },
    { code: 'unknown', original: 'zipped', headers: { contentType: 'application/x-ndjson' } },
    { code: 'unknown', error: 'overflow', original: RECORD, headers: { contentType: 'application/json' } },
  ]);
});

it('takes what RabbitMQ itself gives up, as it was published, and says where and why', async () => {
  const { broker, channel } = await setUp();
  channel.publish('telemetry', 'telemetry', Buffer.from(RECORD), { expiration: '1' });
  await letters(1);
  const lines = '{"device_id":"a"}\n{"device_id":"b"}';
  const headers = { schemaVersion: 1, records: 2, receivedUs: 1_790_000_000_000_000, source: 'key:7' };
  const body = Buffer.from(lines);
  await broker.telemetry.publish([{ body, headers: { ...headers, contentType: 'application/x-ndjson' } }]);
  await channel.consume('telemetry_queue', (message) => message && channel.nack(message, false, false));
  const [rejected, expired] = await letters(2);
  expect(rejected).toMatchObject({
    code: 'broker_rejected',
    device_id: null,
    original: lines,
    error: 'RabbitMQ gave the message up in telemetry_queue (rejected); it is kept as it was published',
    headers: { ...headers, contentType: 'application/x-ndjson' },
  });
  expect(expired).toMatchObject({ code: 'broker_expired', original: RECORD });
});
