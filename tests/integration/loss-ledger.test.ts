import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ledgerHours, readLedger, type LedgerQuestion } from '../../src/console/ledger-query.js';
import { verifyLedger } from '../../src/console/ledger-verification.js';
import { DeviceScope } from '../../src/ingest/device-scope.js';
import { LedgerKeeper } from '../../src/pipeline/ledger-keeper.js';
import { LossLedger } from '../../src/pipeline/loss-ledger.js';
import type { Database } from '../../src/storage/database.js';
import { LedgerStore, type LedgerEntries } from '../../src/storage/ledger-store.js';
import { openDatabase } from '../../src/storage/open-database.js';
import { OUTCOMES } from '../../src/telemetry/outcome.js';
import { startFaultProxy } from '../support/fault-proxy.js';
import { startIngestServer } from '../support/ingest-server.js';
import { startPipeline } from '../support/pipeline.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { recordEvents } from '../support/record-events.js';
import { openPlainTarget, type StorageTarget } from '../support/storage-targets.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const HOUR_US = 3600 * 1e6;
const NOW_HOUR = Math.floor((Date.now() * 1000) / HOUR_US);
const EPOCH_MS = Date.UTC(2026, 9, 1);
const at = (second: number): string => new Date(EPOCH_MS + second * 1000).toISOString();

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
beforeEach(() =>
  database.script('TRUNCATE ledger, telemetry, devices, episode_states, device_latest, device_state, dead_letters'),
);

const question = (more: Partial<LedgerQuestion> = {}): LedgerQuestion => ({
  by: 'device',
  deviceId: undefined,
  site: undefined,
  sinceUs: (NOW_HOUR - 1000) * HOUR_US,
  untilUs: (NOW_HOUR + 1000) * HOUR_US,
  limit: 1000,
  ...more,
});

function entries(
  rows: readonly Partial<Record<'id' | 'hour' | 'stored' | 'rejected' | 'hearsay', unknown>>[],
): LedgerEntries {
  const column = <T>(name: keyof (typeof rows)[number], missing: T): T[] =>
    rows.map((row) => (row[name] ?? missing) as T);
  const none = rows.map(() => 0);
  return {
    deviceIds: column('id', 'esp-1'),
    hours: column('hour', NOW_HOUR),
    stored: column('stored', 0),
    merged: none,
    duplicate: none,
    deadLettered: none,
    rejected: column('rejected', 0),
    written: column('stored', 0),
    firstUs: rows.map(() => null),
    lastUs: rows.map(() => null),
    hearsay: column('hearsay', false),
  };
}

