import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Broker } from '../../src/queue/queue.js';
import { openRabbitmqBroker, type RabbitmqBrokerOptions } from '../../src/queue/rabbitmq-broker.js';
import { Traffic, upTo } from '../support/queue-traffic.js';
import { startRabbitmq, type RabbitmqServer } from '../support/rabbitmq.js';
import { recordEvents } from '../support/record-events.js';

let rabbitmq: RabbitmqServer;
let tests = 0;

beforeAll(async () => {
  rabbitmq = await startRabbitmq();
});
afterAll(() => rabbitmq.remove());

async function open(options: Partial<RabbitmqBrokerOptions> = {}): Promise<Broker> {
  const prefix = `test-${++tests}.`;
  const url = new URL(rabbitmq.url);
  const broker = await openRabbitmqBroker({ url, prefix, events: recordEvents(), publishTimeoutMs: 1000, ...options });
  onTestFinished(() => broker.close());
  return broker;
}

describe.each(['stop', 'kill'] as const)('after a %s of RabbitMQ', (ending) => {
  it('everything confirmed is there, in order; publisher and consumer come back by themselves', async () => {
    const events = recordEvents();
    const broker = await open({ events });
    const traffic = new Traffic(broker);
    await traffic.publish(200);
    await traffic.consume(5); // most of it still waits
    const publishing = traffic.publish(200);
    await expect.poll(() => traffic.seen.length, { interval: 5 }).toBeGreaterThan(20);
    await rabbitmq[ending]();
    await rabbitmq.restart();
    await publishing;
    await traffic.finish();
    expect(traffic.seen).toEqual(upTo(400));
    for (const purpose of ['publishing', 'consuming'])
      expect(events.named('queue_connection_restored')).toContainEqual({ purpose });
    await expect.poll(() => broker.telemetry.depth().messages, { timeout: 10_000 }).toBe(0);
    await expect.poll(() => broker.failed.depth().messages).toBe(0);
  }, 240_000);
});

describe('a queue that was made just before the broker was killed', () => {
  it('has what was confirmed, since nothing is published before the broker remembers it', async () => {
    const broker = await open();
    const traffic = new Traffic(broker);
    await traffic.publish(10);
    await rabbitmq.kill();
    await rabbitmq.restart();
    await traffic.consume();
    await traffic.finish();
    expect(traffic.seen).toEqual(upTo(10));
  }, 120_000);

  it('has no leader otherwise: that is said, and all goes on when it has one', async () => {
    const events = recordEvents();
    const broker = await open({ events, newQueueRestMs: 0 });
    const forgotten = new Traffic(broker);
    await forgotten.publish(10);
    await rabbitmq.kill();
    await rabbitmq.restart();
    const traffic = new Traffic(broker);
    await traffic.consume(); // comes as soon as there is something to consume from
    await expect
      .poll(() => events.named('queue_connection_restored'), { timeout: 20_000 })
      .toContainEqual({ purpose: 'publishing' });
    await expect(traffic.publishOnce(3)).resolves.toBe(0);
    await expect
      .poll(() => events.named('queue_connection_retried').map(({ error }) => String(error)), { timeout: 60_000 })
      .toContainEqual(expect.stringMatching(/no consumer to .*telemetry_queue.*no leader/));
    await rabbitmq.control('eval', '[ra:trigger_election({N, node()}) || {N, follower} <- ets:tab2list(ra_state)].');
    await traffic.publish(10);
    await traffic.finish();
  }, 240_000);
});
