import { connect } from 'amqplib';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { startTelemetryRouter, type TelemetryRouter } from '../../src/ingest/telemetry-router.js';
import type { Broker, Consumer, Delivery, OutgoingMessage } from '../../src/queue/queue.js';
import { openRabbitmqBroker, type RabbitmqBrokerOptions } from '../../src/queue/rabbitmq-broker.js';
import { OperationalError } from '../../src/telemetry/operational-error.js';
import { partitionOf } from '../../src/telemetry/partition.js';
import { startFaultProxy } from '../support/fault-proxy.js';
import { startIngestServer } from '../support/ingest-server.js';
import { upTo } from '../support/queue-traffic.js';
import { startRabbitmq, type RabbitmqServer } from '../support/rabbitmq.js';
import { recordEvents, type RecordedEvents } from '../support/record-events.js';

const PARTITIONS = 4;
const DEVICES = upTo(12).map((number) => `ESP-${number}`);

let rabbitmq: RabbitmqServer;
let prefix: string;
let tests = 0;

beforeAll(async () => {
  rabbitmq = await startRabbitmq();
});
afterAll(() => rabbitmq.remove());
beforeEach(() => {
  prefix = `test-${++tests}.`;
});

type Options = Partial<RabbitmqBrokerOptions> & { readonly address?: string };

async function open(options: Options = {}): Promise<Broker> {
  const broker = await openRabbitmqBroker({
    url: new URL(options.address ?? rabbitmq.url),
    prefix,
    partitions: PARTITIONS,
    events: recordEvents(),
    publishTimeoutMs: 2000,
    newQueueRestMs: 0,
    ...options,
  });
  onTestFinished(() => broker.close());
  return broker;
}

async function startRouter(broker: Broker, events: RecordedEvents = recordEvents()): Promise<TelemetryRouter> {
  const { unpartitioned, telemetry, partitions } = broker;
  if (unpartitioned === undefined) throw new Error('the broker has no partitions');
  const router = await startTelemetryRouter({
    unpartitioned,
    telemetry,
    partitions,
    events,
    nowUs: () => Date.now() * 1000,
  });
  onTestFinished(() => router.stop());
  return router;
}

interface Report {
  readonly device_id: string;
  readonly number: number;
}

/** Report `number` of a device that takes turns with the others. */
const report = (number: number): Report => ({ device_id: DEVICES[number % DEVICES.length] as string, number });

const messageOf = (one: Report): OutgoingMessage => ({
  body: Buffer.from(JSON.stringify(one)),
  headers: { schemaVersion: 1, contentType: 'application/json', records: 1, receivedUs: 1, source: 'test' },
  partition: partitionOf(one.device_id, PARTITIONS),
});

function reportsOf({ body, headers }: Delivery): Report[] {
  const text = Buffer.from(body).toString();
  if (headers.contentType === 'application/x-ndjson') return text.split('\n').map((line) => JSON.parse(line) as Report);
  const value = JSON.parse(text) as Report | Report[];
  return Array.isArray(value) ? value : [value];
}

/** Whatever comes to any of several consumers, in the order in which it came. */
class Readers {
  readonly seen: (Report & { readonly reader: string; readonly delivery: Delivery })[] = [];
  readonly #lastTags = new Map<string, number>();
  readonly #consumers = new Map<string, Consumer>();
  #acknowledging = true;

  async add(reader: string, { telemetry }: Broker): Promise<void> {
    const consumer = await telemetry.consume({ prefetchMessages: 40, prefetchBytes: 2 ** 20 }, (delivery) => {
      for (const one of reportsOf(delivery)) this.seen.push({ ...one, reader, delivery });
      this.#lastTags.set(reader, delivery.tag);
    });
    this.#consumers.set(reader, consumer);
    void this.#acknowledge(reader, consumer);
  }

