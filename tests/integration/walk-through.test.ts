/**
 * The life of readings from end to end: the table that users have, under its writers, becomes the hypertable; it is compressed,
 * aggregated, archived to Azure Blob, dropped and restored, and at every step nothing is missing and nothing is made up.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Archiver } from '../../src/archive/archiver.js';
import { AzureStore } from '../../src/archive/azure-store.js';
import type { RestoreTable } from '../../src/archive/restore-table.js';
import { Restorer } from '../../src/archive/restorer.js';
import { jobDefinitions } from '../../src/jobs/job-definitions.js';
import { JobRunner } from '../../src/jobs/job-runner.js';
import { migrateLegacy } from '../../src/legacy/legacy-migration.js';
import type { Database } from '../../src/storage/database.js';
import { migrate } from '../../src/storage/migrator.js';
import { MICROS_PER_DAY } from '../../src/telemetry/timestamp.js';
import { startAzurite, type Azurite } from '../support/azurite.js';
import { recordEvents } from '../support/record-events.js';
import { startRowWriters } from '../support/row-writers.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { timescaleTargets, type OpenedTarget } from '../support/timescale-targets.js';

const LONG_MS = 300_000;
const AFTER_DAYS = 25;
/** Days before today with readings: some on either side of each age that matters (7, 25, 30 days). */
const DAYS = [1, 6, 7, 8, 9, 24, 25, 26, 27, 29, 30, 31, 32, 40];
const WELLS = 4;
const READINGS_A_DAY = 144;
const COLUMNS = '"timestamp", device_id, temperature, vibration, pressure, flow_rate';
const events = recordEvents();

let azurite: Azurite;
beforeAll(async () => {
  azurite = await startAzurite();
}, LONG_MS);
afterAll(() => azurite.remove());

/** The users' table with a reading every ten minutes, and `expected`, which nothing but its writers ever touches. */
const USERS_TABLE = `
  CREATE TABLE telemetry (
    "timestamp" timestamptz, device_id text, temperature real, vibration real, pressure real, flow_rate real);
  INSERT INTO telemetry SELECT date_trunc('day', now()) - make_interval(days => day, mins => -10 * i), 'Well ' || well,
    80 + (i * 7 + well * 3 + day) % 100 / 4.0, (i % 9) / 8.0, 100 + i % 300, CASE WHEN i % 7 > 0 THEN 1000 + i % 50 END
  FROM unnest(ARRAY[${DAYS.join(', ')}]) day, generate_series(0, ${READINGS_A_DAY - 1}) i, generate_series(1, ${WELLS}) well;
  CREATE TABLE expected AS SELECT * FROM telemetry;
  CREATE INDEX ON expected (device_id, "timestamp");
  CREATE INDEX ON telemetry (device_id, "timestamp");`;

/** Rows of the one and not of the other, duplicates counted. */
async function differences(database: Database, found: string, expected: string): Promise<unknown[]> {
  return database.query(
    `(SELECT 'extra' AS what, * FROM (${found} EXCEPT ALL ${expected}) a LIMIT 3)
     UNION ALL (SELECT 'lost', * FROM (${expected} EXCEPT ALL ${found}) b LIMIT 3)`,
  );
}

const rowsOf = (source: string): string => `(SELECT ${COLUMNS} FROM ${source})`;

/** What each level should show of `expected`, and what it shows; figures rounded where sums may be added in another order. */
const LEVELS = [
  ['telemetry_1min', '1 minute', ['temp_stddev']],
  ['telemetry_1hour', '1 hour', ['temp_stddev', 'temp_p95', 'vib_p95']],
  ['telemetry_daily', '1 day', []],
] as const;
const FIGURES: Readonly<Record<string, string>> = {
  temp_avg: 'avg(temperature::float8)',
  temp_max: 'max(temperature)',
  temp_min: 'min(temperature)',
  vib_avg: 'avg(vibration::float8)',
  vib_max: 'max(vibration)',
  pressure_avg: 'avg(pressure::float8)',
  flow_avg: 'avg(flow_rate::float8)',
  sample_count: 'count(*)',
  temp_stddev: 'stddev_samp(temperature::float8)',
  temp_p95: 'percentile_cont(0.95) WITHIN GROUP (ORDER BY temperature)',
  vib_p95: 'percentile_cont(0.95) WITHIN GROUP (ORDER BY vibration)',
};

