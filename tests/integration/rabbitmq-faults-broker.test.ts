/** What the broker does to its clients: time limits, alarms, deliveries without end. */
import { connect } from 'amqplib';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Broker } from '../../src/queue/queue.js';
import { openRabbitmqBroker, type RabbitmqBrokerOptions } from '../../src/queue/rabbitmq-broker.js';
import { Collector, message } from '../contracts/queue.js';
import { startFaultProxy } from '../support/fault-proxy.js';
import { publishUntilTaken, Traffic, upTo } from '../support/queue-traffic.js';
import { startRabbitmq, type RabbitmqServer } from '../support/rabbitmq.js';
import { recordEvents } from '../support/record-events.js';

const CONSUMER_TIMEOUT_MS = 2000;

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

/** How long a delivery may stay unacknowledged on channels that are opened from now on. */
async function setConsumerTimeout(milliseconds: number): Promise<void> {
  for (const [key, value] of [
    ['consumer_timeout', milliseconds],
    ['channel_tick_interval', 500],
  ] as const)
    await rabbitmq.control('eval', `application:set_env(rabbit, ${key}, ${value}).`);
}

async function open(options: Partial<RabbitmqBrokerOptions> & { address?: string } = {}): Promise<Broker> {
  const broker = await openRabbitmqBroker({
    url: new URL(options.address ?? rabbitmq.url),
    prefix,
    events: recordEvents(),
    publishTimeoutMs: 1000,
    newQueueRestMs: 0,
    ...options,
  });
  onTestFinished(() => broker.close());
  return broker;
}

describe('an outage of the consumer that outlasts the time limit of the broker', () => {
  it('costs repetitions and nothing else, however often the broker loses patience', async () => {
    await setConsumerTimeout(CONSUMER_TIMEOUT_MS);
    onTestFinished(() => setConsumerTimeout(1_800_000));
    const events = recordEvents();
    const broker = await open({ events });
    for (const id of upTo(20)) await broker.telemetry.publish([message(id)]);
    const collector = await Collector.on(broker.telemetry, 10);
    await collector.received(10);
    const resets = () => events.named('queue_connection_lost').length;
    await expect.poll(resets, { timeout: 60_000 }).toBeGreaterThanOrEqual(3);
    expect(collector.ids).toEqual(upTo(10)); // nothing piles up behind what is not acknowledged
    const acknowledgeAll = async () => {
      if (collector.deliveries.length > 0) await collector.acknowledge(collector.deliveries.length);
      return broker.telemetry.depth().messages;
    };
    await expect.poll(acknowledgeAll, { timeout: 30_000, interval: 20 }).toBe(0);
    expect([...new Set(collector.ids)]).toEqual(upTo(20));
    await expect.poll(() => broker.failed.depth().messages).toBe(0);
    const before = resets();
    await new Promise((resolve) => setTimeout(resolve, 2 * CONSUMER_TIMEOUT_MS));
    expect(resets()).toBe(before);
  }, 120_000);
});

describe('a message that is delivered over and over', () => {
  it('stays in its place, and never becomes a dead letter', async () => {
    const broker = await open();
    for (const id of upTo(3)) await broker.telemetry.publish([message(id)]);
    const connection = await connect(rabbitmq.url);
    for (let times = 0; times < 50; times++) {
      const channel = await connection.createChannel();
      await new Promise<void>((resolve, reject) => {
        channel.consume(`${prefix}telemetry_queue`, () => resolve()).catch(reject);
      });
      await channel.close();
    }
    await connection.close();
    const collector = await Collector.on(broker.telemetry);
    await collector.acknowledge(3);
    expect(collector.ids).toEqual(upTo(3));
    expect(collector.deliveries.every(({ redelivered }) => redelivered)).toBe(true);
    const observer = await open({ events: recordEvents() });
    await expect.poll(() => observer.failed.depth().messages).toBe(0);
  });
});

describe('a broker without disk', () => {
  it('refuses what it cannot keep, hands out what it has, and takes messages again by itself', async () => {
    const events = recordEvents();
    const broker = await open({ events });
    const traffic = new Traffic(broker);
    await traffic.publish(20);
    await rabbitmq.control('set_disk_free_limit', String(10 ** 15));
    try {
      await expect(broker.telemetry.publish([message(1000)])).rejects.toMatchObject({
        code: 'queue_full',
        retryable: true,
      });
      expect(await traffic.publishOnce(5)).toBe(0);
      expect(events.named('queue_blocked').length).toBe(1);
      await traffic.consume();
      await expect.poll(() => traffic.seen.slice(0, 20), { timeout: 10_000 }).toEqual(upTo(20));
    } finally {
      await rabbitmq.control('set_disk_free_limit', '1000000');
    }
    await traffic.publish(20);
    await traffic.finish(1000);
    expect(events.named('queue_unblocked').length).toBe(1);
  }, 60_000);
});

describe('a connection that is cut with many messages unconfirmed', () => {
  it('loses none that was confirmed, and leaves every other one to its caller', async () => {
    const proxy = await startFaultProxy(rabbitmq.port);
    onTestFinished(() => proxy.close());
    const broker = await open({ address: rabbitmq.urlAt(proxy.port), publishTimeoutMs: 10_000 });
    const traffic = new Traffic(broker);
    let confirmed = 0;
    for (let round = 0; round < 5; round++) {
      await publishUntilTaken(broker, message(100_000 + round)); // the connection is back
      const publishing = traffic.publishOnce(2000);
      await expect.poll(() => traffic.confirmed, { interval: 1, timeout: 10_000 }).toBeGreaterThan(confirmed);
      proxy.cut();
      expect(await publishing).toBeLessThan(2000);
      confirmed = traffic.confirmed;
    }
    await publishUntilTaken(broker, message(100_005));
    await traffic.consume(1000);
    await traffic.finish(...upTo(6).map((round) => 100_000 + round));
    await expect.poll(() => broker.telemetry.depth().messages).toBe(0);
  }, 60_000);
});
