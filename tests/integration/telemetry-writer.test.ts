import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database, Row } from '../../src/storage/database.js';
import { NOTHING_WRITTEN } from '../../src/storage/telemetry-sink.js';
import { TelemetryWriter } from '../../src/storage/telemetry-writer.js';
import { CHANNEL_NAMES, type ChannelName } from '../../src/telemetry/channels.js';
import { explainFlags, QualityFlag } from '../../src/telemetry/quality-flags.js';
import { OperationalError } from '../../src/telemetry/operational-error.js';
import { MICROS_PER_DAY, MICROS_PER_SECOND } from '../../src/telemetry/timestamp.js';
import { startFaultProxy } from '../support/fault-proxy.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { batchOf, type TestReading } from '../support/readings.js';
import { openMigratedTarget, openPlainTarget, type StorageTarget } from '../support/storage-targets.js';
import { timescaleTargets, type OpenedTarget } from '../support/timescale-targets.js';

const nowUs = (): number => Date.now() * 1000;
/** A whole second an hour ago: recent for every purpose. */
const RECENT_US = Math.floor(Date.now() / 1000 - 3600) * MICROS_PER_SECOND;

let devices = 0;
/** A device that no other test uses. */
const newDevice = (): string => `test-${++devices}`;

const stored = (database: Database, deviceId: string): Promise<Row[]> =>
  database.query(
    `SELECT *, (extract(epoch FROM "timestamp") * 1000000)::bigint AS us FROM telemetry WHERE device_id = $1 ORDER BY "timestamp"`,
    [deviceId],
  );

/** The channels that are not NULL. */
const channelsOf = (row: Row | undefined): Partial<Record<ChannelName, unknown>> =>
  Object.fromEntries(CHANNEL_NAMES.filter((name) => row?.[name] !== null).map((name) => [name, row?.[name]]));

const series = (deviceId: string, count: number, startUs: number, values: TestReading['values']): TestReading[] =>
  Array.from({ length: count }, (_, index) => ({
    deviceId,
    timestampUs: startUs + index * MICROS_PER_SECOND,
    values,
  }));

const TIMESCALE_TARGETS = timescaleTargets();
let server: PostgresServer;
let plain: StorageTarget;
const opened = new Map<string, OpenedTarget>();

beforeAll(async () => {
  server = await startPostgres();
  plain = await openPlainTarget(server);
  for (const target of TIMESCALE_TARGETS) opened.set(target.name, await openMigratedTarget(target));
}, 60_000);

afterAll(async () => {
  for (const target of opened.values()) await target.remove();
  await plain.remove();
  await server.remove();
});

const targetOf = (name: string): OpenedTarget => opened.get(name) as OpenedTarget;
const databaseOf = (name: string): Database => (opened.get(name) ?? plain).database;

