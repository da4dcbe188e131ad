/** What keeps the loss ledger small: old hours become days, and older days go. */
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ledgerText } from '../../src/commands/ledger-text.js';
import { ledgerHours, readLedger } from '../../src/console/ledger-query.js';
import { jobDefinitions } from '../../src/jobs/job-definitions.js';
import { JobRunner } from '../../src/jobs/job-runner.js';
import type { Database } from '../../src/storage/database.js';
import { LedgerStore, type LedgerEntries } from '../../src/storage/ledger-store.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { recordEvents } from '../support/record-events.js';
import { openPlainTarget, type StorageTarget } from '../support/storage-targets.js';

const HOUR_US = 3600 * 1e6;
const NOW_HOUR = Math.floor((Date.now() * 1000) / HOUR_US);

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
beforeEach(() => database.script('TRUNCATE ledger'));

describe('the job that prunes the ledger', () => {
  it('keeps 400 days of it, and the writers of the last month', async () => {
    await database.script(`
      TRUNCATE ledger_writers;
      INSERT INTO ledger (device_id, hour, stored)
        SELECT 'esp-' || number, date_trunc('hour', now()) - make_interval(days => 380 + number), 1 FROM generate_series(1, 40) AS number;
      INSERT INTO ledger_writers VALUES (gen_random_uuid(), 1, now() - interval '31 days'), (gen_random_uuid(), 1, now() - interval '29 days')`);
    const runner = new JobRunner({ database, events: recordEvents(), jobs: jobDefinitions('none') });
    expect(await runner.runNow('prune-ledger')).toMatchObject({
      result: 'succeeded',
      detail: { deleted: 21, more: false },
    });
    await runner.stop();
    const [left] = await database.query(
      `SELECT count(*)::int AS rows, (SELECT count(*)::int FROM ledger_writers) AS writers FROM ledger`,
    );
    expect(left).toEqual({ rows: 19, writers: 1 });
  });
});

describe('the job that rolls up the ledger', () => {
  const OLD_HOUR = Math.floor(NOW_HOUR / 24) * 24 - 35 * 24;
  const BY_DAY = `SELECT device_id, date_trunc('day', hour) AS day, sum(received) AS received, sum(stored) AS stored, sum(merged) AS merged,
      sum(duplicate) AS duplicate, sum(dead_lettered) AS dead_lettered, sum(rejected) AS rejected, sum(written) AS written,
      min(first_at) AS first_at, max(last_at) AS last_at
    FROM ledger GROUP BY 1, 2 ORDER BY 1, 2`;
  const ROWS = `SELECT device_id, (extract(epoch FROM hour) / 3600)::int AS hour, whole_day, received FROM ledger ORDER BY 1, 2`;
  const isOld = ({ hour }: { hour: unknown }): boolean => (hour as number) < OLD_HOUR;

  const rollUp = async (): Promise<void> => {
    const runner = new JobRunner({ database, events: recordEvents(), jobs: jobDefinitions('none') });
    expect(await runner.runNow('roll-up-ledger')).toMatchObject({ result: 'succeeded', detail: { more: false } });
    await runner.stop();
  };

  it('keeps every sum of a device and day, and the hours of 35 days, whatever arrives later', async () => {
    const count = fc.nat(2 ** 31);
    const moment = fc.option(fc.integer({ min: 0, max: 2e9 }).map((seconds) => seconds * 1e6));
    const entry = fc.record({
      id: fc.constantFrom('', 'esp-1', 'esp-2'),
      hour: fc.integer({ min: OLD_HOUR - 60, max: OLD_HOUR + 30 }),
      counts: fc.tuple(count, count, count, count, count, count),
      span: fc.tuple(moment, moment),
    });
    const toEntries = (given: readonly (typeof entry extends fc.Arbitrary<infer T> ? T : never)[]): LedgerEntries => {
      const counts = (index: number): number[] => given.map((one) => one.counts[index] as number);
      return {
        deviceIds: given.map(({ id }) => id),
        hours: given.map(({ hour }) => hour),
        stored: counts(0),
        merged: counts(1),
        duplicate: counts(2),
        deadLettered: counts(3),
        rejected: counts(4),
        written: counts(5),
        firstUs: given.map(({ span }) => span[0]),
        lastUs: given.map(({ span }) => span[1]),
        hearsay: given.map(() => false),
      };
    };
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(entry, { maxLength: 60 }), { minLength: 1, maxLength: 3 }), async (rounds) => {
        await database.script('TRUNCATE ledger');
        for (const round of rounds) {
          await new LedgerStore(database).add(toEntries(round));
          const [sums, rows] = [await database.query(BY_DAY), await database.query(ROWS)];
          await rollUp();
          expect(await database.query(BY_DAY)).toEqual(sums);
          const rolled = await database.query(ROWS);
          expect(rolled.filter((row) => (row['hour'] as number) >= OLD_HOUR)).toEqual(
            rows.filter((row) => (row['hour'] as number) >= OLD_HOUR),
          );
          for (const row of rolled.filter((one) => isOld(one as { hour: unknown })))
            expect(row).toMatchObject({ hour: Math.floor((row['hour'] as number) / 24) * 24, whole_day: true });
        }
      }),
      { numRuns: 15 },
    );
  }, 120_000);

  it('goes on until nothing is left, and shows days as days', async () => {
    await database.execute(
      `INSERT INTO ledger (device_id, hour, stored)
       SELECT 'esp-' || device, timestamptz 'epoch' + ($1::int - hour) * interval '1 hour', 1
       FROM generate_series(1, 60) AS device, generate_series(1, 48) AS hour`,
      [OLD_HOUR],
    );
    await rollUp();
    expect(await database.query('SELECT count(*)::int AS rows, sum(stored)::int AS stored FROM ledger')).toEqual([
      { rows: 120, stored: 2880 },
    ]);
    const range = ledgerHours((OLD_HOUR - 5) * HOUR_US, (OLD_HOUR - 3) * HOUR_US, NOW_HOUR * HOUR_US);
    const asked = await readLedger(database, {
      by: 'hour',
      deviceId: 'esp-7',
      site: undefined,
      limit: 1000,
      ...range,
    });
    const day = new Date((OLD_HOUR - 24) * 3_600_000).toISOString().replace('.000', '');
    expect(asked).toMatchObject({ since: day, rows: [{ key: day, whole_day: true, stored: 24 }] });
    expect(ledgerText(asked)).toContain(`${day.slice(0, 10)} (day)`);
  });
});
