import { mkdtemp, readdir, readFile, writeFile, copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Database } from '../../src/storage/database.js';
import { AGGREGATE_LEVELS, readRefreshWindows } from '../../src/storage/aggregate-levels.js';
import { MIGRATIONS_DIRECTORY, readMigrations } from '../../src/storage/migration-files.js';
import { migrate, migrationStatus, type MigrateOptions } from '../../src/storage/migrator.js';
import { openDatabase } from '../../src/storage/open-database.js';
import { CHANNELS } from '../../src/telemetry/channels.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { recordEvents } from '../support/record-events.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { timescaleTargets, type OpenedTarget } from '../support/timescale-targets.js';

const events = recordEvents();
const plain = { events, subset: 'plain' } satisfies MigrateOptions;

/** The migrations of the program in a directory where a test may change them. */
async function copiedMigrations(): Promise<string> {
  const directory = await mkdtemp(join(temporaryDirectory(), 'migrations-'));
  for (const name of await readdir(MIGRATIONS_DIRECTORY)) {
    await copyFile(join(MIGRATIONS_DIRECTORY, name), join(directory, name));
  }
  return directory;
}

async function directoryOf(files: Readonly<Record<string, string>>): Promise<string> {
  const directory = temporaryDirectory();
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  return directory;
}

