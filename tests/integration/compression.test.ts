import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jobDefinitions } from '../../src/jobs/job-definitions.js';
import { JobRunner } from '../../src/jobs/job-runner.js';
import type { Database, Session } from '../../src/storage/database.js';
import { migrate } from '../../src/storage/migrator.js';
import { storageStatistics } from '../../src/storage/statistics.js';
import { recordEvents } from '../support/record-events.js';
import { timescaleTargets, type OpenedTarget } from '../support/timescale-targets.js';

/**
 * Readings as gauges make them: slow drift, a little noise, quantised to what a 16-bit register resolves. Four wells at
 * 1 Hz, eight channels; `days` old.
 */
const GAUGE_READINGS_SQL = `
  INSERT INTO telemetry ("timestamp", device_id, temperature, vibration, pressure, flow_rate, motor_current, rpm,
    intake_pressure, motor_temperature, quality_flags, operating_state)
  SELECT instant, 'well-' || well,
    round((80 + well + 2 * sin(t / 7000) + noise(t, well, 1) * 0.1)::numeric, 1), round((0.4 + noise(t, well, 2) * 0.05)::numeric, 2),
    round((900 + 20 * sin(t / 3000) + noise(t, well, 3))::numeric, 0), round((1500 + 30 * sin(t / 5000) + noise(t, well, 4) * 2)::numeric, 0),
    round((42 + noise(t, well, 5) * 0.3)::numeric, 1), 3000 + round(noise(t, well, 6)::numeric, 0),
    round((650 + 10 * sin(t / 9000) + noise(t, well, 7) * 0.5)::numeric, 0), round((110 + sin(t / 8000) + noise(t, well, 8) * 0.1)::numeric, 1), 0, 3
  FROM (SELECT date_trunc('day', now()) - make_interval(days => $1) + t * INTERVAL '1 second' AS instant, t, well
        FROM generate_series(0, $2 - 1) AS t, generate_series(1, 4) AS well) readings`;

/** −1 … 1, the same for the same arguments. */
const NOISE_SQL = `CREATE FUNCTION noise(t int, well int, channel int) RETURNS float8 LANGUAGE sql IMMUTABLE
  RETURN hashint4(t * 31 + well * 1009 + channel * 100003)::float8 / 2147483648`;

const CONTENT_SQL = `SELECT count(*)::int AS rows, sum(hashtextextended(t::text, 0)::numeric)::text AS hash FROM telemetry t`;

describe.each(timescaleTargets())('compression, $name', (target) => {
  let opened: OpenedTarget | undefined;
  let database: Database;
  let runner: JobRunner;

  beforeAll(async () => {
    opened = await target.open();
    database = opened.database;
    const events = recordEvents();
    await migrate(database, { events });
    await database.script(NOISE_SQL);
    runner = new JobRunner({ database, events, jobs: jobDefinitions(database.capabilities.timescale) });
  });
  afterAll(async () => {
    await runner?.stop();
    await opened?.remove();
  });

  const chunks = async (): Promise<{ compressed: number; all: number }> => {
    const { telemetry } = await storageStatistics(database);
    return { compressed: telemetry.compressedChunks, all: telemetry.chunks };
  };

  it('makes old chunks at least 90 % smaller and changes nothing in them; young ones stay', async () => {
    await database.execute(GAUGE_READINGS_SQL, [20, 3 * 3600]);
    await database.execute(GAUGE_READINGS_SQL, [1, 60]);
    const before = await database.query(CONTENT_SQL);
    expect(await runner.runNow('compress')).toMatchObject({
      result: 'succeeded',
      detail: { compressed: 1, more: false },
    });
    expect(await chunks()).toEqual({ compressed: 1, all: 2 });
    expect(await database.query(CONTENT_SQL)).toEqual(before);
    const { telemetry, compressionRatio } = await storageStatistics(database);
    const saved = 1 - telemetry.bytesAfterCompression / telemetry.bytesBeforeCompression;
    console.info(`compressed chunks are ${(saved * 100).toFixed(1)} % smaller (ratio ${compressionRatio.toFixed(1)})`);
    expect(saved).toBeGreaterThanOrEqual(0.9);
  });

  it('takes a late row into a compressed chunk, refuses its repetition, and compresses again once the day is refreshed', async () => {
    const insert = (): Promise<number> =>
      database.execute(
        `INSERT INTO telemetry ("timestamp", device_id, temperature) VALUES (date_trunc('day', now()) - INTERVAL '20 days' + INTERVAL '1.5 s', 'well-1', 81)
         ON CONFLICT DO NOTHING`,
      );
    expect(await insert()).toBe(1);
    expect(await insert()).toBe(0);
    await database.execute(`INSERT INTO late_days (day) VALUES ((now() - INTERVAL '20 days')::date)`);
    expect((await runner.runNow('compress')).detail).toMatchObject({ compressed: 0 });
    let days = 0;
    // A run hands back when its time is up, on a busy machine before it has done anything.
    for (let more = true; more;) {
      const { detail } = await runner.runNow('refresh-late');
      days += Number(detail?.['days']);
      more = detail?.['more'] === true;
    }
    expect(days).toBe(1);
    // The chunk of the readings again, and by now that of the minutes as well.
    const { detail } = await runner.runNow('compress');
    expect(detail?.['compressed']).toBeGreaterThanOrEqual(2);
    expect((await runner.runNow('compress')).detail).toMatchObject({ compressed: 0 });
    expect(await database.query(CONTENT_SQL)).toMatchObject([{ rows: 4 * (3 * 3600 + 60) + 1 }]);
  });

  it('postpones a chunk that somebody is writing into, and does the others', async () => {
    const insert = (session: Session, days: number, second: number): Promise<number> =>
      session.execute(
        `INSERT INTO telemetry ("timestamp", device_id, temperature)
         VALUES (date_trunc('day', now()) - make_interval(days => $1) + make_interval(secs => $2), 'well-5', 81)`,
        [days, second],
      );
    await insert(database, 20, 1);
    await insert(database, 19, 1);
    if (database.capabilities.concurrency > 1) {
      await database.transaction(async (session) => {
        await insert(session, 20, 2);
        expect(await runner.runNow('compress')).toMatchObject({
          result: 'succeeded',
          detail: { compressed: 1, postponed: 1 },
        });
      });
    } else {
      // With its only connection nobody else can be writing.
      expect((await runner.runNow('compress')).detail).toMatchObject({ compressed: 2, postponed: 0 });
      await insert(database, 20, 2);
    }
    expect((await runner.runNow('compress')).detail).toMatchObject({ compressed: 1, postponed: 0 });
  });
});