describe.each([...TIMESCALE_TARGETS.map(({ name }) => name), 'PostgreSQL'])('the telemetry writer on %s', (name) => {
  let database: Database;
  let writer: TelemetryWriter;

  beforeAll(() => {
    database = databaseOf(name);
    writer = new TelemetryWriter(database, nowUs);
  });

  it('stores exactly what the batch says', async () => {
    const deviceId = `Bohrloch „Ü“ 井戸-${newDevice()}`;
    const instants = [-62_135_596_800_000_000, -1, 0, 946_684_799_999_999, 946_684_800_000_001, RECENT_US + 123_457];
    const values = { temperature: Math.fround(21.3), vibration: Math.fround(0.1), motor_voltage: 1e-30 };
    const flagsLow = QualityFlag.lateArrival | 0b10;
    const flagsHigh = 1 << 13;
    const rawValues = JSON.stringify({ vibration_y: -7, süß: [1, { a: null }] });
    const result = await writer.write(
      batchOf(
        instants.map((timestampUs) => ({
          deviceId,
          timestampUs,
          values,
          flagsLow,
          flagsHigh,
          rawValues,
          sourceSystem: 'höhe',
        })),
      ),
    );
    expect(result).toEqual({ ...NOTHING_WRITTEN, stored: 6, ingestionUs: expect.any(Number) as number });
    const rows = await stored(database, deviceId);
    expect(rows.map((row) => Number(row['us']))).toEqual(instants);
    for (const row of rows) {
      // As doubles: the text of a float4 is the shortest that reads back as the same float32.
      const exact = Object.entries(channelsOf(row)).map(([name, value]) => [name, Math.fround(Number(value))]);
      expect(Object.fromEntries(exact)).toEqual({ ...values, motor_voltage: Math.fround(1e-30) });
      expect(explainFlags(Number(row['quality_flags']))).toEqual({
        missing: ['vibration'],
        impossible: ['vibration_y'],
        flags: ['lateArrival'],
      });
      expect(row).toMatchObject({
        data_quality_score: 0.5,
        is_anomaly: false,
        anomaly_score: null,
        anomaly_cause: null,
        operating_state: 3,
        source_system: 'höhe',
        raw_values: JSON.parse(rawValues) as unknown,
      });
    }
  });

  it('says duplicate, merged or conflict for keys that are there', async () => {
    const deviceId = newDevice();
    const at = (second: number, values: TestReading['values'], more: Partial<TestReading> = {}): TestReading => ({
      deviceId,
      timestampUs: RECENT_US + second * MICROS_PER_SECOND,
      values,
      ...more,
    });
    await writer.write(
      batchOf([
        at(0, { temperature: 80, pressure: 100 }),
        at(1, { temperature: 81 }, { flagsLow: 0b1110, rawValues: '{"a":1}' }),
        at(2, { temperature: 82 }),
      ]),
    );
    const before = await stored(database, deviceId);
    const result = await writer.write(
      batchOf([
        at(0, { temperature: 80 }, { flagsLow: QualityFlag.lateArrival }),
        at(1, { vibration: 0.5 }, { flagsLow: 0b1101, flagsHigh: 1 << 3, rawValues: '{"a":2,"flow_rate":-9}' }),
        at(2, { temperature: 82.5, vibration: 1 }),
        at(3, { temperature: 83 }),
      ]),
    );
    expect(result).toMatchObject({ stored: 1, merged: 1, duplicate: 1, mergedRows: [1], duplicateRows: [0] });
    expect(result.refused).toEqual([
      {
        row: 2,
        rejection: { code: 'conflict', field: 'temperature', message: expect.stringContaining('82.5') as string },
      },
    ]);
    const after = await stored(database, deviceId);
    expect([after[0], after[2]]).toEqual([before[0], before[2]]);
    expect(channelsOf(after[1])).toEqual({ temperature: 81, vibration: 0.5 });
    expect(after[1]).toMatchObject({
      data_quality_score: 0.6,
      raw_values: { a: 1, flow_rate: -9 },
      ingestion_timestamp: before[1]?.['ingestion_timestamp'],
    });
    expect(explainFlags(Number(after[1]?.['quality_flags']))).toEqual({
      missing: ['pressure'],
      impossible: ['flow_rate'],
      flags: ['merged'],
    });
    expect(channelsOf(after[3])).toEqual({ temperature: 83 });
  });

  it('reconciles the rows of one batch with each other, the first one first', async () => {
    const deviceId = newDevice();
    const at = (values: TestReading['values']): TestReading => ({ deviceId, timestampUs: RECENT_US, values });
    const result = await writer.write(
      batchOf([at({ temperature: 80 }), at({ temperature: 80 }), at({ vibration: 1 }), at({ temperature: 70 })]),
    );
    expect(result).toMatchObject({ stored: 1, mergedRows: [2], duplicateRows: [1], refused: [{ row: 3 }] });
    expect((await stored(database, deviceId)).map(channelsOf)).toEqual([{ temperature: 80, vibration: 1 }]);
  });

  it('ends in the same keys and values for any order, split and repetition', async () => {
    const truth: TestReading['values'] = { temperature: 80, vibration: 0.5, pressure: 100, rpm: 3000 };
    const names = Object.keys(truth) as ChannelName[];
    const anyReport = fc.record({ second: fc.nat(4), channels: fc.subarray(names, { minLength: 1 }) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(anyReport, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 4 }),
        async (batches) => {
          const deviceId = newDevice();
          const expected = new Map<number, Set<string>>();
          const sums = { stored: 0, merged: 0, duplicate: 0, refused: 0 };
          for (const reports of batches) {
            const result = await writer.write(
              batchOf(
                reports.map(({ second, channels }) => ({
                  deviceId,
                  timestampUs: RECENT_US + second * MICROS_PER_SECOND,
                  values: Object.fromEntries(channels.map((name) => [name, truth[name]])),
                })),
              ),
            );
            for (const name of ['stored', 'merged', 'duplicate'] as const) sums[name] += result[name];
            sums.refused += result.refused.length;
            expect(result.mergedRows).toHaveLength(result.merged);
            expect(result.duplicateRows).toHaveLength(result.duplicate);
            expect(new Set([...result.mergedRows, ...result.duplicateRows]).size).toBe(
              result.merged + result.duplicate,
            );
            for (const { second, channels } of reports) {
              expected.set(second, new Set([...(expected.get(second) ?? []), ...channels]));
            }
          }
          const rows = await stored(database, deviceId);
          expect(rows.map((row) => [(Number(row['us']) - RECENT_US) / MICROS_PER_SECOND, channelsOf(row)])).toEqual(
            [...expected]
              .sort(([a], [b]) => a - b)
              .map(([second, channels]) => [
                second,
                Object.fromEntries([...channels].map((name) => [name, truth[name as ChannelName]])),
              ]),
          );
          expect(sums.stored).toBe(expected.size);
          expect(sums.refused).toBe(0);
          expect(sums.stored + sums.merged + sums.duplicate).toBe(batches.flat().length);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('finds the rows that the database does not take, and stores all others', async () => {
    const deviceId = newDevice();
    const readings = series(deviceId, 3000, RECENT_US, { temperature: 80 });
    await writer.write(batchOf(readings.slice(1000, 1100)));
    const bad = new Map<number, Partial<TestReading>>([
      [0, { values: { temperature: 999 } }],
      [1500, { rawValues: '{"note":"\\u0000"}' }],
      [1501, { deviceId: 'x'.repeat(200) }],
    ]);
    const result = await writer.write(batchOf(readings.map((reading, row) => ({ ...reading, ...bad.get(row) }))));
    expect(result).toMatchObject({ stored: 2897, merged: 0, duplicate: 100 });
    expect([...result.duplicateRows].sort((a, b) => a - b)).toEqual(
      Array.from({ length: 100 }, (_, row) => row + 1000),
    );
    expect(result.refused.map(({ row }) => row)).toEqual([0, 1500, 1501]);
    expect(result.refused.map(({ rejection }) => rejection.code)).toEqual(Array(3).fill('database_rejected'));
    expect(result.refused[0]?.rejection.message).toContain('telemetry_temperature_check');
    expect(await stored(database, deviceId)).toHaveLength(2997);
  });

  it('notes the days of old rows that are new or changed, and no others', async () => {
    const noted = async (): Promise<unknown[]> =>
      (await database.query('SELECT day::text AS day FROM late_days ORDER BY day')).map((row) => row['day']);
    await database.execute('DELETE FROM late_days');
    const deviceId = newDevice();
    const old: TestReading[] = [
      { deviceId, timestampUs: Date.UTC(2020, 1, 29, 23, 59, 59) * 1000, values: { temperature: 1 } },
      { deviceId, timestampUs: Date.UTC(2020, 2, 1) * 1000, values: { temperature: 1 } },
      { deviceId, timestampUs: -1, values: { temperature: 1 } },
    ];
    await writer.write(batchOf(series(deviceId, 5, RECENT_US, { temperature: 1 })));
    expect(await noted()).toEqual([]);
    await writer.write(batchOf(old));
    expect(await noted()).toEqual(['1969-12-31', '2020-02-29', '2020-03-01']);

    await database.execute('DELETE FROM late_days');
    const again = await writer.write(batchOf([...old, { ...(old[1] as TestReading), values: { vibration: 1 } }]));
    expect(again).toMatchObject({ stored: 0, merged: 1, duplicate: 3 });
    expect(await noted()).toEqual(['2020-03-01']);
  });

  it('writes batches in the order of the calls', async () => {
    const deviceId = newDevice();
    const results = await Promise.all(
      [70, 71, 72, 70].map((temperature) =>
        writer.write(batchOf([{ deviceId, timestampUs: RECENT_US, values: { temperature } }])),
      ),
    );
    expect(results.map(({ stored: count, duplicate, refused }) => [count, duplicate, refused.length])).toEqual([
      [1, 0, 0],
      [0, 0, 1],
      [0, 0, 1],
      [0, 1, 0],
    ]);
  });

  it('takes an empty batch, and batches that are all duplicates or all merges', async () => {
    expect(await writer.write(batchOf([]))).toEqual({ ...NOTHING_WRITTEN, ingestionUs: expect.any(Number) as number });
    const ids = Array.from({ length: 50 }, newDevice);
    const fleet = (values: TestReading['values']) =>
      batchOf(ids.flatMap((deviceId) => series(deviceId, 200, RECENT_US, values)));
    expect(await writer.write(fleet({ temperature: 80 }))).toMatchObject({ stored: 10_000 });
    expect(await writer.write(fleet({ temperature: 80 }))).toMatchObject({ duplicate: 10_000 });
    expect(await writer.write(fleet({ vibration: 1 }))).toMatchObject({ merged: 10_000 });
    expect(channelsOf((await stored(database, ids[49] as string))[199])).toEqual({ temperature: 80, vibration: 1 });
  });
});

describe.each(TIMESCALE_TARGETS)('the telemetry writer and compressed chunks, $name', ({ name }) => {
  const dayUs = (daysAgo: number): number => (Math.floor(nowUs() / MICROS_PER_DAY) - daysAgo) * MICROS_PER_DAY;
  const compress = (): Promise<void> =>
    databaseOf(name).script(
      `SELECT compress_chunk(chunk, true) FROM show_chunks('telemetry', older_than => INTERVAL '7 days') AS chunk`,
    );

  it('reconciles rows in them', async () => {
    const database = databaseOf(name);
    const writer = new TelemetryWriter(database, nowUs);
    const startUs = dayUs(20);
    const deviceId = newDevice();
    await writer.write(batchOf(series(deviceId, 5000, startUs, { temperature: 80 })));
    await compress();
    const result = await writer.write(
      batchOf([
        ...series(deviceId, 1500, startUs, { temperature: 80 }),
        ...series(deviceId, 1500, startUs + 1500 * MICROS_PER_SECOND, { vibration: 1 }),
        ...series(deviceId, 10, startUs + 4000 * MICROS_PER_SECOND, { temperature: 81 }),
        ...series(deviceId, 100, startUs + 4990 * MICROS_PER_SECOND, { temperature: 80 }),
      ]),
    );
    expect(result).toMatchObject({ stored: 90, merged: 1500, duplicate: 1510 });
    expect(result.refused).toHaveLength(10);
    const rows = await stored(database, deviceId);
    expect(rows).toHaveLength(5090);
    expect(rows.filter((row) => row['vibration'] === 1)).toHaveLength(1500);
  });

  it('merges in smaller portions where one transaction may not open enough of them', async () => {
    // A single connection, since the limit is one of the connection.
    const database = await targetOf(name).connect(1);
    const writer = new TelemetryWriter(database, nowUs);
    const startUs = dayUs(30);
    const deviceId = newDevice();
    await writer.write(batchOf(series(deviceId, 6000, startUs, { temperature: 80 })));
    await compress();
    await database.execute('SET timescaledb.max_tuples_decompressed_per_dml_transaction = 1000');
    const all = 'UPDATE telemetry SET vibration = 9 WHERE device_id = $1';
    await expect(database.execute(all, [deviceId])).rejects.toMatchObject({ cause: { code: '53400' } });
    // One row of each of the six batches of a thousand.
    const sparse = series(deviceId, 6000, startUs, { vibration: 1 }).filter((_, second) => second % 1000 === 500);
    expect(await writer.write(batchOf(sparse))).toMatchObject({ stored: 0, merged: 6, duplicate: 0, refused: [] });
    await database.execute('RESET timescaledb.max_tuples_decompressed_per_dml_transaction');
    const rows = await stored(database, deviceId);
    expect(rows).toHaveLength(6000);
    expect(rows.filter((row) => row['vibration'] === 1)).toHaveLength(6);
  });

  it('loses nothing to another writer at work in the same chunks, compressed or not', async () => {
    const database = databaseOf(name);
    const starts = [dayUs(25), RECENT_US - 2000 * MICROS_PER_SECOND];
    const deviceIds = [newDevice(), newDevice()];
    const rowsOf = (from: number, count: number, values: TestReading['values']): TestReading[] =>
      starts.flatMap((startUs) =>
        deviceIds.flatMap((deviceId) => series(deviceId, count, startUs + from * MICROS_PER_SECOND, values)),
      );
    await new TelemetryWriter(database, nowUs).write(batchOf(rowsOf(0, 1000, { temperature: 80 })));
    await compress();
    // Each goes over the stored rows and 500 s beyond them, with a channel of its own and one that both report.
    const write = async (channel: ChannelName): Promise<number> => {
      const writer = new TelemetryWriter(await targetOf(name).connect(), nowUs);
      const results = await Promise.all(
        Array.from({ length: 15 }, (_, part) =>
          writer.write(batchOf(rowsOf(part * 100, 100, { rpm: 3000, [channel]: 1 }))),
        ),
      );
      for (const { stored: added, merged, duplicate, refused } of results) {
        expect({ sum: added + merged + duplicate, refused }).toEqual({ sum: 400, refused: [] });
      }
      return results.reduce((sum, result) => sum + result.stored, 0);
    };
    const added = await Promise.all([write('vibration'), write('pressure')]);
    expect(added[0] + added[1]).toBe(2000);
    for (const deviceId of deviceIds) {
      const rows = await stored(database, deviceId);
      expect(new Set(rows.map((row) => Number(row['us']))).size).toBe(3000);
      expect(rows).toHaveLength(3000);
      for (const row of rows) expect(row).toMatchObject({ rpm: 3000, vibration: 1, pressure: 1 });
      expect(rows.filter((row) => row['temperature'] === 80)).toHaveLength(2000);
    }
  });
});

describe('telemetry writers and a server', () => {
  it('lose no channel when several merge into the same rows at once', async () => {
    const database = databaseOf('PostgreSQL');
    const deviceId = newDevice();
    const names: ChannelName[] = ['temperature', 'vibration', 'pressure', 'flow_rate', 'rpm', 'motor_current'];
    const results = await Promise.all(
      names.map((name) =>
        new TelemetryWriter(database, nowUs).write(batchOf(series(deviceId, 500, RECENT_US, { [name]: 7 }))),
      ),
    );
    expect(results.reduce((sum, result) => sum + result.stored, 0)).toBe(500);
    expect(results.reduce((sum, result) => sum + result.merged, 0)).toBe(500 * (names.length - 1));
    const rows = await stored(database, deviceId);
    expect(rows).toHaveLength(500);
    for (const row of rows) expect(channelsOf(row)).toEqual(Object.fromEntries(names.map((name) => [name, 7])));
  });

  it('reject when it is away, and go on when it is back', async () => {
    const proxy = await startFaultProxy(server.port);
    const target = await openPlainTarget(server, proxy.port);
    try {
      const writer = new TelemetryWriter(target.database, nowUs);
      const deviceId = newDevice();
      const first = batchOf(series(deviceId, 100, RECENT_US, { temperature: 1 }));
      const second = batchOf(series(deviceId, 100, RECENT_US, { temperature: 2 }));
      proxy.refuse();
      const failed = await Promise.allSettled([writer.write(first), writer.write(second)]);
      for (const outcome of failed) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: { retryable: true } });
        expect((outcome as PromiseRejectedResult).reason).toBeInstanceOf(OperationalError);
      }
      // The one behind did not try on its own: it fails with what stopped the first.
      expect((failed[1] as PromiseRejectedResult).reason).toBe((failed[0] as PromiseRejectedResult).reason);
      proxy.heal();
      const [firstResult, secondResult] = await Promise.all([writer.write(first), writer.write(second)]);
      expect(firstResult).toMatchObject({ stored: 100 });
      expect(secondResult.refused).toHaveLength(100);
      expect(await writer.write(first)).toMatchObject({ stored: 0, duplicate: 100 });
    } finally {
      await target.remove();
      await proxy.close();
    }
  }, 60_000);
});
