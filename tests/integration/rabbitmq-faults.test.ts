import { gzipSync } from 'node:zlib';
import { connect } from 'amqplib';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Broker } from '../../src/queue/queue.js';
import { openRabbitmqBroker, type RabbitmqBrokerOptions } from '../../src/queue/rabbitmq-broker.js';
import { Collector, idOf, message } from '../contracts/queue.js';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.js';
import { publishUntilTaken, Traffic, upTo } from '../support/queue-traffic.js';
import { startRabbitmq, type RabbitmqServer } from '../support/rabbitmq.js';
import { recordEvents } from '../support/record-events.js';

let rabbitmq: RabbitmqServer;
let proxy: FaultProxy;
let prefix: string;
let tests = 0;

beforeAll(async () => {
  rabbitmq = await startRabbitmq();
  proxy = await startFaultProxy(rabbitmq.port);
});
afterAll(async () => {
  await proxy.close();
  await rabbitmq.remove();
});
beforeEach(() => {
  prefix = `test-${++tests}.`;
});

async function open(options: Partial<RabbitmqBrokerOptions> & { address?: string } = {}): Promise<Broker> {
  const url = new URL(options.address ?? rabbitmq.url);
  const events = recordEvents();
  const broker = await openRabbitmqBroker({
    url,
    prefix,
    events,
    heartbeatSeconds: 1,
    publishTimeoutMs: 1000,
    newQueueRestMs: 0,
    ...options,
  });
  onTestFinished(() => broker.close());
  return broker;
}

/** What an operator or another program does on the broker. */
async function asThirdParty<T>(
  work: (channel: Awaited<ReturnType<typeof openChannel>>['channel']) => Promise<T>,
): Promise<T> {
  const { connection, channel } = await openChannel();
  try {
    return await work(channel);
  } finally {
    await connection.close();
  }
}
async function openChannel() {
  const connection = await connect(rabbitmq.url);
  return { connection, channel: await connection.createConfirmChannel() };
}

const untilSeen = async (collector: Collector, ids: readonly number[]): Promise<void> => {
  while (!ids.every((id) => collector.ids.includes(id))) await collector.received(collector.deliveries.length + 1);
};

