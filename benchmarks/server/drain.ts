/**
 * Emptying a queue that was filled beforehand: decode, validate, convert, score, detect, Redis state, COPY with the unique
 * key, acknowledge. Its limit is the raw binary COPY of the same rows by two psql clients into the same table.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'amqplib';
import type { OutgoingMessage } from '../../src/queue/queue.js';
import { startPipeline } from '../../tests/support/pipeline.js';
import { measurement, median, type Measurement } from '../measurement.js';
import { telemetryMessages } from '../workload.js';
import { copyFiles, writeCopyFiles } from './raw-copy.js';
import { withServices, type Services } from './services.js';

const RECORDS = 1_500_000;
const DEVICES = 5000;
const ROUNDS = 3;
const CLIENTS = 2;
const MESSAGES_AT_ONCE = 4000;

export interface Drain {
  readonly recordsPerSecond: number;
  /** Processor time of the consuming process, microseconds a record. */
  readonly cpuUs: number;
  /** Resident at the end, MiB. */
  readonly residentMib: number;
}

/** The same with one record a message, as third parties publish them; its limit is consuming them and nothing else. */
export async function benchmarkSingleMessages(): Promise<Measurement[]> {
  const records = 300_000;
  const messages = telemetryMessages({ records, endUs: Date.now() * 1000, devices: DEVICES, perMessage: 1 });
  return withServices(async (services) => {
    const drains: Drain[] = [];
    const limits: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      await fill(services, messages);
      limits.push(await perSecond(records, () => consumeOnly(services.queueUrl, records)));
      await services.clear();
      await fill(services, messages);
      drains.push(await drain(services, records));
      process.stderr.write(`  ${Math.round(limits.at(-1) as number)} consumed, ${describe(drains.at(-1) as Drain)}\n`);
    }
    return [
      figure(
        'pipeline-single-messages',
        drains,
        'consuming alone, 1 000 messages an acknowledgement',
        limits,
        services,
      ),
    ];
  });
}

/** The `telemetry_queue` read by the bare client library. */
async function consumeOnly(url: string, messages: number): Promise<void> {
  const connection = await connect(url);
  const channel = await connection.createChannel();
  await channel.prefetch(20_000);
  let seen = 0;
  await new Promise<void>((resolve) => {
    void channel.consume('telemetry_queue', (message) => {
      if (message === null) return;
      if (++seen % 1000 === 0) channel.ack(message, true);
      if (seen === messages) resolve();
    });
  });
  await channel.checkQueue('telemetry_queue'); // the broker has read the last acknowledgement
  await connection.close();
}

export async function benchmarkPipelineDrain(): Promise<Measurement[]> {
  const messages = telemetryMessages({ records: RECORDS, endUs: Date.now() * 1000, devices: DEVICES });
  return withServices(async (services) => {
    const files = await writeCopyFiles(messages, services.dataDir, CLIENTS);
    const drains: Drain[] = [];
    const limits: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      await services.clear();
      limits.push(await perSecond(RECORDS, () => copyFiles(services.databaseUrl, files)));
      await services.clear();
      await fill(services, messages);
      drains.push(await drain(services, RECORDS));
      process.stderr.write(`  ${Math.round(limits.at(-1) as number)} raw, ${describe(drains.at(-1) as Drain)}\n`);
    }
    return [figure('pipeline-drain', drains, 'raw binary copy, two clients', limits, services)];
  });
}

function figure(
  name: string,
  drains: readonly Drain[],
  peer: string,
  limits: readonly number[],
  { databaseName }: Services,
): Measurement {
  const middle = (read: (drain: Drain) => number): number => median(drains.map(read));
  const value = middle(({ recordsPerSecond }) => recordsPerSecond);
  return measurement(name, value, 'records/s', peer, median(limits), {
    database: databaseName,
    cpu_us_per_record: Number(middle(({ cpuUs }) => cpuUs).toFixed(2)),
    resident_mib: Math.max(...drains.map(({ residentMib }) => residentMib)),
  });
}

const describe = ({ recordsPerSecond, cpuUs, residentMib }: Drain): string =>
  `drained ${Math.round(recordsPerSecond)} records/s, ${cpuUs.toFixed(2)} µs a record, ${residentMib} MiB`;

export async function perSecond(amount: number, run: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await run();
  return (amount / (performance.now() - startedMs)) * 1000;
}

/** Publishes everything, as fast as it is confirmed; records a second. */
export async function fill(services: Services, messages: readonly OutgoingMessage[]): Promise<number> {
  const broker = await services.openBroker();
  try {
    const records = messages.reduce((sum, { headers }) => sum + (headers.records ?? 1), 0);
    return await perSecond(records, async () => {
      for (let at = 0; at < messages.length; at += MESSAGES_AT_ONCE)
        await broker.telemetry.publish(messages.slice(at, at + MESSAGES_AT_ONCE));
    });
  } finally {
    await broker.close();
  }
}

/** Starts a pipeline on the filled queue and stops it when everything is acknowledged; checks that it is all there. */
export async function drain(services: Services, records: number): Promise<Drain> {
  const cpuBefore = process.cpuUsage();
  const startedMs = performance.now();
  const running = await startPipeline(services.database, services.dataDir, {
    'queue.url': services.queueUrl,
    'state.url': services.redis.url,
    'pipeline.batchIntervalMs': 1000,
  });
  for (;;) {
    const settled = await running.metrics.value('telemetry_records_total');
    if (settled >= records) break;
    await sleep(2);
  }
  const seconds = (performance.now() - startedMs) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  const residentMib = Math.round(process.memoryUsage.rss() / 1048576);
  await running.stop();
  const [row] = await services.database.query<{ count: number }>('SELECT count(*)::int AS count FROM telemetry');
  if (row?.count !== records) throw new Error(`${row?.count} of ${records} records are in the table`);
  return { recordsPerSecond: records / seconds, cpuUs: (user + system) / records, residentMib };
}
