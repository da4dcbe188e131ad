import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { migrate } from '../../src/storage/migrator.js';
import { ServerDatabase } from '../../src/storage/server-database.js';
import type { Database } from '../../src/storage/database.js';
import { startFaultProxy } from '../support/fault-proxy.js';
import { silentEvents } from '../support/inspection.js';
import { startPipeline } from '../support/pipeline.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const EPOCH_MS = Date.UTC(2026, 10, 1);
const at = (second: number): string => new Date(EPOCH_MS + second * 1000).toISOString();

let server: PostgresServer;
let url: string;
let database: Database;

beforeAll(async () => {
  server = await startPostgres();
  url = await server.createDatabase();
  database = await open(url);
  await migrate(database, { events: silentEvents(), subset: 'plain' });
});
afterAll(async () => {
  await database.close();
  await server.remove();
});
beforeEach(() =>
  database.script('TRUNCATE telemetry, devices, episode_states, device_latest, device_state, dead_letters, late_days'),
);

function open(address: string): Promise<Database> {
  return ServerDatabase.open({ url: address, poolSize: 6, statementTimeoutMs: 30_000 }, silentEvents());
}

const deadLetterCodes = (): Promise<{ code: string; letters: number }[]> =>
  database.query('SELECT code, count(*) AS letters FROM dead_letters GROUP BY code ORDER BY code');