describe('RabbitMQ in trouble', () => {
  it('loses and reorders nothing when connections are cut while it publishes and consumes', async () => {
    const broker = await open({ address: rabbitmq.urlAt(proxy.port) });
    const traffic = new Traffic(broker);
    await traffic.consume(50);
    for (let round = 0; round < 3; round++) {
      await traffic.publish(50);
      proxy.cut();
      await traffic.publish(50);
    }
    await traffic.finish();
    expect(traffic.seen).toEqual(upTo(300));
  });

  it('comes back when a connection is cut just as a channel of it says good-bye', async () => {
    const events = recordEvents();
    const broker = await open({ address: rabbitmq.urlAt(proxy.port), events });
    const collector = await Collector.on(broker.telemetry);
    // Both connections say it, queue by queue, while they are set up anew.
    for (const number of upTo(8)) {
      const cut = proxy.once('before', 'Goodbye', () => proxy.cut());
      if (number === 0) proxy.cut();
      await cut;
    }
    await publishUntilTaken(broker, message(0));
    await untilSeen(collector, [0]);
    expect(events.named('queue_connection_retried').length).toBeGreaterThan(0);
  });

  it('refuses in time while the connection hangs, and goes on by itself; old deliveries are settled without effect', async () => {
    const events = recordEvents();
    const broker = await open({ address: rabbitmq.urlAt(proxy.port), events });
    const collector = await Collector.on(broker.telemetry);
    await broker.telemetry.publish(upTo(5).map((id) => message(id)));
    await collector.received(5);
    proxy.hang();
    await expect(broker.telemetry.publish([message(5)])).rejects.toMatchObject({
      code: 'queue_unavailable',
      retryable: true,
    });
    expect((await broker.telemetry.health()).publishing.ok).toBe(false);
    const settled = collector.consumer.acknowledgeThrough(3);
    while (events.named('queue_connection_lost').length < 2) await new Promise((resolve) => setTimeout(resolve, 50));
    await settled;
    proxy.heal();
    await publishUntilTaken(broker, message(6));
    await untilSeen(collector, [6]);
    const again = collector.deliveries.slice(5).filter(({ redelivered }) => redelivered);
    expect(again.map(idOf)).toEqual(expect.arrayContaining([3, 4]));
    await collector.acknowledge(5); // of the connection that is gone
    await collector.acknowledge(collector.deliveries.length);
    await expect.poll(() => broker.telemetry.depth().messages, { timeout: 10_000 }).toBe(0);
  });

  it('refuses while the broker is short of memory, and consumes meanwhile', async () => {
    const events = recordEvents();
    const broker = await open({ events });
    await broker.telemetry.publish([message(0)]);
    await rabbitmq.control('set_vm_memory_high_watermark', '0.00001');
    try {
      // The broker tells a publisher that it is blocked when it publishes.
      await expect(broker.telemetry.publish([message(1)])).rejects.toMatchObject({
        code: 'queue_full',
        retryable: true,
      });
      expect(events.named('queue_blocked').length).toBeGreaterThan(0);
      const { publishing, consuming } = await broker.telemetry.health();
      expect([publishing, consuming.ok]).toEqual([
        { ok: false, detail: expect.stringContaining('for want of memory or disk') as string },
        true,
      ]);
      const collector = await Collector.on(broker.telemetry);
      await collector.acknowledge(1);
      expect(collector.ids).toEqual([0]);
    } finally {
      await rabbitmq.control('set_vm_memory_high_watermark', '0.4');
    }
    await publishUntilTaken(broker, message(2));
    expect(events.named('queue_unblocked').length).toBe(1);
    expect((await broker.telemetry.health()).publishing.ok).toBe(true);
  });

  it('refuses at the length limit of a policy instead of dropping the oldest', async () => {
    const broker = await open();
    await rabbitmq.control('set_policy', 'short', `^${prefix}telemetry_queue$`, '{"max-length": 3}');
    const results = await Promise.allSettled(upTo(20).map((id) => publishLater(broker, id)));
    const refused = results.filter(({ status }) => status === 'rejected');
    expect(refused.length).toBeGreaterThan(0);
    for (const { reason } of refused as PromiseRejectedResult[]) expect(reason).toMatchObject({ code: 'queue_full' });
    const collector = await Collector.on(broker.telemetry);
    await collector.received(results.length - refused.length);
    expect(collector.ids[0]).toBe(0);
  });

  it('hands over to a second process only when the first is gone, from the first unacknowledged message on', async () => {
    const [first, second] = [await open(), await open()];
    const one = await Collector.on(first.telemetry);
    const two = await Collector.on(second.telemetry);
    await first.telemetry.publish(upTo(10).map((id) => message(id)));
    await one.acknowledge(4);
    await one.received(10);
    expect(two.ids).toEqual([]);
    await first.close();
    await two.received(6);
    expect(two.ids).toEqual([4, 5, 6, 7, 8, 9]);
  });

  it('bounds what a backlog of large messages takes in memory, in order and without repetition', async () => {
    const broker = await open();
    await broker.telemetry.publish(upTo(300).map((id) => message(id, { pad: 1000 })));
    const collector = await Collector.on(broker.telemetry, 1000, 10_000);
    for (let count = 1; count <= 300; count++) await collector.acknowledge(count);
    expect(collector.ids).toEqual(upTo(300));
    await expect.poll(() => broker.telemetry.depth().messages).toBe(0);
  });

  it('knows of what it does not keep of a backlog while nothing is acknowledged', async () => {
    const { telemetry } = await open({ observeIntervalMs: 20 });
    await telemetry.publish(Array.from({ length: 50 }, (_, id) => message(id, { pad: 5000 })));
    const collector = await Collector.on(telemetry, 1000, 11_000);
    await collector.received(2);
    for (let look = 0; look < 50; look++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(telemetry.depth().messages).toBe(50);
    }
    for (let out = 2; out <= 50; out++) await collector.acknowledge(out);
    await expect.poll(() => telemetry.depth()).toEqual({ messages: 0, records: 0, bytes: 0 });
  });

  it('says that nothing takes a message, and does not lose it', async () => {
    const broker = await open();
    await asThirdParty((channel) => channel.unbindQueue(`${prefix}telemetry_queue`, `${prefix}telemetry`, 'telemetry'));
    await expect(broker.telemetry.publish([message(0)])).rejects.toMatchObject({ code: 'queue_unroutable' });
    await expect.poll(() => broker.telemetry.depth().messages).toBe(0);
  });

  it('makes a queue anew that somebody deleted, and goes on consuming from it', async () => {
    const broker = await open();
    const traffic = new Traffic(broker);
    await traffic.consume();
    await traffic.publish(5);
    await asThirdParty((channel) => channel.deleteQueue(`${prefix}telemetry_queue`));
    await expect
      .poll(
        () =>
          broker.telemetry.publish([message(5)]).then(
            () => 'taken',
            () => 'refused',
          ),
        { timeout: 10_000 },
      )
      .toBe('taken');
    await untilSeen(traffic.collector, [5]);
  });

  it('explains a queue that is not as it has to be', async () => {
    await asThirdParty((channel) => channel.assertQueue(`${prefix}telemetry_queue`, { durable: true }));
    const failure = await open().catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'queue_topology_mismatch', retryable: false });
    expect(String(failure)).toMatch(
      /telemetry_queue.* has x-dead-letter-exchange = none, and this program needs .*dlx.*delete_queue/,
    );
  });

  it('says why it cannot connect', async () => {
    const wrongPassword = rabbitmq.url.replace('guest:guest', 'guest:wrong');
    await expect(open({ address: wrongPassword })).rejects.toMatchObject({ code: 'queue_access_refused' });
    await expect(open({ address: `${rabbitmq.url}/nowhere` })).rejects.toMatchObject({ code: 'queue_access_refused' });
    await expect(open({ address: 'amqp://127.0.0.1:1' })).rejects.toMatchObject({
      code: 'queue_unavailable',
      retryable: true,
    });
  });

  it('serves messages of third parties: plain, NDJSON, gzip, and such that only say so', async () => {
    const broker = await open();
    const body = Buffer.from('{"device_id":"a"}\n{"device_id":"b"}');
    await asThirdParty(async (channel) => {
      const queue = `${prefix}telemetry_queue`;
      channel.sendToQueue(queue, body);
      channel.sendToQueue(queue, gzipSync(body), {
        contentType: 'application/x-ndjson',
        contentEncoding: 'gzip',
        appId: 'plc 7',
      });
      channel.sendToQueue(queue, body, { contentEncoding: 'gzip', headers: { records: 'many', received_us: -1 } });
      channel.sendToQueue(queue, gzipSync(Buffer.alloc(64 * 1024 * 1024)), { contentEncoding: 'gzip' });
      await channel.waitForConfirms();
    });
    const collector = await Collector.on(broker.telemetry);
    const deliveries = await collector.received(4);
    const foreign = {
      schemaVersion: 1,
      contentType: 'application/json',
      records: null,
      receivedUs: null,
      source: 'amqp',
    };
    expect(deliveries.map(({ headers }) => headers)).toEqual([
      foreign,
      { ...foreign, contentType: 'application/x-ndjson', source: 'plc 7' },
      foreign,
      foreign,
    ]);
    for (const delivery of deliveries.slice(0, 3)) expect(Buffer.compare(delivery.body, body)).toBe(0);
    expect(deliveries[3]?.body.byteLength).toBeLessThan(100_000);
  });
});

/** One after the other, so that the limit is seen. */
async function publishLater(broker: Broker, id: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, id * 20));
  await broker.telemetry.publish([message(id)]);
}