describe('the loss ledger of a pipeline and its API', () => {
  it('agrees with the metrics and with the table, whatever comes', async () => {
    const running = await startPipeline(database, temporaryDirectory('ledger'));
    const { broker, pipeline, ledger } = running;
    const api = await startIngestServer({ broker, pipeline, ledger });
    const report = fc.record({
      device: fc.nat(2),
      second: fc.nat(6),
      temperature: fc.option(fc.constantFrom(80, 90)),
      rpm: fc.option(fc.constantFrom(3000, 3100)),
    });
    const bad = fc.constantFrom<unknown>(
      { device_id: 'esp-0', timestamp: 'yesterday', temperature: 1 },
      { device_id: 'esp-1', timestamp: at(1), temperature: 'hot' },
      { device_id: 'never-good', temperature: 80 },
      { device_id: 'a\u0000b', timestamp: at(1) },
      { timestamp: at(1), temperature: 80 },
      7,
      { device_id: 'esp-2', timestamp: '2199-01-01T00:00:00Z', temperature: 80 },
    );
    const body = fc.array(fc.oneof({ weight: 4, arbitrary: report }, { weight: 1, arbitrary: bad }), { maxLength: 12 });
    const request = fc.oneof(
      { weight: 4, arbitrary: fc.record({ path: fc.constant('/v1/telemetry'), body }) },
      { weight: 2, arbitrary: fc.record({ path: fc.constant('/v1/import'), body }) },
      { weight: 1, arbitrary: fc.record({ path: fc.constant('/v1/telemetry'), body: fc.constant('{"not json') }) },
    );
    try {
      await fc.assert(
        fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 6 }), async (requests) => {
          for (const { path, body: sent } of requests) {
            const records =
              typeof sent === 'string'
                ? sent
                : (sent as { device?: number; second?: number }[]).map((record) =>
                    record.device === undefined
                      ? record
                      : {
                          ...record,
                          device: undefined,
                          second: undefined,
                          device_id: `esp-${record.device}`,
                          timestamp: at(record.second as number),
                        },
                  );
            await api.client.post(path, records);
          }
          await running.drained();
          await running.keeper.flush();
          const { sum, rows } = await readLedger(database, question());
          for (const outcome of OUTCOMES) {
            const labels = { outcome };
            const counted =
              (await running.metrics.value('telemetry_records_total', labels)) +
              (await api.metrics.value('telemetry_records_total', labels));
            expect({ outcome, records: sum[outcome] }).toEqual({ outcome, records: counted });
          }
          for (const row of [...rows, sum])
            expect(row.received).toBe(OUTCOMES.reduce((records, outcome) => records + row[outcome], 0));
          const stored = await database.query(
            'SELECT device_id, count(*)::int AS rows FROM telemetry GROUP BY 1 ORDER BY 1',
          );
          const inLedger = rows.flatMap(({ key, stored: count }) =>
            count > 0 ? [{ device_id: key, rows: count }] : [],
          );
          expect(inLedger.sort((a, b) => (a.device_id < b.device_id ? -1 : 1))).toEqual(stored);
          expect((await verifyLedger(database, question())).differences).toEqual([]);
        }),
        { numRuns: 12 },
      );
      const { rows, sum } = await readLedger(database, question());
      // Not one of the outcomes has gone untried.
      expect(Object.entries(sum).filter(([, records]) => records === 0)).toEqual([]);
      expect(rows.map(({ key }) => key).sort()).toEqual(['', 'esp-0', 'esp-1', 'esp-2', 'never-good']);
      expect(rows.find(({ key }) => key === 'never-good')).toMatchObject({ first_at: null, stored: 0 });
      const span = await database.query(
        'SELECT min("timestamp") AS first, max("timestamp") AS last FROM telemetry WHERE device_id = $1',
        ['esp-0'],
      );
      const known = rows.find(({ key }) => key === 'esp-0');
      expect([known?.first_at, known?.last_at]).toEqual(
        [span[0]?.['first'], span[0]?.['last']].map((text) => (text as string).replace(' ', 'T').replace('+00', 'Z')),
      );
    } finally {
      await api.close();
      await running.stop();
    }
  }, 120_000);

  it('says of what was stored and not counted, since the process was killed, that it is there', async () => {
    const running = await startPipeline(database, temporaryDirectory('killed'));
    const send = (deviceId: string, count: number) =>
      running.publish(
        Array.from({ length: count }, (_, second) => ({ device_id: deviceId, timestamp: at(second), temperature: 80 })),
      );
    await send('esp-1', 5);
    await send('esp-2', 3);
    await running.drained();
    await running.keeper.flush();
    await send('esp-2', 7); // three of them come again
    await running.drained();
    running.ledger.take(100); // what a kill does
    await running.stop();
    const found = await verifyLedger(database, question());
    expect(found).toMatchObject({ devices: 2, counted: 8, found: 12 });
    expect(found.differences).toEqual([{ device_id: 'esp-2', counted: 3, found: 7 }]);
    expect((await verifyLedger(database, question({ deviceId: 'esp-1' }))).differences).toEqual([]);
  });
});

