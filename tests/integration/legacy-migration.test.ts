/** An old table becomes the product's, under writers that insert, update and delete all the time. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { inspectLegacy, scanLegacy } from '../../src/legacy/inspect.js';
import {
  finishLegacy,
  migrateLegacy,
  rollbackLegacy,
  verifyNow,
  type LegacyContext,
  type MigrateLegacyOptions,
} from '../../src/legacy/legacy-migration.js';
import { readProgress } from '../../src/legacy/progress.js';
import type { Database } from '../../src/storage/database.js';
import { migrate } from '../../src/storage/migrator.js';
import { openDatabase } from '../../src/storage/open-database.js';
import {
  compareWithExpected,
  createLegacyTable,
  startCollidingWriters,
  startWriters,
  withClient,
  type Writers,
} from '../support/legacy-table.js';
import { openEmbeddedDatabase } from '../support/embedded-database.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { recordEvents } from '../support/record-events.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { createScratchDatabase, timescaleServerUrl } from '../support/timescale-targets.js';

const ROWS = 50_000;
const SET_ASIDE = 9;
const SLOW_MS = 180_000;
const events = recordEvents();

const options = (more: Partial<MigrateLegacyOptions> = {}): MigrateLegacyOptions => ({
  mapping: {},
  withoutSwap: false,
  onStage: () => undefined,
  ...more,
});

interface LegacyTarget {
  readonly name: string;
  readonly subset?: 'plain';
  createUrl(): Promise<string>;
}

let postgres: PostgresServer;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.remove());

const timescaleUrl = timescaleServerUrl();
const targets: LegacyTarget[] = [{ name: 'PostgreSQL', subset: 'plain', createUrl: () => postgres.createDatabase() }];
if (timescaleUrl !== undefined) {
  targets.push({
    name: 'TimescaleDB',
    async createUrl() {
      const scratch = await createScratchDatabase(timescaleUrl);
      // Last: connections of the test are closed before.
      onTestFinished(() => scratch.remove());
      return scratch.url;
    },
  });
}

async function open(url: string, subset?: 'plain'): Promise<LegacyContext> {
  const database = await openDatabase(
    { dataDir: '', database: { url, poolSize: 4, statementTimeoutMs: 60_000 } },
    events,
  );
  onTestFinished(() => database.close());
  return { database, schema: { subset }, patience: { lockTimeoutMs: 1000, attempts: 50 }, directory: null };
}

/** Stops them where a test fails before it does. */
function ended(writers: Writers): Writers {
  onTestFinished(() => writers.stop());
  return writers;
}

const count = async (database: Database, what: string): Promise<number> =>
  (await database.query<{ n: number }>(`SELECT count(*) AS n FROM ${what}`))[0]?.n ?? -1;