describe('pipeline', () => {
  it('does not wait for more records than its prefetch can hold', async () => {
    const pipeline = await startPipeline(database, temporaryDirectory('large'), { 'pipeline.batchIntervalMs': 60_000 });
    const space = ' '.repeat(900_000);
    for (let second = 0; second < 40; second++)
      await pipeline.publishText(JSON.stringify({ device_id: 'esp-1', timestamp: at(second) }) + space, 1);
    const rows = (): Promise<unknown[]> => database.query('SELECT 1 FROM telemetry');
    await expect.poll(async () => (await rows()).length).toBeGreaterThan(30);
    await pipeline.stop();
  });

  it('arrives at the same keys and values for any split, order and repetition of the same reports', async () => {
    const CHANNELS = ['temperature', 'vibration', 'motor_current', 'rpm'] as const;
    // What a channel reads is a function of device and second: reports of one instant never contradict each other.
    const valueOf = (device: number, second: number, channel: number): number => 1 + device + second + channel * 7;
    const report = fc.record({
      device: fc.nat(2),
      second: fc.nat(5),
      channels: fc.subarray([0, 1, 2, 3], { minLength: 1 }),
    });
    const scenario = fc.array(report, { minLength: 1, maxLength: 40 }).chain((reports) =>
      fc.record({
        reports: fc.constant(reports),
        sent: fc.shuffledSubarray([...reports, ...reports, ...reports], { minLength: reports.length * 3 }),
        sizes: fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
      }),
    );
    const pipeline = await startPipeline(database, temporaryDirectory('order'));
    await fc.assert(
      fc.asyncProperty(scenario, async ({ reports, sent, sizes }) => {
        await database.execute('TRUNCATE telemetry');
        const records = sent.map(({ device, second, channels }) => {
          const values = channels.map((channel): [string, number] => [
            CHANNELS[channel] as string,
            valueOf(device, second, channel),
          ]);
          return { device_id: `esp-${device}`, timestamp: at(second), ...Object.fromEntries(values) };
        });
        for (let from = 0, turn = 0; from < records.length; turn++) {
          const size = sizes[turn % sizes.length] as number;
          await pipeline.publish(records.slice(from, from + size));
          from += size;
        }
        await pipeline.drained();
        const expected = new Map<string, Set<number>>();
        for (const { device, second, channels } of reports) {
          const key = `${device} ${second}`;
          for (const channel of channels) expected.set(key, (expected.get(key) ?? new Set()).add(channel));
        }
        const rows = await database.query(
          `SELECT device_id, (extract(epoch FROM "timestamp") * 1000)::bigint AS ms, ${CHANNELS.join(', ')} FROM telemetry`,
        );
        expect(rows.length).toBe(expected.size);
        for (const row of rows) {
          const device = Number((row['device_id'] as string).slice(4));
          const second = ((row['ms'] as number) - EPOCH_MS) / 1000;
          const present = expected.get(`${device} ${second}`);
          CHANNELS.forEach((channel, index) =>
            expect(row[channel]).toBe(present?.has(index) ? valueOf(device, second, index) : null),
          );
        }
        expect(await deadLetterCodes()).toEqual([]);
      }),
      { numRuns: 25 },
    );
    const { came, went } = await pipeline.books();
    expect(went).toBe(came);
    await pipeline.stop();
  });

  it('lets no bad record take a good one with it, and accounts for each', async () => {
    const pipeline = await startPipeline(database, temporaryDirectory('bad'), { 'pipeline.maxDevices': 3 });
    const good = Array.from({ length: 50 }, (_, index) => ({
      device_id: `esp-${index % 2}`,
      timestamp: at(index),
      temperature: 70,
      pressure: -9999,
    }));
    await pipeline.publish([
      ...good,
      { device_id: 'esp-0', timestamp: '2999-01-01T00:00:00Z' },
      17,
      { device_id: 'esp-0', timestamp: at(999), rpm: 'fast' },
    ]);
    await pipeline.publish([{ ...good[0], temperature: 71 }]); // contradicts the first
    await pipeline.publish([good[1]]); // the same again
    await pipeline.publish([{ ...good[2], rpm: 2900 }]); // adds a channel
    await pipeline.publish(
      ['esp-2', 'esp-3', 'esp-4'].map((device_id) => ({ device_id, timestamp: at(0), temperature: 70 })),
    );
    await pipeline.broker.telemetry.publish([
      {
        body: Buffer.from([0x7b, 0xff]),
        headers: {
          schemaVersion: 1,
          contentType: 'application/json',
          records: 1,
          receivedUs: null,
          source: 'stranger',
        },
      },
    ]);
    // Nested far beyond what JSON.stringify or PostgreSQL could take, from somebody who does not use the API.
    const deep = `[{"device_id":"esp-0","timestamp":"${at(1)}","temperature":${'['.repeat(50_000)}${']'.repeat(50_000)}},{"device_id":"esp-0","timestamp":"${at(900)}"}]`;
    await pipeline.broker.telemetry.publish([
      {
        body: Buffer.from(deep),
        headers: {
          schemaVersion: 1,
          contentType: 'application/json',
          records: 2,
          receivedUs: null,
          source: 'stranger',
        },
      },
    ]);
    await pipeline.drained();
    expect(await deadLetterCodes()).toEqual([
      { code: 'conflict', letters: 1 },
      { code: 'future_timestamp', letters: 1 },
      { code: 'malformed_json', letters: 1 },
      { code: 'not_an_object', letters: 1 },
      { code: 'too_many_devices', letters: 2 },
      { code: 'wrong_type', letters: 2 },
    ]);
    const outcome = (name: string): Promise<number> =>
      pipeline.metrics.value('telemetry_records_total', { outcome: name });
    expect([
      await outcome('stored'),
      await outcome('merged'),
      await outcome('duplicate'),
      await outcome('dead_lettered'),
    ]).toEqual([52, 1, 1, 8]);
    const [conflict] = await database.query<{ original: Uint8Array; error: string }>(
      `SELECT original, error FROM dead_letters WHERE code = 'conflict'`,
    );
    expect(JSON.parse(Buffer.from(conflict?.original as Uint8Array).toString())).toEqual([
      { ...good[0], temperature: 71 },
    ]);
    expect(conflict?.error).toContain('temperature');
    const [row] = await database.query(`SELECT pressure, raw_values FROM telemetry WHERE raw_values IS NOT NULL`);
    expect(row).toEqual({ pressure: null, raw_values: { pressure: -9999 } });
    await pipeline.stop();
  });

  it('holds what it has through an outage of the database: nothing lost, nothing twice, order kept', async () => {
    const proxy = await startFaultProxy(server.port);
    const through = new URL(url);
    through.port = String(proxy.port);
    const flaky = await open(through.href);
    const pipeline = await startPipeline(flaky, temporaryDirectory('outage'));
    let second = 0;
    const publishSome = async (messages: number): Promise<void> => {
      for (let message = 0; message < messages; message++) {
        await pipeline.publish(
          Array.from({ length: 20 }, () => ({
            device_id: 'esp-1',
            timestamp: at(second),
            temperature: 60 + (second++ % 3),
          })),
        );
      }
    };
    await publishSome(10);
    await pipeline.drained();
    proxy.refuse();
    await publishSome(30);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(pipeline.broker.telemetry.depth().records).toBe(600);
    await publishSome(5);
    proxy.heal();
    await pipeline.drained();
    expect(await pipeline.metrics.value('telemetry_write_retries_total')).toBeGreaterThan(0);
    const [counted] = await database.query(
      'SELECT count(*) AS rows, count(*) FILTER (WHERE quality_flags & (1 << 24) <> 0) AS unjudged FROM telemetry',
    );
    expect(counted).toEqual({ rows: second, unjudged: 0 });
    const { came, went } = await pipeline.books();
    expect([came, went]).toEqual([second, second]);
    await pipeline.stop();
    await flaky.close();
    await proxy.close();
  });

  it.each([
    ['an orderly stop', true],
    ['a crash before the first checkpoint', false],
  ])('remembers its devices after %s', async (_, orderly) => {
    const directory = temporaryDirectory('memory');
    const first = await startPipeline(database, directory, {
      'detection.detector': 'z-score',
      'detection.warmUpRecords': 30,
    });
    const startMs = Date.now() - 200_000;
    const reading = (index: number, temperature: number): Record<string, unknown> => ({
      device_id: 'esp-1',
      timestamp: new Date(startMs + index * 1000).toISOString(),
      temperature,
    });
    await first.publish(Array.from({ length: 100 }, (_unused, index) => reading(index, 80 + (index % 2))));
    await first.drained();
    await first.stop();
    if (!orderly) await database.execute('TRUNCATE device_state');
    const second = await startPipeline(database, directory, {
      'detection.detector': 'z-score',
      'detection.warmUpRecords': 30,
    });
    await second.publish([reading(100, 80.5), reading(110, 95), reading(50, 80)]);
    await second.drained();
    const rows = await database.query(
      `SELECT temperature, is_anomaly, anomaly_score > 3 AS far, anomaly_cause FROM telemetry ORDER BY "timestamp" DESC LIMIT 2`,
    );
    expect(rows).toEqual([
      { temperature: 95, is_anomaly: true, far: true, anomaly_cause: 0 },
      { temperature: 80.5, is_anomaly: false, far: false, anomaly_cause: null },
    ]);
    await second.stop();
  });

  it('answers an import when it is committed, and dead-letters what it cannot take', async () => {
    const pipeline = await startPipeline(database, temporaryDirectory('import'));
    const body = Buffer.from(
      [
        `{"device_id":"a","timestamp":"${at(0)}","temperature":70}`,
        '{"device_id":',
        `{"device_id":"a","timestamp":"${at(0)}","temperature":70}`,
      ].join('\n'),
    );
    const headers = {
      schemaVersion: 1,
      contentType: 'application/x-ndjson',
      records: 3,
      receivedUs: null,
      source: 'import',
    } as const;
    expect(await pipeline.pipeline.ingestNow(body, headers)).toEqual({
      outcomes: { stored: 1, merged: 0, duplicate: 1, dead_lettered: 1, rejected: 0 },
    });
    expect(await database.query('SELECT count(*) AS rows FROM telemetry')).toEqual([{ rows: 1 }]);
    const { came, went } = await pipeline.books();
    expect([came, went]).toEqual([3, 3]);
    await pipeline.stop();
    await expect(pipeline.pipeline.ingestNow(body, headers)).rejects.toMatchObject({
      code: 'stopping',
      retryable: true,
    });
  });
});