describe('the store of the ledger', () => {
  it('adds up what several processes have counted', async () => {
    const stores = Array.from({ length: 3 }, () => new LedgerStore(database));
    const ids = Array.from({ length: 300 }, (_, index) => `esp-${index}`);
    await Promise.all(
      stores.map(async (store, index) => {
        const order = index === 1 ? [...ids].reverse() : ids;
        for (let round = 0; round < 5; round++)
          await store.add(entries(order.map((id) => ({ id, stored: index + 1 }))));
      }),
    );
    expect(await database.query('SELECT stored, received, count(*)::int AS devices FROM ledger GROUP BY 1, 2')).toEqual(
      [{ stored: 30, received: 30, devices: 300 }],
    );
  });

  it('counts once what it had to write twice, since nobody knew whether it was committed', async () => {
    const proxy = await startFaultProxy(server.port);
    const cuttable = await openPlainTarget(server, proxy.port);
    try {
      const store = new LedgerStore(cuttable.database);
      await store.add(entries([{ stored: 1 }]));
      const [row] = await cuttable.database.query<{ name: string }>('SELECT current_database() AS name');
      const url = new URL(server.url);
      url.pathname = row?.name ?? '';
      const direct = await openDatabase(
        { dataDir: '', database: { url: url.href, poolSize: 2, statementTimeoutMs: 20_000 } },
        recordEvents(),
      );
      // The row is held until the statement waits for it; then it is committed, and the answer lost.
      let outcome: Promise<unknown> = Promise.resolve();
      await direct.transaction(async (session) => {
        await session.query('SELECT FROM ledger FOR UPDATE');
        outcome = store.add(entries([{ stored: 10 }])).catch((error: unknown) => error);
        const waiting = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`;
        while ((await session.query(waiting)).length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
        proxy.hang();
      });
      const stored = async (): Promise<unknown> => (await direct.query('SELECT stored FROM ledger'))[0]?.['stored'];
      while ((await stored()) !== 11) await new Promise((resolve) => setTimeout(resolve, 10));
      proxy.cut();
      proxy.heal();
      expect(await outcome).toMatchObject({ retryable: true });
      await store.add(entries([{ stored: 10 }]));
      await store.add(entries([{ stored: 100 }]));
      expect(await stored()).toBe(111);
      await direct.close();
    } finally {
      await cuttable.remove();
      await proxy.close();
    }
  }, 60_000);

  it('keeps what it cannot write, says so, and writes it when the database is back', async () => {
    const proxy = await startFaultProxy(server.port);
    const cuttable = await openPlainTarget(server, proxy.port);
    const events = recordEvents();
    const ledger = new LossLedger(() => Date.now() * 1000);
    const keeper = new LedgerKeeper({ ledger, sink: new LedgerStore(cuttable.database), events });
    try {
      ledger.rejected('esp-1', 2, Date.now() * 1000);
      proxy.refuse();
      await keeper.flush();
      ledger.rejected('esp-1', 3, Date.now() * 1000);
      await keeper.flush();
      expect(events.named('ledger_not_written')).toHaveLength(2);
      proxy.heal();
      await keeper.flush();
      expect((await readLedger(cuttable.database, question())).sum).toMatchObject({ received: 5, rejected: 5 });
    } finally {
      await keeper.stop();
      await cuttable.remove();
      await proxy.close();
    }
  }, 60_000);

  it('gives strangers a bounded number of rows, and loses none of their records', async () => {
    await database.execute(`INSERT INTO devices (device_id) VALUES ('registered')`);
    const store = new LedgerStore(database);
    const strangers = (from: number) =>
      Array.from({ length: 90 }, (_, index) => ({ id: `stranger-${from + index}`, rejected: 1, hearsay: true }));
    await store.add(entries(strangers(0)));
    await store.add(entries([...strangers(50), { id: 'registered', rejected: 1, hearsay: true }]));
    await store.add(entries([{ id: 'stranger-200', hour: NOW_HOUR + 1, rejected: 1, hearsay: true }]));
    const { rows, sum } = await readLedger(database, question());
    expect(sum.rejected).toBe(182);
    // A hundred strangers and the one of the next hour, the known device, and all others together.
    expect(rows).toHaveLength(103);
    expect(rows.find(({ key }) => key === '')).toMatchObject({ rejected: 40 });
    expect(rows.map(({ key }) => key)).toContain('registered');
    expect(rows.map(({ key }) => key)).toContain('stranger-200');
  });
});

describe('what the ledger says', () => {
  beforeEach(async () => {
    await database.script(
      `INSERT INTO devices (device_id, site) VALUES ('N-1', 'north'), ('N-2', 'north'), ('S-1', 'south')`,
    );
    await new LedgerStore(database).add(
      entries([
        { id: 'N-1', hour: NOW_HOUR, stored: 10 },
        { id: 'N-1', hour: NOW_HOUR - 30, stored: 1, rejected: 1 },
        { id: 'N-2', hour: NOW_HOUR, stored: 5, rejected: 2 },
        { id: 'S-1', hour: NOW_HOUR - 1, stored: 7, rejected: 1 },
        { id: '', hour: NOW_HOUR, rejected: 4 },
      ]),
    );
  });
  const keys = async (more: Partial<LedgerQuestion>): Promise<string[]> =>
    (await readLedger(database, question(more))).rows.map(({ key }) => key);
  const hour = (offset: number): string => new Date((NOW_HOUR + offset) * 3_600_000).toISOString().replace('.000', '');

  it('has the devices with losses first, and sums beyond what it lists', async () => {
    const { rows, sum, total } = await readLedger(database, question({ limit: 2 }));
    expect(rows.map(({ key, received, rejected }) => [key, received, rejected])).toEqual([
      ['', 4, 4],
      ['N-2', 7, 2],
    ]);
    expect({ sum, total }).toMatchObject({ total: 4, sum: { received: 31, stored: 23, rejected: 8 } });
  });

  it('is grouped by hour and day, in the order of time', async () => {
    expect(await keys({ by: 'hour' })).toEqual([hour(-30), hour(-1), hour(0)]);
    const days = [-30, -1, 0].map((offset) => `${hour(offset).slice(0, 10)}T00:00:00Z`);
    expect(await keys({ by: 'day' })).toEqual([...new Set(days)]);
    expect(await keys({ by: 'hour', deviceId: 'N-1' })).toEqual([hour(-30), hour(0)]);
  });

  it('is restricted to a device, a site, a range, and to what a key may see', async () => {
    expect(await keys({ deviceId: '' })).toEqual(['']);
    expect(await keys({ site: 'north' })).toEqual(['N-2', 'N-1']);
    expect(await keys({ sinceUs: NOW_HOUR * HOUR_US })).toEqual(['', 'N-2', 'N-1']);
    expect(await keys({ untilUs: NOW_HOUR * HOUR_US })).toEqual(['N-1', 'S-1']);
    expect(await keys({ fleet: new DeviceScope(['south'], null) })).toEqual(['S-1']);
    expect(await keys({ fleet: new DeviceScope(null, ['N-*']) })).toEqual(['N-2', 'N-1']);
    expect(await keys({ fleet: new DeviceScope(null, ['S-1']), site: 'north' })).toEqual([]);
    expect((await readLedger(database, question({ deviceId: 'nobody' }))).sum.received).toBe(0);
  });

  it('covers whole hours, a day by default', () => {
    const now = (NOW_HOUR + 0.5) * HOUR_US;
    expect(ledgerHours(undefined, undefined, now)).toEqual({
      sinceUs: (NOW_HOUR - 23) * HOUR_US,
      untilUs: (NOW_HOUR + 1) * HOUR_US,
    });
    expect(ledgerHours(now - 2 * HOUR_US, now, now)).toEqual({
      sinceUs: (NOW_HOUR - 2) * HOUR_US,
      untilUs: (NOW_HOUR + 1) * HOUR_US,
    });
  });
});
