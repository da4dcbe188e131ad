import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jobDefinitions } from '../../src/jobs/job-definitions.js';
import { JobRunner } from '../../src/jobs/job-runner.js';
import type { Database } from '../../src/storage/database.js';
import { plainAndTimescale } from '../support/plain-and-timescale.js';
import { recordEvents } from '../support/record-events.js';

describe.each(plainAndTimescale)('the expected interval of a device, $name', ({ open }) => {
  let opened: { readonly database: Database; remove(): Promise<unknown> };
  let database: Database;
  let runner: JobRunner;
  beforeAll(async () => {
    opened = await open();
    ({ database } = opened);
    runner = new JobRunner({
      database,
      events: recordEvents(),
      jobs: jobDefinitions(database.capabilities.timescale),
    });
  }, 90_000);
  afterAll(() => opened.remove());

  /** Readings until now, `seconds` apart, of which some are missing. */
  const report = async (device: string, seconds: number, count: number, changes = ''): Promise<void> => {
    await database.execute(
      `INSERT INTO telemetry (device_id, "timestamp", temperature)
       SELECT $1, now() - make_interval(secs => $2 * i), 1 FROM generate_series(0, $3::int) i WHERE i % 11 <> 5 ON CONFLICT DO NOTHING`,
      [device, seconds, count],
    );
    await database.execute(
      `INSERT INTO devices (device_id, last_seen) SELECT $1, max("timestamp") FROM telemetry WHERE device_id = $1
       ON CONFLICT (device_id) DO UPDATE SET last_seen = excluded.last_seen`,
      [device],
    );
    if (changes !== '') await database.execute(`UPDATE devices SET ${changes} WHERE device_id = $1`, [device]);
  };
  const intervals = async (): Promise<Record<string, [number, number | null]>> => {
    const rows = await database.query<{ id: string; expected: number; learned: number | null }>(
      'SELECT device_id AS id, expected_interval_seconds AS expected, learned_interval_seconds AS learned FROM devices',
    );
    return Object.fromEntries(rows.map(({ id, expected, learned }) => [id, [expected, learned]]));
  };

  it('is learned, unless somebody has set it or there is too little to learn from', async () => {
    await report('every second', 1, 800);
    await report('every 15 min', 900, 190);
    await report('set by hand', 10, 200, 'expected_interval_seconds = 30');
    await report('few', 10, 12);
    await report('by exception', 10, 200, `reporting_mode = 'by_exception'`);
    await report('silent since', 10, 200, `last_seen = now() - INTERVAL '9 days'`);
    expect(await runner.runNow('learn-intervals')).toMatchObject({ result: 'succeeded', detail: { learned: 3 } });
    expect(await intervals()).toEqual({
      'every second': [1, 1],
      'every 15 min': [900, 900],
      'set by hand': [30, 10],
      few: [60, null],
      'by exception': [60, null],
      'silent since': [60, null],
    });
  });

  it('follows a device that reports differently from now on, and stays where it does not', async () => {
    expect((await runner.runNow('learn-intervals')).detail).toMatchObject({ learned: 0 });
    await database.execute(`DELETE FROM telemetry WHERE device_id = 'every second'`);
    await report('every second', 5, 300);
    expect((await runner.runNow('learn-intervals')).detail).toMatchObject({ learned: 1 });
    expect((await intervals())['every second']).toEqual([5, 5]);
  });

  it('is learned for a fleet of several slices', async () => {
    await database.execute(
      `INSERT INTO telemetry (device_id, "timestamp", temperature)
       SELECT 'fleet ' || d, now() - make_interval(secs => 30 * i), 1 FROM generate_series(1, 450) d, generate_series(0, 25) i`,
    );
    await database.execute(
      `INSERT INTO devices (device_id, last_seen) SELECT device_id, max("timestamp") FROM telemetry WHERE device_id LIKE 'fleet %' GROUP BY 1`,
    );
    expect((await runner.runNow('learn-intervals')).detail).toMatchObject({ learned: 450 });
  });
});
