import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jobDefinitions } from '../../src/jobs/job-definitions.js';
import { JobRunner } from '../../src/jobs/job-runner.js';
import type { Database } from '../../src/storage/database.js';
import { migrate } from '../../src/storage/migrator.js';
import { latestWatermarks, storageStatistics } from '../../src/storage/statistics.js';
import { bruteForce, type TestRow } from '../support/brute-force.js';
import { recordEvents } from '../support/record-events.js';
import { insertRows, randomRow, seededRandom } from '../support/telemetry-rows.js';
import { timescaleTargets, type OpenedTarget } from '../support/timescale-targets.js';

const MINUTE = 60_000;
const DAY = 86_400_000;
/** One level each: the public view and its width. */
const LEVELS = [
  ['telemetry_1min', 60],
  ['telemetry_1hour', 3600],
  ['telemetry_daily', 86_400],
] as const;
/** `slow` reports four times an hour and its row in `devices` says so; the other has no row there. */
const DEVICES = ['quick', 'slow'];
const stepSeconds = (device: string): number => (device === 'slow' ? 900 : 60);

describe.each(timescaleTargets())('the aggregates, $name', (target) => {
  const random = seededRandom(20_261_123);
  const startedMs = Date.now();
  const midnightMs = Math.floor(startedMs / DAY) * DAY;
  const rows: TestRow[] = [];
  const events = recordEvents();
  let opened: OpenedTarget | undefined;
  let database: Database;
  let runner: JobRunner;

  /** Irregular rows of both devices, never two at the same time of a device. */
  const randomRows = (fromMs: number, toMs: number, stepMs: number): TestRow[] => {
    const made: TestRow[] = [];
    for (const device of DEVICES) {
      const deviceStepMs = device === 'slow' ? 15 * MINUTE : stepMs;
      for (let at = fromMs; at < toMs; at += deviceStepMs) {
        const instant = at + 1 + Math.floor(random() * (deviceStepMs - 1));
        if (instant < toMs && random() < 0.9) made.push(randomRow(random, device, instant));
      }
    }
    return made;
  };
  const insert = async (added: readonly TestRow[], lateDays?: readonly string[]): Promise<void> => {
    await insertRows(database, added, lateDays);
    rows.push(...added);
  };
  const refresh = async (...jobs: string[]): Promise<void> => {
    for (const job of jobs) {
      let run = await runner.runNow(job);
      while (run.detail?.['more'] === true) run = await runner.runNow(job);
      expect(run).toMatchObject({ job, result: 'succeeded' });
    }
  };
  const refreshAll = (): Promise<void> => refresh('refresh-1min', 'refresh-1hour', 'refresh-daily');

  /** Every figure of every bucket of the view, against the same computed from the rows. */
  const compare = async (view: string, bucketSeconds: number): Promise<void> => {
    const expected = bruteForce(rows, bucketSeconds, stepSeconds);
    const buckets = await database.query(`SELECT *, extract(epoch FROM bucket)::float8 AS start FROM ${view}`);
    expect(buckets.map((row) => `${String(row['device_id'])} ${String(row['start'])}`).sort()).toEqual(
      [...expected.keys()].sort(),
    );
    for (const row of buckets) {
      const key = `${String(row['device_id'])} ${String(row['start'])}`;
      for (const [name, value] of Object.entries(expected.get(key) ?? {})) {
        const found = row[name];
        // A real comes as the shortest text that stands for it.
        const stored = typeof found === 'number' && /_(min|max)$/.test(name) ? Math.fround(found) : found;
        const place = `${view} ${key} ${name}`;
        if (value === null || typeof stored !== 'number') expect(stored, place).toBe(value);
        // float8 sums in another order; deviations lose some digits to the sum of squares.
        else if (Math.abs(stored - value) > 1e-9 * Math.max(1, Math.abs(value))) expect(stored, place).toBe(value);
      }
    }
  };
  const compareAll = async (): Promise<void> => {
    for (const [view, bucketSeconds] of LEVELS) await compare(view, bucketSeconds);
  };

  beforeAll(async () => {
    opened = await target.open();
    database = opened.database;
    await migrate(database, { events });
    await database.execute(`INSERT INTO devices (device_id, expected_interval_seconds) VALUES ('slow', 900)`);
    runner = new JobRunner({ database, events, jobs: jobDefinitions(database.capabilities.timescale) });
  });
  afterAll(async () => {
    await runner?.stop();
    await opened?.remove();
  });

  it('are not behind while nothing that came is due, and no further than the first reading', async () => {
    const lags = async (): Promise<number[]> => (await latestWatermarks(database)).map(({ lagSeconds }) => lagSeconds);
    const report = (age: string): Promise<number> =>
      database.execute(
        `INSERT INTO devices (device_id, first_seen, last_seen) VALUES ('first', now() - $1::interval, now())
        ON CONFLICT (device_id) DO UPDATE SET first_seen = excluded.first_seen`,
        [age],
      );
    expect(Math.max(...(await lags()))).toBe(0);
    await report('1 second');
    expect(Math.max(...(await lags()))).toBe(0);
    await report('3 hours');
    const behind = Math.max(...(await lags()));
    expect(behind).toBeGreaterThan(3600);
    expect(behind).toBeLessThanOrEqual(4 * 3600);
    await database.execute(`DELETE FROM devices WHERE device_id = 'first'`);
  });

  it('are exact before anything has been stored: computed on reading', async () => {
    await insert(randomRows(midnightMs - 2 * DAY, startedMs - 5 * MINUTE, 90_000));
    await compareAll();
  });

  it('are exact once they are stored', async () => {
    await refreshAll();
    await compareAll();
    const watermarks = await latestWatermarks(database);
    for (const { level, watermarkSeconds, lagSeconds } of watermarks) {
      expect(lagSeconds, level).toBe(0);
      expect(watermarkSeconds, level).toBeGreaterThanOrEqual(midnightMs / 1000 - 86_400);
    }
  });

  it('show the newest readings at once', async () => {
    await insert([randomRow(random, 'quick', Date.now() - 1000), randomRow(random, 'new', Date.now() - 500)]);
    await compareAll();
  });

  it('take up rows that come late, within the windows of the regular refresh', async () => {
    await insert(randomRows(midnightMs - 2 * DAY, midnightMs, 3 * MINUTE).filter(() => random() < 0.2));
    await refreshAll();
    await compareAll();
  });

  it('take up rows from long ago, and only the noted days are refreshed', async () => {
    const days = [400, 40, 20].map((age) => midnightMs - age * DAY);
    const names = days.map((day) => new Date(day).toISOString().slice(0, 10));
    for (const day of days) await insert(randomRows(day + DAY / 2, day + DAY, 10 * MINUTE), names);
    await refresh('refresh-late');
    expect(await database.query('SELECT FROM late_days')).toEqual([]);
    await compareAll();
    // Again, into the middle of what is stored by now.
    await insert([randomRow(random, 'quick', (days[0] as number) + DAY / 2 + 30_000)], names.slice(0, 1));
    await refresh('refresh-late');
    await compareAll();
  });

  it('are exact after compression of readings and aggregates, and take up late rows then too', async () => {
    await refresh('compress');
    const { telemetry, aggregates } = await storageStatistics(database);
    expect(telemetry.compressedChunks).toBeGreaterThan(0);
    expect(aggregates.find(({ level }) => level === '1min')?.compressedChunks).toBeGreaterThan(0);
    await compareAll();
    const day = midnightMs - 40 * DAY;
    await insert([randomRow(random, 'slow', day + 18 * 60 * MINUTE + 7)], [new Date(day).toISOString().slice(0, 10)]);
    await refresh('refresh-late', 'compress');
    await compareAll();
  });

  it('survive the retention of the level below them, and late rows after it', async () => {
    const oldDay = midnightMs - 400 * DAY;
    const minutes = (): Promise<unknown[]> =>
      database.query(`SELECT FROM agg_1min_v1 WHERE bucket < now() - INTERVAL '100 days'`);
    expect(await minutes()).not.toEqual([]);
    await refresh('retain-aggregates');
    expect(await minutes()).toEqual([]);
    await compare('telemetry_daily', 86_400);
    await refreshAll();
    await compare('telemetry_daily', 86_400);
    // One late row must not become the whole hour: the day is computed anew from the readings.
    await insert(
      [randomRow(random, 'quick', oldDay + 20 * 60 * MINUTE + 1)],
      [new Date(oldDay).toISOString().slice(0, 10)],
    );
    await refresh('refresh-late');
    await compareAll();
  });

  it('keep what a hold covers', async () => {
    await database.execute(
      `INSERT INTO holds (range_from, range_to, reason, created_by) VALUES (now() - INTERVAL '500 days', now() - INTERVAL '300 days', 'test', 'test')`,
    );
    await refresh('retain-aggregates');
    await compareAll();
    await database.execute('UPDATE holds SET released_at = now()');
    await refresh('retain-aggregates');
    await expect(compare('telemetry_1min', 60)).rejects.toThrow();
    await compare('telemetry_daily', 86_400);
  });
});