async function aggregatesDiffer(database: Database): Promise<unknown[]> {
  const found: unknown[] = [];
  for (const [view, width, more] of LEVELS) {
    const names = Object.keys(FIGURES).filter(
      (name) => !/stddev|p95/.test(name) || (more as readonly string[]).includes(name),
    );
    const shown = names.map((name) => `round(${name}::numeric, 4) AS ${name}`).join(', ');
    const computed = names.map((name) => `round((${FIGURES[name]})::numeric, 4) AS ${name}`).join(', ');
    found.push(
      ...(await differences(
        database,
        `(SELECT device_id, bucket, ${shown} FROM ${view})`,
        `(SELECT device_id, date_bin('${width}', "timestamp", '2000-01-01Z'), ${computed} FROM expected GROUP BY 1, 2)`,
      )),
    );
  }
  return found;
}

describe.each(timescaleTargets())('readings from the old table to the archive and back, $name', (target) => {
  let opened: OpenedTarget;
  let database: Database;
  let archiver: Archiver;
  let restorer: Restorer;
  let runner: JobRunner;

  beforeAll(async () => {
    opened = await target.open();
    ({ database } = opened);
    const { url, connectionString } = azurite.container(`telemetry-archive-${target.name}`);
    const store = await AzureStore.open({ url, connectionString });
    archiver = new Archiver({ database, store, events, afterDays: AFTER_DAYS });
    restorer = new Restorer({ database, store, events });
    runner = new JobRunner({ database, events, jobs: jobDefinitions(database.capabilities.timescale, { archiver }) });
    await database.script(USERS_TABLE);
  }, LONG_MS);
  afterAll(() => opened.remove());

  const runJob = async (name: string): Promise<Record<string, unknown>> => {
    for (;;) {
      const { result, error, detail } = await runner.runNow(name);
      expect({ result, error }).toEqual({ result: 'succeeded', error: null });
      if (detail?.['more'] !== true) {
        return { ...detail };
      }
    }
  };
  const count = async (what: string): Promise<number> =>
    (await database.query<{ n: number }>(`SELECT count(*) AS n FROM ${what}`))[0]?.n ?? -1;
  const chunks = (where: string): Promise<number> =>
    count(`timescaledb_information.chunks WHERE hypertable_name = 'telemetry' AND ${where}`);

  it(
    'becomes a hypertable under its writers',
    async () => {
      const writers = startRowWriters(await opened.connect(8));
      const context = { database, schema: {}, patience: { lockTimeoutMs: 1000, attempts: 50 }, directory: null };
      const options = { mapping: {}, withoutSwap: false, onStage: () => undefined };
      expect(await migrateLegacy({ ...context, directory: temporaryDirectory() }, options)).toMatchObject({
        differences: [],
        setAside: 0,
      });
      await migrate(database, { events });
      const before = writers.committed();
      while (writers.committed() < before + 200) await new Promise((resolve) => setTimeout(resolve, 5));
      await writers.stop();
      expect(await differences(database, rowsOf('telemetry'), rowsOf('expected'))).toEqual([]);
      expect(await count('expected')).toBeGreaterThan(DAYS.length * READINGS_A_DAY * WELLS);
    },
    LONG_MS,
  );

  it(
    'is in all three levels of the aggregates, whatever its age',
    async () => {
      for (const job of ['refresh-1min', 'refresh-1hour', 'refresh-daily', 'refresh-late']) await runJob(job);
      expect(await aggregatesDiffer(database)).toEqual([]);
    },
    LONG_MS,
  );

  it(
    'is compressed past seven days, and every row is still there',
    async () => {
      await runJob('compress');
      expect(await chunks(`range_end < now() - INTERVAL '7 days' AND NOT is_compressed`)).toBe(0);
      expect(await chunks('is_compressed')).toBeGreaterThan(10);
      expect(await differences(database, rowsOf('telemetry'), rowsOf('expected'))).toEqual([]);
      expect(await aggregatesDiffer(database)).toEqual([]);
    },
    LONG_MS,
  );

  it(
    'is archived to Azure Blob past 25 days',
    async () => {
      await runJob('archive');
      const parts = await archiver.list();
      expect(parts.length).toBe(await chunks(`range_end < now() - INTERVAL '${AFTER_DAYS} days'`));
      for await (const { damage } of archiver.verify()) expect(damage).toBeUndefined();
    },
    LONG_MS,
  );

  /** All that was ever archived. */
  const restore = async (into: RestoreTable): Promise<number> => {
    const nowUs = Date.now() * 1000;
    const selection = { range: { startUs: nowUs - 60 * MICROS_PER_DAY, endUs: nowUs }, devices: undefined };
    if (into === 'telemetry') await restorer.hold(selection, { days: 30, actor: 'test' });
    let added = 0;
    for await (const part of restorer.restore({ ...selection, into })) {
      expect(part.differing).toBe(0);
      added += part.added;
    }
    return added;
  };

  it(
    'is dropped past 30 days, and not one row before its archive has it',
    async () => {
      const old = `range_end < now() - INTERVAL '30 days'`;
      const due = await chunks(old);
      expect(due).toBeGreaterThan(2);
      // A row that came after its chunk was archived keeps the chunk, until it is archived too.
      for (const table of ['telemetry', 'expected'])
        await database.execute(
          `INSERT INTO ${table} ("timestamp", device_id, temperature) VALUES (date_trunc('day', now()) - INTERVAL '40 days', 'Late', 1)`,
        );
      expect(await runJob('retain-raw')).toMatchObject({ dropped: due - 1, stale: 1 });
      expect(await chunks(old)).toBe(1);
      expect(await count(`telemetry WHERE device_id = 'Late'`)).toBe(1);
      await database.execute(
        `INSERT INTO late_days (day) VALUES ((date_trunc('day', now()) - INTERVAL '40 days')::date) ON CONFLICT DO NOTHING`,
      );
      for (const job of ['refresh-late', 'archive', 'retain-raw']) await runJob(job);
      expect(await chunks(old)).toBe(0);
      for (const job of ['refresh-1min', 'refresh-1hour', 'refresh-daily', 'refresh-late']) await runJob(job);
      expect(await aggregatesDiffer(database)).toEqual([]);
    },
    LONG_MS,
  );

  it(
    'comes back for analysis, and with what is still hot it is all there is, row for row',
    async () => {
      expect(await restore('telemetry_archive')).toBe(await count('telemetry_archive'));
      expect(
        await differences(
          database,
          `(SELECT ${COLUMNS} FROM telemetry_archive UNION SELECT ${COLUMNS} FROM telemetry)`,
          rowsOf('expected'),
        ),
      ).toEqual([]);
    },
    LONG_MS,
  );

  it(
    'comes back to where it lived, stays there while it is held, and the aggregates are what they were',
    async () => {
      expect(await restore('telemetry')).toBeGreaterThan(1000);
      expect(await restore('telemetry')).toBe(0);
      expect(await differences(database, rowsOf('telemetry'), rowsOf('expected'))).toEqual([]);
      for (const job of ['refresh-1min', 'refresh-1hour', 'refresh-daily', 'refresh-late', 'compress', 'archive'])
        await runJob(job);
      expect(await runJob('retain-raw')).toMatchObject({ dropped: 0 });
      expect(await differences(database, rowsOf('telemetry'), rowsOf('expected'))).toEqual([]);
      expect(await aggregatesDiffer(database)).toEqual([]);
    },
    LONG_MS,
  );

  it(
    'goes again once nobody holds it any more, and is archived as it was',
    async () => {
      await database.execute('UPDATE holds SET released_at = now()');
      const parts = (await archiver.list()).length;
      expect((await runJob('retain-raw'))['dropped']).toBeGreaterThan(2);
      expect((await archiver.list()).length).toBe(parts);
      expect(await aggregatesDiffer(database)).toEqual([]);
    },
    LONG_MS,
  );
});
