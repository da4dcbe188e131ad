import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openDatabase } from '../../src/storage/open-database.js';
import type { Database } from '../../src/storage/database.js';
import { describeDatabase } from '../contracts/database.js';
import { recordEvents, type RecordedEvents } from '../support/record-events.js';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { createScratchDatabase, timescaleServerUrl } from '../support/timescale-targets.js';

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.remove());

const open = (
  url: string,
  { poolSize = 4, statementTimeoutMs = 10_000, events = recordEvents() } = {},
): Promise<Database> =>
  openDatabase({ dataDir: '/nonexistent', database: { url, poolSize, statementTimeoutMs } }, events);

describeDatabase('PostgreSQL 15 without TimescaleDB', async () => ({
  database: await open(await server.createDatabase()),
  dispose: async () => {},
}));

const timescaleUrl = timescaleServerUrl();
if (timescaleUrl !== undefined) {
  describeDatabase('a server with TimescaleDB', async () => {
    const scratch = await createScratchDatabase(timescaleUrl);
    const database = await open(scratch.url);
    expect(database.capabilities.timescale).toBe('community');
    return { database, dispose: () => scratch.remove() };
  });

  it('a server with TimescaleDB is that for an ordinary role, too', async () => {
    const scratch = await createScratchDatabase(timescaleUrl);
    const admin = await open(scratch.url);
    const role = `role_of_${new URL(scratch.url).pathname.slice(1)}`;
    await admin.script(
      `DROP EXTENSION timescaledb; CREATE ROLE ${role} LOGIN; ALTER DATABASE ${new URL(scratch.url).pathname.slice(1)} OWNER TO ${role}`,
    );
    const url = new URL(scratch.url);
    url.username = role;
    try {
      const database = await open(url.href);
      expect(database.capabilities.timescale).toBe('community');
      await database.close();
    } finally {
      await admin.close();
      await scratch.remove();
      const cleaner = await open(timescaleUrl);
      await cleaner.script(`DROP ROLE ${role}`);
      await cleaner.close();
    }
  });
}

const openHere = async (options?: Parameters<typeof open>[1]): Promise<Database> => {
  const database = await open(server.url, options);
  onTestFinished(() => database.close());
  return database;
};

describe('a server', () => {
  it('is described as it is', async () => {
    const database = await openHere({ poolSize: 3 });
    expect(database.capabilities).toMatchObject({ timescale: 'none', timescaleVersion: null, concurrency: 3 });
    expect(database.capabilities.postgresVersion).toMatch(/^15\./);
    // The test cluster runs without fsync, and it shows.
    expect(database.capabilities.survivesPowerLoss).toBe(false);
  });

  it('is open to an ordinary role', async () => {
    const admin = await openHere();
    await admin.script('CREATE ROLE ordinary LOGIN');
    const url = new URL(await server.createDatabase());
    url.username = 'ordinary';
    const database = await open(url.href);
    onTestFinished(() => database.close());
    expect(database.capabilities).toMatchObject({ timescale: 'none' });
  });

  it('knows us by name', async () => {
    const database = await openHere();
    const rows = await database.query(
      `SELECT application_name AS name FROM pg_stat_activity WHERE pid = pg_backend_pid()`,
    );
    expect(rows).toEqual([{ name: 'downhole' }]);
  });

  it('ends a statement that takes too long, which may be tried again', async () => {
    const database = await openHere({ statementTimeoutMs: 100 });
    await expect(database.query('SELECT pg_sleep(10)')).rejects.toMatchObject({
      retryable: true,
      cause: { code: '57014' },
    });
    const unlimited = database.transaction((session) => session.query('SELECT 1 AS one FROM pg_sleep(0.3)'), {
      statementTimeoutMs: 0,
    });
    expect(await unlimited).toEqual([{ one: 1 }]);
    await expect(
      database.transaction((session) => session.query('SELECT pg_sleep(10)'), { statementTimeoutMs: 50 }),
    ).rejects.toMatchObject({ cause: { code: '57014' } });
    await database.script('SET statement_timeout = 0; SELECT pg_sleep(0.3)');
    await expect(database.query('SELECT pg_sleep(10)')).rejects.toMatchObject({ cause: { code: '57014' } });
  });

  it('runs as many statements at a time as the pool has connections, and the rest later', async () => {
    const database = await openHere({ poolSize: 2 });
    const busy = Array.from({ length: 12 }, () =>
      database.transaction(async (session) => {
        const [row] = await session.query(
          `SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'downhole' AND state <> 'idle'`,
        );
        return row?.['n'] as number;
      }),
    );
    expect(Math.max(...(await Promise.all(busy)))).toBeLessThanOrEqual(2);
  });

  it('refuses what waits beyond the bound instead of piling it up', async () => {
    const database = await openHere({ poolSize: 2 });
    const calls = Array.from({ length: 1200 }, () => database.query('SELECT 1'));
    const results = await Promise.allSettled(calls);
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused.length).toBeGreaterThan(0);
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'database_busy', retryable: true });
  });

  it('shares locks among programs, and a killed holder frees his', async () => {
    const one = await openHere();
    const other = await openHere();
    let finish = (): void => {};
    const finished = new Promise<void>((resolve) => (finish = resolve));
    const held = new Promise<void>((resolve, reject) => {
      one.tryExclusive('migrate', () => (resolve(), finished)).catch(reject);
    });
    await held;
    expect(await other.tryExclusive('migrate', async () => 1)).toBeUndefined();
    await other.execute(`SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'`);
    expect(await other.tryExclusive('migrate', async () => 1)).toBe(1);
    finish();
  });

  it('tells the holder of a lock that it was lost', async () => {
    const database = await openHere();
    const call = database.tryExclusive('job', () =>
      database.execute(`SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'`),
    );
    await expect(call).rejects.toMatchObject({ code: 'lock_lost', retryable: true });
  });

  it.each([
    ['a wrong database', '/not_there', 'statement_failed', '3D000'],
    ['a wrong role', '', 'statement_failed', '28000'],
  ])('refuses %s for good', async (_, path, code, sqlState) => {
    const url = new URL(server.url);
    if (path === '') url.username = 'nobody_of_that_name';
    else url.pathname = path;
    await expect(open(url.href)).rejects.toMatchObject({ code, retryable: false, cause: { code: sqlState } });
  });
});

