import { connect } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countWaiting } from '../../src/queue/rabbitmq-inspection.js';
import { startRabbitmq, type RabbitmqServer } from '../support/rabbitmq.js';
import { runCommand } from '../support/service.js';

let rabbitmq: RabbitmqServer;

beforeAll(async () => {
  rabbitmq = await startRabbitmq();
});
afterAll(() => rabbitmq.remove());

const queue = (url: string, ...args: string[]) => runCommand(['queue', ...args], { DOWNHOLE_QUEUE_URL: url });

describe('downhole queue', () => {
  it('declares what is missing and says so; what is there it leaves alone', async () => {
    const url = await rabbitmq.createVirtualHost();
    const missing = await queue(url, 'status');
    expect([missing.code, missing.stdout]).toEqual([1, expect.stringMatching(/telemetry_queue +missing +- +-/)]);
    expect(missing.stderr).toContain('queue declare');
    const first = await queue(url, 'declare');
    expect([first.code, first.stderr]).toEqual([0, '']);
    expect(first.stdout.split('\n')).toEqual([
      'created   exchange  dlx',
      'created   queue     telemetry.failed',
      'bound     binding   dlx → telemetry.failed (telemetry.failed)',
      'created   exchange  telemetry',
      'created   queue     telemetry_queue',
      'bound     binding   telemetry → telemetry_queue (telemetry)',
      '',
    ]);
    const second = await queue(url, 'declare');
    expect([second.code, second.stdout]).toEqual([0, first.stdout.replaceAll('created', 'present')]);
  }, 60_000);

  it('shows what waits and who consumes', async () => {
    const url = await rabbitmq.createVirtualHost();
    await queue(url, 'declare');
    const connection = await connect(url);
    const channel = await connection.createConfirmChannel();
    for (let id = 0; id < 3; id++) channel.publish('telemetry', 'telemetry', Buffer.from('{}'));
    await channel.waitForConfirms();
    await channel.consume('telemetry.failed', () => undefined);
    const status = await queue(url, 'status', '--json');
    // What the role jobs asks for where it has no queue itself.
    expect(await countWaiting({ url: new URL(url), partitions: 0 })).toBe(3);
    channel.publish('telemetry', 'telemetry', Buffer.from('{}'));
    await channel.waitForConfirms();
    expect(await countWaiting({ url: new URL(url), partitions: 2 })).toBe(4);
    await connection.close();
    expect([status.code, status.stderr]).toEqual([0, '']);
    expect(JSON.parse(status.stdout)).toEqual({
      queues: [
        { name: 'telemetry.failed', type: 'quorum', ready: 0, consumers: 1, problem: null },
        { name: 'telemetry_queue', type: 'quorum', ready: 3, consumers: 0, problem: null },
      ],
    });
  }, 60_000);

  it('names a queue that is not as it has to be, and how to get there', async () => {
    const url = await rabbitmq.createVirtualHost();
    const connection = await connect(url);
    const channel = await connection.createChannel();
    await channel.assertQueue('telemetry_queue', { durable: true });
    await connection.close();
    const declared = await queue(url, 'declare');
    expect(declared.code).toBe(1);
    expect(declared.stdout).toMatch(/^created +queue +telemetry\.failed$/m);
    expect(declared.stdout).toMatch(/^mismatch +queue +telemetry_queue$/m);
    expect(declared.stderr).toMatch(/x-dead-letter-exchange = none, and this program needs .*delete_queue/);
    const status = await queue(url, 'status');
    expect([status.code, status.stderr]).toEqual([1, declared.stderr]);
    expect(status.stdout).toMatch(/^telemetry_queue +mismatch +0 +0$/m);
  }, 60_000);

  it('is for RabbitMQ only, and says what is wrong with its address', async () => {
    const embedded = await runCommand(['queue', 'status']);
    expect([embedded.code, embedded.stdout]).toEqual([2, '']);
    expect(embedded.stderr).toMatch(/queue\.url is not set.*DOWNHOLE_QUEUE_URL/);
    const away = await queue('amqp://127.0.0.1:1', 'declare');
    expect([away.code, away.stdout]).toEqual([1, '']);
    expect(away.stderr).toContain('cannot be reached at 127.0.0.1:1');
    const help = await runCommand(['queue', 'declare', '--help']);
    expect([help.code, help.stdout]).toEqual([0, expect.stringContaining('DOWNHOLE_QUEUE_URL')]);
  }, 60_000);
});
