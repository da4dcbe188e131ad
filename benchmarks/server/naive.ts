/**
 * The design that suggests itself, as a peer: one message a record, each acknowledged; per record one read and one write of
 * its device's statistics in Redis; every thousand records a transaction of a thousand INSERTs, as `executemany` does.
 */
import { connect, type ConsumeMessage } from 'amqplib';
import { Redis } from 'ioredis';
import pg from 'pg';
import { CHANNEL_NAMES } from '../../src/telemetry/channels.js';
import { measurement, median, type Measurement } from '../measurement.js';
import { telemetryMessages } from '../workload.js';
import { drain, fill, perSecond } from './drain.js';
import { withServices, type Services } from './services.js';

const NAIVE_RECORDS = 20_000;
const RECORDS = 600_000;
const DEVICES = 5000;
const BATCH = 1000;
const ROUNDS = 3;
const Z_THRESHOLD = 3;

interface NaiveRecord extends Record<string, number | string> {
  readonly device_id: string;
  readonly timestamp: string;
  readonly temperature: number;
}

export async function benchmarkNaiveDesign(): Promise<Measurement[]> {
  const endUs = Date.now() * 1000;
  const single = telemetryMessages({ records: NAIVE_RECORDS, endUs, devices: DEVICES, perMessage: 1 });
  const batched = telemetryMessages({ records: RECORDS, endUs, devices: DEVICES });
  return withServices(async (services) => {
    const ours: number[] = [];
    const naive: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      await services.clear();
      await fill(services, single);
      naive.push(await perSecond(NAIVE_RECORDS, () => drainNaively(services, NAIVE_RECORDS)));
      await services.clear();
      await fill(services, batched);
      ours.push((await drain(services, RECORDS)).recordsPerSecond);
    }
    return [
      measurement(
        'naive-design',
        median(ours),
        'records/s',
        'one message a record, two Redis calls a record, executemany of 1 000',
        median(naive),
        { database: services.databaseName },
      ),
    ];
  });
}

const COLUMNS = ['timestamp', 'device_id', ...CHANNEL_NAMES, 'data_quality_score', 'is_anomaly'];
const INSERT = `INSERT INTO telemetry (${COLUMNS.map((name) => `"${name}"`).join(', ')})
  VALUES (${COLUMNS.map((_, index) => `$${index + 1}`).join(', ')}) ON CONFLICT DO NOTHING`;

async function drainNaively({ queueUrl, databaseUrl, redis }: Services, records: number): Promise<void> {
  const broker = await connect(queueUrl);
  const channel = await broker.createChannel();
  const cache = new Redis(redis.url);
  const database = new pg.Client({ connectionString: databaseUrl });
  await database.connect();
  await channel.prefetch(BATCH);
  const waiting: ConsumeMessage[] = [];
  let wake: () => void = () => undefined;
  await channel.consume('telemetry_queue', (message) => {
    if (message === null) return;
    waiting.push(message);
    wake();
  });
  let batch: { message: ConsumeMessage; row: unknown[] }[] = [];
  for (let done = 0; done < records; done++) {
    while (waiting.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    const message = waiting.shift() as ConsumeMessage;
    const record = JSON.parse(message.content.toString('utf8')) as NaiveRecord;
    batch.push({ message, row: await judge(cache, record) });
    if (batch.length < BATCH && done < records - 1) continue;
    await database.query('BEGIN');
    for (const { row } of batch) await database.query(INSERT, row);
    await database.query('COMMIT');
    for (const written of batch) channel.ack(written.message);
    batch = [];
  }
  await channel.checkQueue('telemetry_queue');
  cache.disconnect();
  await database.end();
  await broker.close();
}

/** Reads the device's statistics, scores the record against them, and writes them back. */
async function judge(cache: Redis, record: NaiveRecord): Promise<unknown[]> {
  const key = `device:${record.device_id}:stats`;
  const stats = await cache.hgetall(key);
  const mean = Number(stats['temp_mean'] ?? record.temperature);
  const deviation = Number(stats['temp_std'] ?? 1);
  const isAnomaly = Math.abs(record.temperature - mean) > Z_THRESHOLD * deviation;
  await cache.hset(key, { temp_mean: mean * 0.99 + record.temperature * 0.01, temp_std: deviation });
  const missing = ['temperature', 'vibration', 'pressure', 'flow_rate'].filter((name) => record[name] === undefined);
  const channels = CHANNEL_NAMES.map((name) => record[name] ?? null);
  return [record.timestamp, record.device_id, ...channels, 1 - 0.15 * missing.length, isAnomaly];
}
