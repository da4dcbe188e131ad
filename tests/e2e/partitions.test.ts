import { connect } from 'amqplib';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { partitionOf } from '../../src/telemetry/partition.js';
import { startRabbitmq, type RabbitmqServer } from '../support/rabbitmq.js';
import { downhole, runCommand, startService, type Service } from '../support/service.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const PARTITIONS = 3;
const DEVICES = Array.from({ length: 12 }, (_, number) => `ESP-${number}`);

let rabbitmq: RabbitmqServer;
const services: Service[] = [];

beforeAll(async () => {
  rabbitmq = await startRabbitmq();
});
afterEach(async () => {
  for (const service of services.splice(0)) await service.kill();
});
afterAll(() => rabbitmq.remove());

const environment = (partitions = PARTITIONS): Record<string, string> => ({
  DOWNHOLE_QUEUE_URL: rabbitmq.url,
  DOWNHOLE_QUEUE_PARTITIONS: String(partitions),
});

async function start(role: string): Promise<Service> {
  const service = await startService(temporaryDirectory('partitions'), environment(), downhole(role));
  services.push(service);
  return service;
}

/** What `downhole queue status` says, by queue. */
async function ready(): Promise<Record<string, number>> {
  const { stdout } = await runCommand(['queue', 'status', '--json'], environment());
  const { queues } = JSON.parse(stdout) as { queues: { name: string; ready: number }[] };
  return Object.fromEntries(queues.map(({ name, ready: messages }) => [name, messages]));
}

const record = (device: string): object => ({
  device_id: device,
  timestamp: new Date().toISOString(),
  temperature: 81,
});

it('a request lands in the queue of each of its devices, and all of it in the table, what others publish too', async () => {
  expect(new Set(DEVICES.map((device) => partitionOf(device, PARTITIONS))).size).toBe(PARTITIONS);
  const ingest = await start('ingest');
  const answer = await fetch(`${ingest.url}/v1/telemetry`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(DEVICES.map(record)),
  });
  expect([answer.status, await answer.json()]).toEqual([202, expect.objectContaining({ accepted: 12 })]);
  const parts = { 'telemetry_queue.0': 1, 'telemetry_queue.1': 1, 'telemetry_queue.2': 1 };
  expect(await ready()).toEqual({ 'telemetry.failed': 0, telemetry_queue: 0, ...parts });

  const fewer = await runCommand(['queue', 'status'], environment(2));
  expect(fewer.code).toBe(1);
  expect(fewer.stdout).toMatch(/^telemetry_queue\.2 +not in use +1 +0$/m);
  expect(fewer.stderr).toMatch(/telemetry_queue\.2, and nobody reads them.*set it back/);

  const connection = await connect(rabbitmq.url);
  const channel = await connection.createConfirmChannel();
  channel.sendToQueue('telemetry_queue', Buffer.from(JSON.stringify(record('ESP-99'))), { persistent: true });
  await channel.waitForConfirms();
  await connection.close();

  const pipeline = await start('pipeline');
  const metrics = async () => await (await fetch(`${pipeline.url}/metrics`)).text();
  await expect.poll(metrics, { timeout: 60_000 }).toContain('telemetry_records_total{outcome="stored"} 13\n');
  const empty = { 'telemetry_queue.0': 0, 'telemetry_queue.1': 0, 'telemetry_queue.2': 0 };
  expect(await ready()).toEqual({ 'telemetry.failed': 0, telemetry_queue: 0, ...empty });
  expect(await pipeline.stop()).toBe(0);
  expect(await ingest.stop()).toBe(0);
}, 180_000);