describe('a network with faults', () => {
  let proxy: FaultProxy;
  let database: Database;
  let events: RecordedEvents;

  const openThroughProxy = async (statementTimeoutMs?: number): Promise<void> => {
    proxy = await startFaultProxy(server.port);
    events = recordEvents();
    const url = new URL(server.url);
    url.port = String(proxy.port);
    database = await open(url.href, {
      poolSize: 2,
      events,
      ...(statementTimeoutMs === undefined ? {} : { statementTimeoutMs }),
    });
    onTestFinished(async () => {
      proxy.heal();
      await database.close();
      await proxy.close();
    });
  };
  const unavailable = { code: 'database_unavailable', retryable: true };

  it('cut in the middle of a statement: retryable, and the next call works', async () => {
    await openThroughProxy();
    const statement = expect(database.query('SELECT pg_sleep(5)')).rejects.toMatchObject(unavailable);
    const transaction = expect(
      database.transaction((session) => session.query('SELECT pg_sleep(5)')),
    ).rejects.toMatchObject(unavailable);
    await until(() => proxy.connections === 2);
    await new Promise((resolve) => setTimeout(resolve, 100));
    proxy.cut();
    await Promise.all([statement, transaction]);
    expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('cut while a COPY is on its way: nothing is loaded', async () => {
    await openThroughProxy();
    await database.script('CREATE TABLE IF NOT EXISTS cut_copy (id integer)');
    proxy.hang();
    const header = new Uint8Array(19);
    header.set(Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'));
    const copy = expect(
      database.copyBinary('cut_copy (id)', [header, new Uint8Array(4_000_000)]),
    ).rejects.toMatchObject(unavailable);
    await new Promise((resolve) => setTimeout(resolve, 50));
    proxy.cut();
    await copy;
    proxy.heal();
    expect(await database.query('SELECT count(*) AS n FROM cut_copy')).toEqual([{ n: 0 }]);
  });

  it('cut while idle: noted, and nobody else notices', async () => {
    await openThroughProxy();
    await database.query('SELECT 1');
    proxy.cut();
    await until(() => events.named('database_connection_lost').length > 0);
    expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('refusing: retryable until it is back', async () => {
    await openThroughProxy();
    proxy.refuse();
    await expect(database.query('SELECT 1')).rejects.toMatchObject(unavailable);
    await expect(database.tryExclusive('job', async () => 1)).rejects.toMatchObject(unavailable);
    proxy.heal();
    expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('silent: the wait for an answer ends', async () => {
    await openThroughProxy(100);
    await database.query('SELECT 1');
    proxy.hang();
    await expect(database.query('SELECT 1')).rejects.toMatchObject(unavailable);
    proxy.heal();
    expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });
});

describe('a server that goes and comes', () => {
  it('is found again after a restart and after a crash, with what was committed', async () => {
    const own = await startPostgres({ durable: true });
    onTestFinished(() => own.remove());
    const database = await open(own.url);
    onTestFinished(() => database.close());
    expect(database.capabilities.survivesPowerLoss).toBe(true);
    await database.script('CREATE TABLE t (id integer)');
    for (const end of [own.stop, own.kill]) {
      await database.execute('INSERT INTO t VALUES (1)');
      const pending = expect(database.query('SELECT pg_sleep(30)')).rejects.toMatchObject({ retryable: true });
      await new Promise((resolve) => setTimeout(resolve, 100));
      await end();
      await pending;
      await expect(database.query('SELECT 1')).rejects.toMatchObject({ code: 'database_unavailable', retryable: true });
      await own.restart();
    }
    expect(await database.query('SELECT count(*) AS n FROM t')).toEqual([{ n: 2 }]);
  });

  it('says so when it was never there', async () => {
    const url = 'postgres://127.0.0.1:1/postgres';
    await expect(open(url)).rejects.toMatchObject({ code: 'database_unavailable', retryable: true });
  });
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