describe('on PostgreSQL without TimescaleDB', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.remove());

  const openUrl = async (url: string): Promise<Database> => {
    const database = await openDatabase(
      { dataDir: '', database: { url, poolSize: 2, statementTimeoutMs: 20_000 } },
      events,
    );
    onTestFinished(() => database.close());
    return database;
  };
  const fresh = async (): Promise<Database> => openUrl(await server.createDatabase());

  it('refuses a production start, with the reason', async () => {
    await expect(migrate(await fresh(), { events })).rejects.toMatchObject({
      code: 'timescale_missing',
      message: expect.stringContaining('has no TimescaleDB') as unknown,
    });
  });

  it('applies the plain subset once, and shows the rest as pending', async () => {
    const database = await fresh();
    const withoutTimescale = (await readMigrations()).filter(({ requires }) => requires === 'none');
    expect((await migrationStatus(database)).every(({ state }) => state === 'pending')).toBe(true);
    expect(await migrate(database, plain)).toEqual(withoutTimescale.map(({ version }) => version));
    expect(await migrate(database, plain)).toEqual([]);
    for (const { version, state, appliedAt } of await migrationStatus(database)) {
      const applied = withoutTimescale.some((migration) => migration.version === version);
      expect({ version, state }).toEqual({ version, state: applied ? 'applied' : 'pending' });
      expect(appliedAt === null).toBe(!applied);
    }
  });

  it('makes one row a device of the last values of each channel', async () => {
    const database = await fresh();
    const before = temporaryDirectory();
    for (const name of (await readdir(MIGRATIONS_DIRECTORY)).filter((file) => file < '0012'))
      await copyFile(join(MIGRATIONS_DIRECTORY, name), join(before, name));
    await migrate(database, { ...plain, directory: before });
    const values = CHANNELS.flatMap(({ name }, index) => [
      { device_id: 'all', channel: name, value: index + 0.5, timestamp: `2026-11-23T00:00:00.${100_000 + index}Z` },
      ...(index % 2 === 0
        ? [{ device_id: 'half', channel: name, value: -index, timestamp: '2026-11-24T00:00:00Z' }]
        : []),
    ]);
    await database.execute(
      'INSERT INTO device_latest SELECT * FROM jsonb_populate_recordset(NULL::device_latest, $1::jsonb)',
      [JSON.stringify(values)],
    );
    const select = (table: string): Promise<unknown> =>
      database.query(`SELECT device_id, channel, value, "timestamp" FROM ${table} ORDER BY device_id, channel`);
    const carried = await select('device_latest');
    expect(carried).toHaveLength(values.length);
    await migrate(database, plain);
    expect(await select('device_latest_values')).toEqual(carried);
    const columns = await database.query<{ column_name: string }>(
      `SELECT column_name FROM information_schema.columns WHERE table_name = 'device_latest' ORDER BY ordinal_position`,
    );
    const names = CHANNELS.map(({ name }) => name);
    const channelColumns = [...names, ...names.map((name) => `${name}_at`)];
    expect(columns.map(({ column_name }) => column_name).slice(-channelColumns.length)).toEqual(channelColumns);
    expect(await database.query('SELECT device_id, newest_at FROM device_latest ORDER BY device_id')).toEqual([
      { device_id: 'all', newest_at: null },
      { device_id: 'half', newest_at: null },
    ]);
  });

  it('lets racing migrators in one after the other', async () => {
    const url = await server.createDatabase();
    const databases = await Promise.all(Array.from({ length: 4 }, () => openUrl(url)));
    const applied = await Promise.all(databases.map((database) => migrate(database, plain)));
    expect(applied.filter((versions) => versions.length > 0)).toHaveLength(1);
  });

  it('waits for another migrator for a bounded time only', async () => {
    const url = await server.createDatabase();
    const [holder, waiting] = await Promise.all([openUrl(url), openUrl(url)]);
    await holder.tryExclusive('migrate', async () => {
      await expect(migrate(waiting, { ...plain, lockWaitMs: 0 })).rejects.toMatchObject({
        code: 'migration_locked',
        retryable: true,
      });
    });
    expect(await migrate(waiting, plain)).not.toEqual([]);
  });

  it('refuses an edited migration and names both checksums', async () => {
    const database = await fresh();
    const directory = await copiedMigrations();
    await migrate(database, { ...plain, directory });
    const [before] = await readMigrations(directory);
    const file = join(directory, '0001_telemetry.sql');
    await writeFile(file, `${await readFile(file, 'utf8')}\n-- a harmless remark`);
    const [after] = await readMigrations(directory);
    const attempts = [() => migrate(database, { ...plain, directory }), () => migrationStatus(database, directory)];
    for (const attempt of attempts) {
      const refusal = attempt();
      await expect(refusal).rejects.toMatchObject({ code: 'migration_edited' });
      await expect(refusal).rejects.toThrow(before?.checksum);
      await expect(refusal).rejects.toThrow(after?.checksum);
    }
  });

  it('refuses a schema newer than the program, and one with a gap', async () => {
    const database = await fresh();
    await migrate(database, plain);
    await database.execute('DELETE FROM schema_migrations WHERE version = 2');
    await database.execute('INSERT INTO schema_migrations VALUES (3, $1, $2, now(), 0)', [
      'hypertable',
      (await readMigrations())[2]?.checksum ?? '',
    ]);
    await expect(migrate(database, plain)).rejects.toMatchObject({ code: 'schema_gap' });
    await database.execute(`INSERT INTO schema_migrations VALUES (9001, 'of_the_future', '', now(), 0)`);
    const refusal = migrate(database, plain);
    await expect(refusal).rejects.toMatchObject({ code: 'schema_newer' });
    await expect(refusal).rejects.toThrow(/of_the_future.*Upgrade/s);
  });

  it('leaves a foreign table telemetry alone and points to the way out', async () => {
    const database = await fresh();
    await database.execute('CREATE TABLE telemetry (ts timestamptz, well text)');
    await database.execute(`INSERT INTO telemetry VALUES (now(), 'A-1')`);
    const refusal = migrate(database, plain);
    await expect(refusal).rejects.toMatchObject({ code: 'foreign_telemetry_table' });
    await expect(refusal).rejects.toThrow('downhole legacy inspect');
    await expect(migrationStatus(database)).rejects.toMatchObject({ code: 'foreign_telemetry_table' });
    expect(await database.query('SELECT well FROM telemetry')).toEqual([{ well: 'A-1' }]);
    expect(await database.query(`SELECT to_regclass('schema_migrations') AS history`)).toEqual([{ history: null }]);
  });

  it('leaves the history of another program alone', async () => {
    const database = await fresh();
    await database.execute('CREATE TABLE schema_migrations (version varchar)');
    await expect(migrate(database, plain)).rejects.toMatchObject({ code: 'foreign_schema_migrations' });
  });

  it('undoes a migration that fails half-way, and keeps those before it', async () => {
    const database = await fresh();
    const directory = await directoryOf({
      '0001_good.sql': '-- description: good\n-- requires: none\nCREATE TABLE good (a int);',
      '0002_bad.sql': '-- description: bad\n-- requires: none\nCREATE TABLE bad (a int);\nSELECT 1 / 0;',
    });
    await expect(migrate(database, { ...plain, directory })).rejects.toThrow('division by zero');
    expect(await database.query(`SELECT to_regclass('good') IS NOT NULL AS good, to_regclass('bad') AS bad`)).toEqual([
      { good: true, bad: null },
    ]);
    expect((await migrationStatus(database, directory)).map(({ state }) => state)).toEqual(['applied', 'pending']);
  });

  it('begins an interrupted non-transactional migration again', async () => {
    const database = await fresh();
    const directory = await directoryOf({
      '0001_index.sql': [
        '-- description: an index without blocking writers',
        '-- requires: none',
        '-- transaction: none',
        'CREATE TABLE IF NOT EXISTS steps (a int);',
        'CREATE INDEX CONCURRENTLY IF NOT EXISTS steps_a ON steps (a);',
        `DO $body$ BEGIN IF to_regclass('released') IS NULL THEN RAISE 'killed; here'; END IF; END $body$;`,
      ].join('\n'),
    });
    await expect(migrate(database, { ...plain, directory })).rejects.toThrow('killed; here');
    expect((await migrationStatus(database, directory))[0]?.state).toBe('pending');
    await database.execute('CREATE TABLE released ()');
    expect(await migrate(database, { ...plain, directory })).toEqual([1]);
    expect(await migrate(database, { ...plain, directory })).toEqual([]);
  });

  describe('the table telemetry', () => {
    let database: Database;
    beforeAll(async () => {
      const config = { url: await server.createDatabase(), poolSize: 2, statementTimeoutMs: 20_000 };
      database = await openDatabase({ dataDir: '', database: config }, events);
      await migrate(database, plain);
    });
    afterAll(() => database.close());

    it('has the channels of the catalogue as real columns, in its order', async () => {
      const rows = await database.query<{ column_name: string; data_type: string }>(
        `SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'telemetry' ORDER BY ordinal_position`,
      );
      expect(rows.map(({ column_name }) => column_name)).toEqual([
        'timestamp',
        'device_id',
        ...CHANNELS.map(({ name }) => name),
        'data_quality_score',
        'is_anomaly',
        'ingestion_timestamp',
        'source_system',
        'quality_flags',
        'anomaly_score',
        'anomaly_cause',
        'operating_state',
        'raw_values',
      ]);
      const channels = rows.filter(({ column_name }) => CHANNELS.some(({ name }) => name === column_name));
      expect(new Set(channels.map(({ data_type }) => data_type))).toEqual(new Set(['real']));
    });

    const accepts = async (column: string, value: string): Promise<boolean> => {
      try {
        await database.execute(
          `INSERT INTO telemetry (device_id, "timestamp", ${column}) VALUES ('check', clock_timestamp(), '${value}')`,
        );
        return true;
      } catch (error) {
        expect(error).toMatchObject({ cause: { code: '23514' } });
        return false;
      }
    };

    it.each(CHANNELS.map((channel) => [channel.name, channel] as const))(
      'accepts %s within the physical range only, and never NaN',
      async (name, { minimum, maximum }) => {
        expect(await accepts(name, String(minimum))).toBe(true);
        expect(await accepts(name, String(maximum))).toBe(true);
        for (const impossible of [
          String(minimum - 0.01),
          String(maximum + maximum * 1e-6),
          'NaN',
          'Infinity',
          '-Infinity',
        ]) {
          expect(await accepts(name, impossible)).toBe(false);
        }
      },
    );

    it('refuses what is no score and no device', async () => {
      for (const score of ['-0.01', '1.01', 'NaN']) expect(await accepts('data_quality_score', score)).toBe(false);
      await expect(
        database.execute(`INSERT INTO telemetry (device_id, "timestamp") VALUES ('', now())`),
      ).rejects.toMatchObject({ cause: { code: '23514' } });
    });

    it('has its key as the only index', async () => {
      const rows = await database.query(`SELECT indexdef FROM pg_indexes WHERE tablename = 'telemetry'`);
      expect(rows).toHaveLength(1);
      expect(rows[0]?.['indexdef']).toContain('UNIQUE INDEX telemetry_pk');
      expect(rows[0]?.['indexdef']).toContain('(device_id, "timestamp")');
    });
  });
});