describe.each(targets)('an old table on $name', ({ subset, createUrl }) => {
  const prepared = async (rows = ROWS): Promise<{ url: string; context: LegacyContext; database: Database }> => {
    const url = await createUrl();
    const context = await open(url, subset);
    await createLegacyTable(url, { rows });
    return { url, context, database: context.database };
  };

  it(
    'is taken over, taken back and taken over again, without losing a row of four writers',
    async () => {
      const { url, context, database } = await prepared();
      const writers = ended(startWriters(url));
      const found = await migrateLegacy(context, options());
      expect(found).toMatchObject({ differences: [] });
      expect(found?.setAside).toBe(SET_ASIDE);
      await migrate(database, { events, subset });
      const atSwap = writers.committed();
      while (writers.committed() < atSwap + 200) await new Promise((resolve) => setTimeout(resolve, 5));
      await writers.stop();
      expect(await compareWithExpected(url, 'telemetry + legacy_set_aside')).toEqual({ lost: [], extra: [] });
      expect(await count(database, 'devices')).toBeGreaterThan(20);
      expect(await count(database, 'late_days')).toBeGreaterThan(1);

      const later = ended(startWriters(url));
      expect(await rollbackLegacy(context, false)).toBe('swapped');
      await later.stop();
      expect(await compareWithExpected(url, 'telemetry')).toEqual({ lost: [], extra: [] });
      await expect(migrateLegacy(context, options())).rejects.toMatchObject({ code: 'legacy_stage' });
      await expect(migrate(database, { events, subset })).rejects.toMatchObject({ code: 'foreign_telemetry_table' });
      await rollbackLegacy(context, true);

      await migrateLegacy(context, options());
      await migrate(database, { events, subset });
      expect(await compareWithExpected(url, 'telemetry + legacy_set_aside')).toEqual({ lost: [], extra: [] });
      await finishLegacy(context, false);
      expect(await compareWithExpected(url, 'telemetry_old')).toEqual({ lost: [], extra: [] });
      expect(await readProgress(database)).toBeNull();
      expect(await migrate(database, { events, subset })).toEqual([]);
    },
    SLOW_MS,
  );

  it(
    'keeps account of rows without a place while writers make and remove them',
    async () => {
      const { url, context, database } = await prepared(20_000);
      // By hand a block or two at a time, so that most changes hit rows that are not copied yet, or just being copied.
      const writers = ended(startCollidingWriters(url));
      await migrateLegacy(context, options({ withoutSwap: true, rowsPerSecond: 10_000 }));
      for (let round = 0; round < 5; round++) expect((await verifyNow(database)).differences).toEqual([]);
      await writers.stop();
      const verification = await verifyNow(database);
      expect(verification.differences).toEqual([]);
      expect(verification.setAside).toBeGreaterThan(SET_ASIDE);
      expect(verification.newRows + verification.setAside).toBe(await count(database, 'telemetry'));
    },
    SLOW_MS,
  );

  it(
    'gets its views and grants back on both ways',
    async () => {
      const { url, context, database } = await prepared(1000);
      const role = `legacy_reader_${process.pid}`;
      await database.script(`
        CREATE ROLE ${role};
        GRANT SELECT, INSERT ON telemetry TO ${role};
        GRANT UPDATE (temperature) ON telemetry TO ${role} WITH GRANT OPTION;
        CREATE VIEW hot AS SELECT device_id, max(temperature) AS top FROM telemetry WHERE device_id <> 'Bad' GROUP BY device_id;
        CREATE VIEW hottest WITH (security_barrier=true) AS SELECT max(top) AS top FROM hot;
        GRANT SELECT ON hottest TO ${role};`);
      onTestFinished(() =>
        withClient(url, async (client) => void (await client.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`))),
      );
      const grants = async (): Promise<unknown[]> =>
        database.query(
          `SELECT relname::text AS name, relacl::text AS grants, reloptions FROM pg_class WHERE relname IN ('telemetry', 'hot', 'hottest') AND relnamespace = 'public'::regnamespace
           ORDER BY 1`,
        );
      const before = await grants();
      const { views, remarks } = await inspectLegacy(database, {}, null);
      expect(views).toEqual(['public.hot', 'public.hottest']);
      expect(remarks).toContainEqual(expect.stringContaining('The grant of columns UPDATE (temperature)'));
      await migrateLegacy(context, options());
      await migrate(database, { events, subset });
      expect(await grants()).toEqual(before);
      await database.execute(
        `INSERT INTO telemetry ("timestamp", device_id, temperature) VALUES ('2026-11-01T00:00:00Z', 'New', 200)`,
      );
      expect(await database.query('SELECT top FROM hottest')).toEqual([{ top: 200 }]);
      await rollbackLegacy(context, true);
      expect(await grants()).toEqual(before);
      expect(await database.query('SELECT top FROM hottest')).toEqual([{ top: 200 }]);
    },
    SLOW_MS,
  );

  it(
    'waits for a long reader without keeping writers waiting, and gives up when told to',
    async () => {
      const { url, context, database } = await prepared(1000);
      await migrateLegacy(context, options({ withoutSwap: true }));
      await withClient(url, async (reader) => {
        await reader.query('BEGIN');
        await reader.query('SELECT count(*) FROM telemetry');
        const impatient = { ...context, patience: { lockTimeoutMs: 50, attempts: 2 } };
        await expect(migrateLegacy(impatient, options())).rejects.toMatchObject({
          code: 'legacy_locked',
          retryable: true,
        });
        await database.execute(`INSERT INTO telemetry VALUES ('2026-11-01T00:00:00Z', 'Meanwhile', 1, 1, 1, 1)`);
        let waited = 0;
        let ending: Promise<unknown> = Promise.resolve();
        const onWait = (): void => {
          waited++;
          ending = reader.query('COMMIT');
        };
        await migrateLegacy({ ...context, patience: { lockTimeoutMs: 50, attempts: 50, onWait } }, options());
        await ending;
        expect(waited).toBeGreaterThan(0);
      });
      expect(await count(database, `telemetry WHERE device_id = 'Meanwhile'`)).toBe(1);
    },
    SLOW_MS,
  );

  it(
    'is left as it was by a rollback before the swap',
    async () => {
      const { url, context, database } = await prepared();
      const writers = ended(startWriters(url));
      let batches = 0;
      const interrupted = options({ stopped: () => ++batches > 1, rowsPerSecond: 100_000 });
      await expect(migrateLegacy(context, interrupted)).rejects.toMatchObject({ code: 'interrupted' });
      await rollbackLegacy(context, false);
      await migrateLegacy(context, options({ withoutSwap: true }));
      await rollbackLegacy(context, false);
      await writers.stop();
      expect(await compareWithExpected(url, 'telemetry')).toEqual({ lost: [], extra: [] });
      expect(await count(database, `pg_trigger WHERE tgrelid = 'telemetry'::regclass`)).toBe(0);
      expect(
        await count(database, `pg_class WHERE relname IN ('legacy_set_aside', 'devices', 'schema_migrations')`),
      ).toBe(0);
    },
    SLOW_MS,
  );
});

describe('what inspection says', () => {
  it('counts what would be set aside, and changes nothing', async () => {
    const url = await postgres.createDatabase();
    const { database } = await open(url, 'plain');
    await createLegacyTable(url, { rows: 1000 });
    const inspection = await inspectLegacy(database, {}, null);
    expect(inspection).toMatchObject({ home: 'public', rowsEstimate: 1010, keys: [], obstacles: [] });
    expect(await scanLegacy(database, inspection)).toEqual({ rows: 1010, impossible: 7, duplicates: 2 });
    expect(await readProgress(database)).toBeNull();
  });

  it('names what stands in the way', async () => {
    const url = await postgres.createDatabase();
    const { database } = await open(url, 'plain');
    await createLegacyTable(url, { rows: 10 });
    await database.script(`
      CREATE TABLE devices (id int); CREATE TABLE child () INHERITS (telemetry);
      CREATE MATERIALIZED VIEW summary AS SELECT count(*) FROM telemetry;`);
    const { obstacles } = await inspectLegacy(database, {}, null);
    expect(obstacles).toEqual([
      expect.stringContaining('The name devices is taken'),
      expect.stringContaining('child inherits from it'),
      expect.stringContaining('The materialized view public.summary'),
    ]);
  });
});

it(
  'takes columns of other names, without a time zone, and keeps those that there is no place for',
  async () => {
    const url = await postgres.createDatabase();
    const context = await open(url, 'plain');
    const { database } = context;
    await database.script(`
      CREATE TABLE telemetry (id bigint, ts timestamp NOT NULL, well text, wh_press numeric(10, 2), temperature integer, operator text);
      INSERT INTO telemetry VALUES (1, '2026-10-01 12:00', 'A', 100.25, 80, 'Kim'), (2, '2026-10-01 12:01', 'A', NULL, NULL, NULL);`);
    const mapping = { time: 'ts', device: 'well', timeZone: 'America/Chicago', columns: { wh_press: 'pressure' } };
    await expect(migrateLegacy(context, options())).rejects.toMatchObject({ code: 'legacy_unmappable' });
    await migrateLegacy(context, options({ mapping }));
    expect(
      await database.query(
        'SELECT device_id, "timestamp", pressure, temperature, data_quality_score, ingestion_timestamp, raw_values FROM telemetry ORDER BY 2',
      ),
    ).toEqual([
      {
        device_id: 'A',
        timestamp: '2026-10-01 17:00:00+00',
        pressure: 100.25,
        temperature: 80,
        data_quality_score: null,
        ingestion_timestamp: null,
        raw_values: { id: 1, operator: 'Kim' },
      },
      {
        device_id: 'A',
        timestamp: '2026-10-01 17:01:00+00',
        pressure: null,
        temperature: null,
        data_quality_score: null,
        ingestion_timestamp: null,
        raw_values: { id: 2 },
      },
    ]);
    await database.execute(
      `INSERT INTO telemetry (device_id, "timestamp", temperature) VALUES ('B', '2026-11-15T12:00:00Z', 7)`,
    );
    await database.execute(`UPDATE telemetry SET temperature = 81 WHERE temperature = 80`);
    await rollbackLegacy(context, true);
    expect(await database.query('SELECT * FROM telemetry ORDER BY ts')).toMatchObject([
      { id: 1, ts: '2026-10-01 12:00:00', well: 'A', wh_press: '100.25', temperature: 81, operator: 'Kim' },
      { id: 2, ts: '2026-10-01 12:01:00', well: 'A', wh_press: null, temperature: null, operator: null },
      { id: null, ts: '2026-11-15 06:00:00', well: 'B', temperature: 7 },
    ]);
  },
  SLOW_MS,
);

it(
  'is taken over in the embedded database, with chunks and aggregates',
  async () => {
    const { database, close } = await openEmbeddedDatabase(temporaryDirectory());
    onTestFinished(close);
    await database.script(`
      CREATE TABLE telemetry ("timestamp" timestamptz, device_id text, temperature float8, vibration float8, pressure float8, flow_rate float8);
      INSERT INTO telemetry SELECT '2026-10-01T00:00:00Z'::timestamptz + make_interval(mins => i), 'Well', 80, 1, 100, NULL FROM generate_series(1, 5000) i;
      INSERT INTO telemetry SELECT * FROM telemetry LIMIT 3;`);
    const context = {
      database,
      schema: {},
      patience: { lockTimeoutMs: 1000, attempts: 3 },
      directory: temporaryDirectory(),
    };
    expect(await migrateLegacy(context, options())).toMatchObject({
      oldRows: 5003,
      newRows: 5000,
      setAside: 3,
      differences: [],
    });
    await migrate(database, { events });
    expect(await count(database, 'telemetry')).toBe(5000);
    expect(await count(database, 'telemetry_1hour')).toBe(84);
    expect(await count(database, `timescaledb_information.chunks WHERE hypertable_name = 'telemetry'`)).toBe(4);
    await finishLegacy(context, true);
    expect(await count(database, `pg_class WHERE relname = 'telemetry_old'`)).toBe(0);
  },
  SLOW_MS,
);
