import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/storage/open-database.js';
import { describeDatabase } from '../contracts/database.js';
import { openEmbeddedDatabase, type OpenedEmbeddedDatabase } from '../support/embedded-database.js';
import { recordEvents } from '../support/record-events.js';
import {
  createTemporaryDirectory,
  temporaryDirectory,
  type TemporaryDirectory,
} from '../support/temporary-directory.js';

describeDatabase('embedded', async () => {
  const directory = createTemporaryDirectory('embedded');
  const { database, close } = await openEmbeddedDatabase(directory.path);
  return {
    database,
    async dispose() {
      await close();
      await directory.remove();
    },
  };
});

describe('the embedded database', () => {
  let directory: TemporaryDirectory;
  let opened: OpenedEmbeddedDatabase;
  beforeAll(async () => {
    directory = createTemporaryDirectory('embedded');
    opened = await openEmbeddedDatabase(directory.path);
  });
  afterAll(async () => {
    await opened.close();
    await directory.remove();
  });

  it('is TimescaleDB, community edition, on one connection', () => {
    expect(opened.database.capabilities).toMatchObject({
      timescale: 'community',
      concurrency: 1,
      survivesPowerLoss: false,
    });
    expect(opened.events.named('database_opened')).toHaveLength(1);
  });

  it('has hypertables, compression and aggregates', async () => {
    const { database } = opened;
    await database.script(`
      CREATE TABLE readings (device_id text, "timestamp" timestamptz, value real, PRIMARY KEY (device_id, "timestamp"));
      SELECT create_hypertable('readings', by_range('timestamp', INTERVAL '1 day'), create_default_indexes => false);
      ALTER TABLE readings SET (timescaledb.enable_columnstore, timescaledb.segmentby = 'device_id');
      INSERT INTO readings SELECT 'a', '2026-01-01'::timestamptz + n * interval '1 min', n FROM generate_series(0, 2879) n;
      CREATE MATERIALIZED VIEW hourly WITH (timescaledb.continuous) AS
        SELECT device_id, time_bucket('1 hour', "timestamp") AS bucket, avg(value) AS mean FROM readings GROUP BY 1, 2
        WITH NO DATA;
      CALL refresh_continuous_aggregate('hourly', '2026-01-01', '2026-01-03');
      SELECT compress_chunk(c) FROM show_chunks('readings') c`);
    expect(await database.query('SELECT count(*) AS n FROM hourly')).toEqual([{ n: 48 }]);
    expect(await database.query('SELECT count(*) AS n, max(value) AS highest FROM readings')).toEqual([
      { n: 2880, highest: 2879 },
    ]);
  });

  it('leaves the main thread free while a statement runs', async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    await opened.database.query('SELECT count(*) FROM generate_series(1, 2000000)');
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(5);
  });

  it('answers in the order of the calls, transactions included', async () => {
    const order: string[] = [];
    const note = (name: string) => () => void order.push(name);
    await Promise.all([
      opened.database.query('SELECT 1').then(note('first')),
      opened.database.transaction((session) => session.query('SELECT pg_sleep(0.02)')).then(note('second')),
      opened.database.query('SELECT 1').then(note('third')),
    ]);
    expect(order).toEqual(['first', 'second', 'third']);
  });

  it('refuses what waits beyond the bound instead of piling it up', async () => {
    const results = await Promise.allSettled(Array.from({ length: 1500 }, () => opened.database.query('SELECT 1')));
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused).toHaveLength(1500 - 1001);
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'database_busy', retryable: true });
  });

  it('that breaks down fails every call that it had, and is opened again for the next', async () => {
    const { database, events } = opened;
    await database.script('CREATE TABLE kept (id integer)');
    await database.execute('INSERT INTO kept VALUES (1)');
    // Without a check of the stack's depth, a recursion without end runs out of WebAssembly's memory.
    await database.script(
      'CREATE FUNCTION endless(n integer) RETURNS integer LANGUAGE plpgsql AS $$ BEGIN RETURN endless(n + 1); END $$',
    );
    const inTransaction = database.transaction(async (session) => {
      await session.execute('INSERT INTO kept VALUES (2)');
      const broken = session.query('SELECT endless(1)');
      const behind = session.query('SELECT 1');
      await expect(behind).rejects.toMatchObject({ code: 'database_unavailable', retryable: true });
      return broken;
    });
    const next = database.query('SELECT count(*) AS n FROM kept');
    await expect(inTransaction).rejects.toMatchObject({ code: 'database_unavailable', retryable: true });
    expect(await next).toEqual([{ n: 1 }]);
    expect(events.named('database_reopening')).toHaveLength(1);
  });
});

