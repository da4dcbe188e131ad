import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database, Row } from '../../src/storage/database.js';
import { DeviceDirectory } from '../../src/storage/device-directory.js';
import { NOTHING_WRITTEN } from '../../src/storage/telemetry-sink.js';
import { TelemetryWriter } from '../../src/storage/telemetry-writer.js';
import { CHANNEL_NAMES } from '../../src/telemetry/channels.js';
import type { ReadingBatch } from '../../src/telemetry/reading-batch.js';
import { MICROS_PER_SECOND } from '../../src/telemetry/timestamp.js';
import { startFaultProxy } from '../support/fault-proxy.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { batchOf, type TestReading } from '../support/readings.js';
import { openPlainTarget, type StorageTarget } from '../support/storage-targets.js';

const START_US = Date.UTC(2026, 10, 23) * 1000;
const at = (second: number): number => START_US + second * MICROS_PER_SECOND;

let server: PostgresServer;
let target: StorageTarget;
let database: Database;

beforeAll(async () => {
  server = await startPostgres();
  target = await openPlainTarget(server);
  ({ database } = target);
}, 60_000);

afterAll(async () => {
  await target.remove();
  await server.remove();
});

const latest = async (from: Database, deviceId: string): Promise<Record<string, unknown>> => {
  const rows = await from.query(
    `SELECT channel, value, (extract(epoch FROM "timestamp") * 1000000)::bigint - $2::bigint AS us FROM device_latest_values WHERE device_id = $1`,
    [deviceId, START_US],
  );
  return Object.fromEntries<unknown>(
    rows.map((row) => [row['channel'] as string, [row['value'], Number(row['us']) / MICROS_PER_SECOND]]),
  );
};

const device = async (from: Database, deviceId: string): Promise<Row | undefined> =>
  (await from.query('SELECT first_seen, last_seen FROM devices WHERE device_id = $1', [deviceId]))[0];