  async #acknowledge(reader: string, consumer: Consumer): Promise<void> {
    while (this.#acknowledging && this.#consumers.get(reader) === consumer) {
      const tag = this.#lastTags.get(reader);
      if (tag !== undefined) await consumer.acknowledgeThrough(tag);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** No more acknowledgements of this one: what it has unacknowledged goes to the others when its broker is closed. */
  forget(reader: string): void {
    this.#consumers.delete(reader);
    this.#lastTags.delete(reader);
  }

  by(reader: string): number[] {
    return [...new Set(this.seen.filter((one) => one.reader === reader).map(({ number }) => number))];
  }

  /** Waits for all reports, and holds them to the promise: each came, none else, those of a device in order. */
  async finish(count: number): Promise<void> {
    await expect.poll(() => new Set(this.seen.map(({ number }) => number)).size, { timeout: 60_000 }).toBe(count);
    this.#acknowledging = false;
    for (const device of DEVICES) {
      const numbers = new Set(this.seen.filter(({ device_id: id }) => id === device).map(({ number }) => number));
      expect([...numbers]).toEqual(upTo(count).filter((number) => report(number).device_id === device));
    }
  }
}

async function publishAll(broker: Broker, from: number, count: number): Promise<void> {
  for (let number = from; number < from + count; number++) {
    for (;;) {
      try {
        await broker.telemetry.publish([messageOf(report(number))]);
        break;
      } catch (error) {
        if (!(error instanceof OperationalError) || !error.retryable) throw error;
      }
    }
  }
}

/** Straight into `telemetry_queue`, as programs of others do. */
async function publishUnsorted(bodies: readonly string[], properties: object = {}): Promise<void> {
  const connection = await connect(rabbitmq.url);
  const channel = await connection.createConfirmChannel();
  for (const body of bodies)
    channel.sendToQueue(`${prefix}telemetry_queue`, Buffer.from(body), { persistent: true, ...properties });
  await channel.waitForConfirms();
  await connection.close();
}

const isOfPartition =
  (...numbers: readonly number[]) =>
  (number: number): boolean =>
    numbers.includes(partitionOf(report(number).device_id, PARTITIONS));

describe('a queue in partitions', () => {
  it('keeps the order of each device when its consumer is closed midway and another takes over', async () => {
    const publisher = await open();
    const [first, second] = [await open(), await open()];
    const readers = new Readers();
    await readers.add('first', first);
    await readers.add('second', second);
    await publishAll(publisher, 0, 150);
    const publishing = publishAll(publisher, 150, 150);
    readers.forget('first');
    await first.close();
    await publishing;
    await readers.finish(300);
    expect(readers.by('first').length).toBeGreaterThan(0);
    expect(readers.by('second').length).toBeGreaterThan(0);
  }, 60_000);

  it('is shared by processes that consume parts of it; what waits for one comes when it is back', async () => {
    const publisher = await open();
    const lower = await open({ consumePartitions: [0, 1] });
    const readers = new Readers();
    await readers.add('lower', lower);
    await readers.add('upper', await open({ consumePartitions: [2, 3] }));
    await publishAll(publisher, 0, 100);
    readers.forget('lower');
    await lower.close();
    await publishAll(publisher, 100, 100);
    await readers.add('lower again', await open({ consumePartitions: [0, 1] }));
    await readers.finish(200);
    expect(readers.by('upper').toSorted((one, other) => one - other)).toEqual(upTo(200).filter(isOfPartition(2, 3)));
    expect(readers.by('lower again').filter((number) => number >= 100)).toEqual(
      expect.arrayContaining(upTo(200).filter((number) => number >= 100 && isOfPartition(0, 1)(number))),
    );
  }, 60_000);

  it('takes a request apart by device before it answers', async () => {
    const broker = await open();
    const server = await startIngestServer({ broker });
    onTestFinished(() => server.close());
    const readers = new Readers();
    await readers.add('lower', await open({ consumePartitions: [0, 1] }));
    await readers.add('upper', await open({ consumePartitions: [2, 3] }));
    const timestamp = new Date().toISOString();
    const records = upTo(60).map((number) => ({ ...report(number), timestamp, temperature: 90 }));
    const answer = await server.client.post('/v1/telemetry', records);
    expect(answer.status).toBe(202);
    await readers.finish(60);
    expect(readers.by('lower').toSorted((one, other) => one - other)).toEqual(upTo(60).filter(isOfPartition(0, 1)));
    for (const { delivery } of readers.seen) expect(delivery.headers.records).toBe(reportsOf(delivery).length);
  }, 60_000);

  it('answers 202 only when every part of a request is confirmed', async () => {
    const server = await startIngestServer({ broker: await open() });
    onTestFinished(() => server.close());
    const policy = `full-${tests}`;
    await rabbitmq.control('set_policy', policy, `^${prefix}telemetry_queue\\.1$`, '{"max-length": 1}');
    onTestFinished(async () => void (await rabbitmq.control('clear_policy', policy)));
    const timestamp = new Date().toISOString();
    const records = upTo(12).map((number) => ({ ...report(number), timestamp, temperature: 90 }));
    const elsewhere = records.filter(({ number }) => !isOfPartition(1)(number));
    expect(elsewhere.length).toBeLessThan(records.length);
    const post = async (sent: readonly object[]) => await server.client.post('/v1/telemetry', sent);
    // A quorum queue notices its limit a moment after it is passed.
    await expect.poll(async () => (await post(records)).status, { timeout: 30_000 }).toBe(503);
    expect((await post(elsewhere)).status).toBe(202);
    expect((await post(records)).status).toBe(503);
  }, 60_000);

  it('says when messages are left in a partition that is no longer one', async () => {
    const before = await open();
    await before.telemetry.publish([{ ...messageOf(report(0)), partition: 3 }]);
    await before.close();
    const events = recordEvents();
    await open({ partitions: 2, events });
    expect(events.named('queue_partition_left')).toEqual([{ queue: `${prefix}telemetry_queue.3`, messages: 1 }]);
  });
});

describe('what is published without a partition', () => {
  it('is sorted by device, whatever its form, and its headers go with it', async () => {
    const broker = await open();
    await startRouter(broker);
    const lines = upTo(24).map(report);
    await publishUnsorted([JSON.stringify(lines.slice(0, 12))], { appId: 'plc 7' });
    await publishUnsorted(
      [
        lines
          .slice(12)
          .map((line) => JSON.stringify(line))
          .join('\n'),
      ],
      {
        contentType: 'application/x-ndjson',
      },
    );
    const readers = new Readers();
    await readers.add('lower', await open({ consumePartitions: [0, 1] }));
    await readers.add('upper', await open({ consumePartitions: [2, 3] }));
    await readers.finish(24);
    expect(readers.by('upper').toSorted((one, other) => one - other)).toEqual(upTo(24).filter(isOfPartition(2, 3)));
    for (const { number, delivery } of readers.seen) {
      expect(delivery.headers.source).toBe(number < 12 ? 'plc 7' : 'amqp');
      expect(delivery.headers.records).toBe(reportsOf(delivery).length);
      expect(delivery.headers.receivedUs).toBeGreaterThan(0);
    }
  }, 60_000);

  it('loses and reorders nothing while connections are cut and the process that sorts is replaced', async () => {
    const proxy = await startFaultProxy(rabbitmq.port);
    onTestFinished(() => proxy.close());
    const [first, second] = [await open({ address: rabbitmq.urlAt(proxy.port) }), await open()];
    const router = await startRouter(first);
    await startRouter(second);
    const readers = new Readers();
    await readers.add('reader', await open());
    for (let part = 0; part < 5; part++) {
      await publishUnsorted(upTo(60).map((number) => JSON.stringify(report(part * 60 + number))));
      if (part < 3) proxy.cut();
      if (part === 3) {
        await router.stop();
        await first.close();
      }
    }
    await readers.finish(300);
    await expect.poll(() => second.telemetry.depth().messages, { timeout: 20_000 }).toBe(0);
    await expect.poll(() => second.failed.depth().messages).toBe(0);
  }, 90_000);

  it('waits while its partition cannot be written to, and goes on by itself; who takes over finds all of it', async () => {
    const [first, second] = [await open(), await open()];
    const events = recordEvents();
    const limitTo = (messages: number) =>
      rabbitmq.control('set_policy', 'full', `^${prefix}telemetry_queue\\..*$`, `{"max-length": ${messages}}`);
    await limitTo(1);
    const router = await startRouter(first, events);
    let count = 0;
    const publishUntilRefused = async (seen: RecordedEvents): Promise<void> => {
      // A quorum queue notices its limit a moment after it is passed.
      while (seen.named('routing_retried').length === 0) {
        await publishUnsorted(upTo(12).map((number) => JSON.stringify(report(count + number))));
        count += 12;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      expect(seen.named('routing_retried')[0]).toMatchObject({ code: 'queue_full' });
    };
    await publishUntilRefused(events);
    await router.stop(); // with messages in its hands that are nowhere else
    await first.close();
    const later = recordEvents();
    await startRouter(second, later);
    await publishUntilRefused(later);
    await limitTo(1000); // without any the broker would go on refusing those that it has refused
    const readers = new Readers();
    await readers.add('reader', second);
    await readers.finish(count);
  }, 60_000);
});