describe('opening the embedded database', () => {
  it('starts over where the first start was killed in its middle', async () => {
    const dataDir = temporaryDirectory();
    mkdirSync(join(dataDir, 'database'));
    writeFileSync(join(dataDir, 'database', 'PG_VERSION'), '17\n');
    writeFileSync(join(dataDir, 'database.incomplete'), '');
    const { database, close } = await openEmbeddedDatabase(dataDir);
    expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(existsSync(join(dataDir, 'database.incomplete'))).toBe(false);
    await close();
  });

  it('says what is wrong with a damaged one and leaves it as it is', async () => {
    const dataDir = temporaryDirectory();
    mkdirSync(join(dataDir, 'database'));
    writeFileSync(join(dataDir, 'database', 'PG_VERSION'), '17\n');
    await expect(openEmbeddedDatabase(dataDir)).rejects.toMatchObject({
      code: 'database_open_failed',
      retryable: false,
    });
    expect(existsSync(join(dataDir, 'database', 'PG_VERSION'))).toBe(true);
  });

  it('without the lock of its directory is a mistake of the program', async () => {
    const dataDir = temporaryDirectory();
    const config = { dataDir, database: { url: '', poolSize: 2, statementTimeoutMs: 1000 } };
    await expect(openDatabase(config, recordEvents())).rejects.toThrow('not locked by this process');
  });
});

describe('a full disk', () => {
  it('is said clearly, loses nothing that was acknowledged, and is over once there is space', () => {
    // A disk of its own that nobody else sees: a file system in memory, mounted in a namespace of the child only.
    const script = fileURLToPath(new URL('../support/full-disk-writer.mjs', import.meta.url));
    const asRoot = process.getuid?.() === 0 ? [] : ['--map-root-user'];
    const mountAndRun = 'mount -t tmpfs -o size=120m tmpfs "$0" && exec "$1" "$2" "$0"';
    const disk = temporaryDirectory('disk');
    const output = execFileSync(
      'unshare',
      ['--mount', ...asRoot, 'sh', '-c', mountAndRun, disk, process.execPath, script],
      { encoding: 'utf8' },
    );
    const { failures, before, acknowledged, stored } = JSON.parse(output) as {
      failures: unknown[];
      before: number;
      acknowledged: number;
      stored: number;
    };
    expect(failures).toEqual(Array.from({ length: 3 }, () => ({ code: 'database_full', retryable: true })));
    expect(acknowledged).toBeGreaterThan(before);
    expect(stored).toBe(acknowledged);
  }, 60_000);
});

describe('kill -9 of the process', () => {
  it('loses nothing that was acknowledged, round after round', async () => {
    const dataDir = temporaryDirectory();
    const script = fileURLToPath(new URL('../support/acknowledging-writer.mjs', import.meta.url));
    let last = 0;
    for (let round = 1; round <= 3; round++) {
      const writer = spawn(process.execPath, [script, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] });
      const exited = once(writer, 'exit');
      let stopAt = Infinity;
      for await (const line of createInterface({ input: writer.stdout })) {
        const { found, written } = JSON.parse(line) as { found?: { rows: number; last: number }; written?: number };
        if (found !== undefined) {
          // One more may have been committed than was read, and none is missing in between.
          expect(found.rows).toBe(found.last);
          expect(found.last).toBeGreaterThanOrEqual(last);
          stopAt = found.last + 37 * round;
        }
        last = written ?? last;
        if (last === stopAt) writer.kill('SIGKILL');
      }
      await exited;
      expect(last).toBeGreaterThanOrEqual(stopAt);
    }
    const { database, close } = await openEmbeddedDatabase(dataDir);
    const [row] = await database.query('SELECT count(*) AS rows, max(id) AS last FROM acknowledged');
    await close();
    expect(row?.['rows']).toBe(row?.['last']);
    expect(row?.['last']).toBeGreaterThanOrEqual(last);
  }, 60_000);
});
