/** Whatever comes, late, twice or not at all, and whatever is deleted: all levels say what the readings say. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jobDefinitions } from '../../src/jobs/job-definitions.js';
import { JobRunner } from '../../src/jobs/job-runner.js';
import type { Database } from '../../src/storage/database.js';
import { bruteForce, type TestRow } from '../support/brute-force.js';
import { recordEvents } from '../support/record-events.js';
import { openMigratedTarget } from '../support/storage-targets.js';
import { insertRows, randomRow, seededRandom } from '../support/telemetry-rows.js';
import { timescaleTargets, type OpenedTarget } from '../support/timescale-targets.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const LEVELS = [
  ['telemetry_1min', 60],
  ['telemetry_1hour', 3600],
  ['telemetry_daily', 86_400],
] as const;

/** Rows over some hours of a day, the deletion of some of a day's rows, or the jobs. */
type Step =
  | {
      readonly do: 'insert';
      readonly ageDays: number;
      readonly hour: number;
      readonly rows: number;
      readonly seed: number;
    }
  | { readonly do: 'delete'; readonly ageDays: number; readonly everyNth: number }
  | { readonly do: 'refresh' }
  | { readonly do: 'compress' };

/** Within the windows of all levels, of some, and of none. */
const ageDays = fc.constantFrom(1, 2, 6, 9, 20, 40);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('insert' as const),
      ageDays,
      hour: fc.integer({ min: 0, max: 22 }),
      rows: fc.integer({ min: 1, max: 40 }),
      seed: fc.integer({ min: 1, max: 1e9 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('delete' as const), ageDays, everyNth: fc.integer({ min: 1, max: 4 }) }),
  },
  { weight: 2, arbitrary: fc.constant({ do: 'refresh' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'compress' as const }) },
);

describe.each(timescaleTargets())('the aggregates of any history, $name', (target) => {
  let opened: OpenedTarget;
  let database: Database;
  let runner: JobRunner;
  const midnightMs = Math.floor(Date.now() / DAY) * DAY;

  beforeAll(async () => {
    opened = await openMigratedTarget(target);
    database = opened.database;
    runner = new JobRunner({ database, events: recordEvents(), jobs: jobDefinitions('community') });
  });
  afterAll(async () => {
    await runner?.stop();
    await opened?.remove();
  });

  const run = async (...jobs: string[]): Promise<void> => {
    for (const job of jobs) {
      let last = await runner.runNow(job);
      while (last.detail?.['more'] === true) last = await runner.runNow(job);
      expect(last).toMatchObject({ job, result: 'succeeded' });
    }
  };
  const refresh = (): Promise<void> => run('refresh-1min', 'refresh-1hour', 'refresh-daily', 'refresh-late');
  const dayOf = (age: number): number => midnightMs - age * DAY;
  /** As the writer: a day that the regular refresh may have passed by is noted. */
  const note = (age: number): string[] => (age >= 6 ? [new Date(dayOf(age)).toISOString().slice(0, 10)] : []);

  const apply = async (rows: Map<string, TestRow>, each: Step, device: string): Promise<void> => {
    if (each.do === 'refresh') return refresh();
    if (each.do === 'compress') return run('compress');
    if (each.do === 'insert') {
      const random = seededRandom(each.seed);
      const added = new Map<string, TestRow>();
      for (let n = 0; n < each.rows; n++) {
        const at = dayOf(each.ageDays) + each.hour * HOUR + Math.floor(random() * HOUR);
        const row = randomRow(random, device, at);
        if (!rows.has(String(at))) added.set(String(at), row);
      }
      await insertRows(database, [...added.values()], note(each.ageDays));
      for (const [key, row] of added) rows.set(key, row);
      return;
    }
    const from = dayOf(each.ageDays);
    const gone = [...rows.values()]
      .filter(({ timestampMs }) => timestampMs >= from && timestampMs < from + DAY)
      .filter((_, index) => index % each.everyNth === 0);
    await database.execute(
      `DELETE FROM telemetry WHERE device_id = $1 AND "timestamp" = ANY (SELECT to_timestamp(ms / 1000.0) FROM unnest($2::float8[]) ms)`,
      [device, gone.map(({ timestampMs }) => timestampMs)],
    );
    if (gone.length > 0) await insertRows(database, [], note(each.ageDays));
    for (const { timestampMs } of gone) rows.delete(String(timestampMs));
  };

  /** Every figure of every bucket. */
  const compare = async (rows: readonly TestRow[], device: string): Promise<void> => {
    for (const [view, seconds] of LEVELS) {
      const expected = bruteForce([...rows], seconds, () => 60);
      const buckets = await database.query(
        `SELECT *, extract(epoch FROM bucket)::float8 AS start FROM ${view} WHERE device_id = $1`,
        [device],
      );
      const keyOf = (row: Record<string, unknown>): string => `${device} ${String(row['start'])}`;
      expect(buckets.map(keyOf).sort(), view).toEqual([...expected.keys()].sort());
      for (const row of buckets)
        for (const [name, value] of Object.entries(expected.get(keyOf(row)) ?? {})) {
          const found = row[name];
          const stored = typeof found === 'number' && /_(min|max)$/.test(name) ? Math.fround(found) : found;
          const place = `${view} ${keyOf(row)} ${name}`;
          if (value === null || typeof stored !== 'number') expect(stored, place).toBe(value);
          else if (Math.abs(stored - value) > 1e-8 * Math.max(1, Math.abs(value))) expect(stored, place).toBe(value);
        }
    }
  };

  it('is that of the readings, to the last figure', async () => {
    let histories = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 10 }), async (steps) => {
        const device = `well ${++histories}`;
        const rows = new Map<string, TestRow>();
        for (const each of steps) await apply(rows, each, device);
        await refresh();
        await compare([...rows.values()], device);
      }),
      { numRuns: 5, endOnFailure: true },
    );
  }, 240_000);
});