/** Columns that dashboards and queries of the installed base use. */
const KNOWN_COLUMNS = {
  telemetry_1min:
    'temp_avg temp_max temp_min temp_stddev vib_avg vib_max pressure_avg pressure_max flow_avg flow_total avg_quality anomaly_count sample_count flow_volume_bbl',
  telemetry_1hour:
    'temp_avg temp_max temp_min temp_p95 vib_avg vib_max vib_p95 pressure_avg flow_avg sample_count anomaly_count flow_volume_bbl running_percentage',
  telemetry_daily:
    'temp_avg temp_max temp_min vib_avg vib_max pressure_avg flow_avg sample_count anomaly_count avg_quality uptime_percentage flow_volume_bbl running_percentage',
};

describe.each(timescaleTargets())('on TimescaleDB, $name', (target) => {
  let opened: OpenedTarget | undefined;
  let database: Database;
  beforeAll(async () => {
    opened = await target.open();
    database = opened.database;
    await migrate(database, { events, variables: { chunkHours: 6 } });
  });
  afterAll(() => opened?.remove());

  it('applies everything once', async () => {
    expect(await migrate(database, { events })).toEqual([]);
    expect((await migrationStatus(database)).every(({ state }) => state === 'applied')).toBe(true);
  });

  it('makes chunks as configured, and no index beside the key', async () => {
    expect(
      await database.query(
        `SELECT extract(epoch FROM time_interval)::int / 3600 AS hours FROM timescaledb_information.dimensions WHERE hypertable_name = 'telemetry'`,
      ),
    ).toEqual([{ hours: 6 }]);
    expect(await database.query(`SELECT indexname FROM pg_indexes WHERE tablename = 'telemetry'`)).toEqual([
      { indexname: 'telemetry_pk' },
    ]);
  });

  it.each(Object.entries(KNOWN_COLUMNS))(
    'gives %s its known columns and those of every channel',
    async (view, known) => {
      const rows = await database.query<{ column_name: string }>(
        'SELECT column_name FROM information_schema.columns WHERE table_name = $1',
        [view],
      );
      const expected = ['bucket', 'device_id', ...known.split(' ')];
      for (const { stem } of CHANNELS) expected.push(`${stem}_avg`, `${stem}_min`, `${stem}_max`, `${stem}_n`);
      expect(rows.map(({ column_name }) => column_name)).toEqual(expect.arrayContaining(expected));
    },
  );

  it('leaves every policy to our own clock, and drops no readings', async () => {
    const policies = await database.query<{ proc_name: string; scheduled: boolean }>(
      `SELECT proc_name, scheduled FROM timescaledb_information.jobs WHERE job_id >= 1000`,
    );
    expect(policies).toHaveLength(9);
    expect(policies.some(({ scheduled }) => scheduled)).toBe(false);
    expect(policies.some(({ proc_name }) => proc_name === 'policy_retention')).toBe(false);
  });

  it('refreshes no further back than its source is kept for certain', async () => {
    const windows = await readRefreshWindows(database);
    const RAW_RETENTION_DAYS = 30;
    const sources = { '1min': RAW_RETENTION_DAYS, '1hour': 90, '1hour-p95': RAW_RETENTION_DAYS, daily: 365 };
    for (const { name } of AGGREGATE_LEVELS) {
      const days = (windows.get(name)?.startOffsetSeconds ?? Infinity) / 86_400;
      expect(days + 1, name).toBeLessThan(sources[name]);
    }
  });
});