describe('the device directory', () => {
  it('registers devices it meets for the first time, and gives the profiles of the others', async () => {
    await database.execute(
      `INSERT INTO devices (device_id, expected_channels, profile) VALUES ('known', '{temperature,phase_of_moon}', $1)`,
      [
        JSON.stringify({
          limits: {
            temperature: { min: -500, max: 120 },
            pressure: { min: 9, max: 5 },
            vibration: { max: 'x' },
            rpm: 7,
            other: { max: 1 },
          },
        }),
      ],
    );
    const directory = new DeviceDirectory(database);
    const batch = batchOf([
      { deviceId: 'new', timestampUs: at(5), values: {} },
      { deviceId: 'known', timestampUs: at(1), values: {} },
      { deviceId: 'new', timestampUs: at(2), values: {} },
    ]);
    const profiles = await directory.meet(['new', 'known'], batch);
    expect(profiles).toEqual(
      new Map([
        ['new', { expectedChannels: null, limits: {} }],
        [
          'known',
          {
            expectedChannels: ['temperature'],
            limits: { temperature: { min: -50, max: 120 } },
            problems: [
              expect.stringMatching(/^limits\.other is .*: there is no such field/),
              expect.stringMatching(/^limits\.vibration\.max is "x": it has to be a number \(g\)/),
              expect.stringMatching(/^limits\.pressure leaves no value: from 9 to 5 psi; correct/),
              expect.stringMatching(/^limits\.rpm is 7: it has to be an object with min, max/),
            ],
          },
        ],
      ]),
    );
    expect(await device(database, 'new')).toEqual({ first_seen: '2026-11-23 00:00:02+00', last_seen: null });
    expect(await directory.meet(['new', 'known'], batch)).toEqual(profiles);
  });

  it('meets a device whose batch was given up in the next one, where it has no record', async () => {
    await database.execute(`INSERT INTO devices (device_id, expected_channels) VALUES ('waited', '{rpm}')`);
    const directory = new DeviceDirectory(database);
    const others = batchOf([{ deviceId: 'other', timestampUs: at(5), values: {} }]);
    const profiles = await directory.meet(['waited', 'unseen', 'other'], others);
    expect(profiles.get('waited')?.expectedChannels).toEqual(['rpm']);
    expect(await device(database, 'unseen')).toEqual({ first_seen: null, last_seen: null });
    const batch = batchOf([{ deviceId: 'unseen', timestampUs: at(9), values: {} }]);
    batch.device[0] = 0;
    directory.written(batch, NOTHING_WRITTEN);
    await directory.flush();
    const seen = '2026-11-23 00:00:09+00';
    expect(await device(database, 'unseen')).toEqual({ first_seen: seen, last_seen: seen });
  });

  it('keeps the last value of each channel, forward in time only', async () => {
    const directory = new DeviceDirectory(database);
    const other = new DeviceDirectory(database);
    const reading = (second: number, values: TestReading['values']): TestReading => ({
      deviceId: 'forward',
      device: 3,
      timestampUs: at(second),
      values,
    });
    const first = batchOf([reading(10, { temperature: 80, vibration: 1 }), reading(11, { temperature: 81 })]);
    await directory.meet(['forward'], first);
    directory.written(first, NOTHING_WRITTEN);
    await directory.flush();
    expect(await latest(database, 'forward')).toEqual({ temperature: [81, 11], vibration: [1, 10] });
    other.written(batchOf([reading(9, { temperature: 79, vibration: 0.9, rpm: 3000 })]), NOTHING_WRITTEN);
    await other.flush();
    expect(await latest(database, 'forward')).toEqual({ temperature: [81, 11], vibration: [1, 10], rpm: [3000, 9] });
    expect(await device(database, 'forward')).toEqual({
      first_seen: '2026-11-23 00:00:09+00',
      last_seen: '2026-11-23 00:00:11+00',
    });
  });

  it('leaves out refused rows, and writes nothing where nothing changed', async () => {
    const directory = new DeviceDirectory(database);
    const batch = batchOf([
      { deviceId: 'refusals', device: 0, timestampUs: at(1), values: { temperature: 1 } },
      { deviceId: 'refusals', device: 0, timestampUs: at(2), values: { temperature: 2 } },
    ]);
    await directory.meet(['refusals'], batch);
    const rejection = { code: 'conflict', field: 'temperature', message: '' } as const;
    directory.written(batch, { ...NOTHING_WRITTEN, refused: [{ row: 1, rejection }] });
    await directory.flush();
    await database.execute(`DELETE FROM device_latest WHERE device_id = 'refusals'`);
    await directory.flush();
    expect(await latest(database, 'refusals')).toEqual({});
    expect(await device(database, 'refusals')).toMatchObject({ last_seen: '2026-11-23 00:00:01+00' });
  });

  it('writes many devices, and what it could not write the next time', async () => {
    const proxy = await startFaultProxy(server.port);
    const cuttable = await openPlainTarget(server, proxy.port);
    try {
      const directory = new DeviceDirectory(cuttable.database);
      const ids = Array.from({ length: 3000 }, (_, index) => `fleet-${index}`);
      const fleet = (second: number) =>
        batchOf(
          ids.map((deviceId, index) => ({ deviceId, device: index, timestampUs: at(second), values: { rpm: second } })),
        );
      await directory.meet(ids, fleet(1));
      directory.written(fleet(1), NOTHING_WRITTEN);
      proxy.refuse();
      await expect(directory.flush()).rejects.toMatchObject({ retryable: true });
      proxy.heal();
      directory.written(
        batchOf([{ deviceId: 'fleet-7', device: 7, timestampUs: at(2), values: { rpm: 2 } }]),
        NOTHING_WRITTEN,
      );
      await directory.flush();
      const counts = await cuttable.database.query(
        'SELECT rpm AS value, count(*)::int AS count FROM device_latest GROUP BY rpm ORDER BY rpm',
      );
      expect(counts).toEqual([
        { value: 1, count: 2999 },
        { value: 2, count: 1 },
      ]);
    } finally {
      await cuttable.remove();
      await proxy.close();
    }
  }, 60_000);

  it('keeps the last values whatever order and writer they come by', async () => {
    const anyRow = fc.record({
      second: fc.nat(6),
      channels: fc.subarray(['temperature', 'pressure', 'vibration_z'] as const),
      device: fc.nat(2),
    });
    /** What one of two writers does: takes a batch, or flushes. */
    const anyStep = fc.record({ writer: fc.nat(1), rows: fc.option(fc.array(anyRow, { maxLength: 4 })) });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { maxLength: 12 }), async (steps) => {
        const prefix = `any-${++run}-`;
        const writers = [new DeviceDirectory(database), new DeviceDirectory(database)];
        const expected: Record<string, unknown>[] = [{}, {}, {}];
        await (writers[0] as DeviceDirectory).meet(
          [0, 1, 2].map((number) => prefix + number),
          batchOf([]),
        );
        for (const { writer, rows } of steps) {
          if (rows === null) await (writers[writer] as DeviceDirectory).flush();
          else {
            const readings = rows.map(({ second, channels, device: number }) => {
              for (const name of channels) {
                const [, known] = (expected[number]?.[name] ?? [0, -1]) as [number, number];
                if (second >= known) (expected[number] as Record<string, unknown>)[name] = [second * 2, second];
              }
              const values = Object.fromEntries(channels.map((name) => [name, second * 2]));
              return { deviceId: prefix + number, device: number, timestampUs: at(second), values };
            });
            (writers[writer] as DeviceDirectory).written(batchOf(readings), NOTHING_WRITTEN);
          }
        }
        await Promise.all(writers.map((writer) => writer.flush()));
        for (const number of [0, 1, 2]) expect(await latest(database, prefix + number)).toEqual(expected[number]);
      }),
      { numRuns: 30 },
    );
  });

  it('keeps what the newest row says, and of a merged one that the row has to be asked', async () => {
    const newest = async (): Promise<unknown> =>
      (
        await database.query(
          `SELECT (extract(epoch FROM newest_at) - $1)::int AS second, quality_score, is_anomaly, anomaly_cause, operating_state
           FROM device_latest WHERE device_id = 'judged'`,
          [START_US / MICROS_PER_SECOND],
        )
      )[0];
    const report = (second: number, flagsLow: number): ReadingBatch => {
      const batch = batchOf([{ deviceId: 'judged', device: 5, timestampUs: at(second), values: { rpm: 1 }, flagsLow }]);
      batch.isAnomaly[0] = flagsLow === 0 ? 0 : 1;
      batch.anomalyCause[0] = flagsLow === 0 ? -1 : 2;
      return batch;
    };
    const [first, second] = [new DeviceDirectory(database), new DeviceDirectory(database)];
    const flushBoth = async (): Promise<void> => {
      await first.flush();
      await second.flush();
    };
    await first.meet(['judged'], report(1, 0));
    first.written(report(1, 0), NOTHING_WRITTEN);
    await flushBoth();
    const plain = { second: 1, quality_score: 1, is_anomaly: false, anomaly_cause: null, operating_state: 3 };
    expect(await newest()).toEqual(plain);
    second.written(report(2, 1), NOTHING_WRITTEN);
    first.written(report(0, 1), NOTHING_WRITTEN);
    await flushBoth();
    const anomalous = { second: 2, quality_score: 0.85, is_anomaly: true, anomaly_cause: 2, operating_state: 3 };
    expect(await newest()).toEqual({ ...anomalous, quality_score: expect.closeTo(0.85, 6) as number });
    // A repetition says less than the row; it is of no account even where it is newer than all that is known.
    first.written(report(3, 0), { ...NOTHING_WRITTEN, duplicateRows: [0] });
    await flushBoth();
    expect(await newest()).toMatchObject({ second: 2, is_anomaly: true });
    const asked = { quality_score: null, is_anomaly: null, anomaly_cause: null, operating_state: null };
    for (const [stores, merges, time] of [
      [first, second, 4],
      [second, first, 5],
    ] as const) {
      stores.written(report(time, 0), NOTHING_WRITTEN);
      merges.written(report(time, 1), { ...NOTHING_WRITTEN, mergedRows: [0] });
      await flushBoth();
      expect(await newest()).toEqual({ ...asked, second: time });
    }
    first.written(report(6, 0), NOTHING_WRITTEN);
    await flushBoth();
    expect(await newest()).toEqual({ ...plain, second: 6 });
  });

  it('rewrites rows in their place, and out of the index', async () => {
    const directory = new DeviceDirectory(database);
    const ids = Array.from({ length: 400 }, (_, index) => `in-place-${index}`);
    const round = (second: number): ReadingBatch =>
      batchOf(
        ids.map((deviceId, device) => ({
          deviceId,
          device,
          timestampUs: at(second),
          values: Object.fromEntries(CHANNEL_NAMES.map((name) => [name, second])),
        })),
      );
    const pages = (): Promise<Row[]> =>
      database.query(
        `SELECT device_id, (ctid::text::point)[0] AS page, pg_relation_size('device_latest_pkey') AS bytes FROM device_latest
         WHERE device_id LIKE 'in-place-%' ORDER BY device_id`,
      );
    await directory.meet(ids, round(0));
    directory.written(round(0), NOTHING_WRITTEN);
    await directory.flush();
    const before = await pages();
    for (let second = 1; second <= 20; second++) {
      directory.written(round(second), NOTHING_WRITTEN);
      await directory.flush();
    }
    expect(await pages()).toEqual(before);
  });

  it('is written by several processes at once', async () => {
    const directories = Array.from({ length: 3 }, () => new DeviceDirectory(database));
    const ids = Array.from({ length: 3000 }, (_, index) => `shared-${index}`);
    await (directories[0] as DeviceDirectory).meet(ids, batchOf([]));
    await Promise.all(
      directories.map(async (directory, writer) => {
        // Each process has numbered the devices in an order of its own.
        const order = writer === 1 ? [...ids].reverse() : ids;
        for (let second = 1; second <= 5; second++) {
          const readings = order.map((deviceId, device) => ({
            deviceId,
            device,
            timestampUs: at(second * 3 + writer),
            values: { rpm: second * 3 + writer },
          }));
          directory.written(batchOf(readings), NOTHING_WRITTEN);
          await directory.flush();
        }
      }),
    );
    const counts = await database.query(
      `SELECT rpm, count(*)::int AS devices FROM device_latest WHERE device_id LIKE 'shared-%' GROUP BY rpm`,
    );
    expect(counts).toEqual([{ rpm: 17, devices: ids.length }]);
  });

  it('catches up with what was stored after the last flush', async () => {
    const directory = new DeviceDirectory(database);
    const writer = new TelemetryWriter(database, () => at(100));
    const readings: TestReading[] = [1, 2, 3].map((second) => ({
      deviceId: 'crashed',
      device: 1,
      timestampUs: at(second),
      values: second === 3 ? { vibration: 3 } : { temperature: second },
    }));
    const batch = batchOf(readings);
    await directory.meet(['crashed'], batch);
    await writer.write(batchOf(readings.slice(0, 1)));
    directory.written(batchOf(readings.slice(0, 1)), NOTHING_WRITTEN);
    await directory.flush();
    await writer.write(batch);
    expect(await new DeviceDirectory(database).catchUp(at(0))).toBe(1);
    expect(await latest(database, 'crashed')).toEqual({ temperature: [2, 2], vibration: [3, 3] });
    // What the newest row says is looked up in the row, until there is another.
    const [row] = await database.query(
      `SELECT newest_at, operating_state FROM device_latest WHERE device_id = 'crashed'`,
    );
    expect(row).toEqual({ newest_at: '2026-11-23 00:00:03+00', operating_state: null });
    expect(await device(database, 'crashed')).toMatchObject({ last_seen: '2026-11-23 00:00:03+00' });
    expect(await new DeviceDirectory(database).catchUp(at(0))).toBe(0);
  });

  it('catches up within bounds, with microseconds, and never backwards', async () => {
    const writer = new TelemetryWriter(database, () => at(10_000));
    const directory = new DeviceDirectory(database);
    const last = batchOf([{ deviceId: 'behind', device: 0, timestampUs: at(5000), values: { rpm: 7 } }]);
    await directory.meet(['behind', 'other', 'old'], last);
    const rows = Array.from({ length: 1200 }, (_, second) => ({
      deviceId: 'behind',
      timestampUs: at(second) + 1,
      values: second < 100 ? { pressure: second } : second < 1000 ? { vibration: second / 1000 } : { temperature: 42 },
    }));
    await writer.write(batchOf([...rows, { deviceId: 'old', timestampUs: at(-86_400), values: { temperature: 20 } }]));
    // Another process is ahead with one channel, and has not said so in `devices`.
    await database.execute(
      `INSERT INTO device_latest (device_id, temperature, temperature_at) VALUES ('behind', 50, '2026-11-23T02:00:00Z')`,
    );
    expect(await directory.catchUp(at(0))).toBe(1);
    expect(await latest(database, 'behind')).toEqual({
      temperature: [50, 7200],
      vibration: [expect.closeTo(0.999, 6), 999 + 1e-6],
    });
    expect(await device(database, 'behind')).toMatchObject({ last_seen: '2026-11-23 00:19:59.000001+00' });
    expect(await latest(database, 'old')).toEqual({});
  });
});

describe('a fleet that never pauses', () => {
  it('does not keep a flush from ending, nor a device from being written', async () => {
    const directory = new DeviceDirectory(database);
    const ids = Array.from({ length: 1200 }, (_, index) => `busy-${index}`);
    const batchAt = (second: number) =>
      batchOf(ids.map((deviceId, device) => ({ deviceId, device, timestampUs: at(second), values: { rpm: second } })));
    await directory.meet(ids, batchAt(0));
    let second = 0;
    directory.written(batchAt(second), NOTHING_WRITTEN);
    let ended = false;
    const flushed = directory.flush().then(() => (ended = true));
    while (!ended) {
      directory.written(batchAt(++second), NOTHING_WRITTEN);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await flushed;
    const [written] = await database.query(
      `SELECT count(*) AS devices FROM device_latest WHERE device_id LIKE 'busy-%'`,
    );
    expect(written).toEqual({ devices: ids.length });
  });
});
