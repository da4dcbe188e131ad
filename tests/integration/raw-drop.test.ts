/** Readings dropped once the archive has them, and what comes late for a day that is gone. */
import fc from 'fast-check';
import { unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Archiver, type DropVerdict } from '../../src/archive/archiver.js';
import { DirectoryStore } from '../../src/archive/directory-store.js';
import { jobDefinitions } from '../../src/jobs/job-definitions.js';
import { JobRunner } from '../../src/jobs/job-runner.js';
import type { Database } from '../../src/storage/database.js';
import { createHold, releaseHold } from '../../src/storage/holds.js';
import { MICROS_PER_DAY } from '../../src/telemetry/timestamp.js';
import type { TestRow } from '../support/brute-force.js';
import { keptRows } from '../support/kept-rows.js';
import { recordEvents } from '../support/record-events.js';
import { openMigratedTarget } from '../support/storage-targets.js';
import { insertRows, randomRow, seededRandom } from '../support/telemetry-rows.js';
import { createTemporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.js';
import { timescaleTargets, type OpenedTarget } from '../support/timescale-targets.js';

const MINUTE = 60_000;
const VIEWS = ['telemetry_1min', 'telemetry_1hour', 'telemetry_daily'];
const today = Math.floor(Date.now() / 86_400_000);
const dayName = (day: number): string => new Date(day * 86_400_000).toISOString().slice(0, 10);

describe.each(timescaleTargets())('the drop of readings, $name', (target) => {
  const random = seededRandom(46);
  const events = recordEvents();
  let opened: OpenedTarget;
  let database: Database;
  let directory: TemporaryDirectory;
  let archiver: Archiver;
  let runner: JobRunner;

  beforeAll(async () => {
    opened = await openMigratedTarget(target);
    ({ database } = opened);
    directory = createTemporaryDirectory('drop');
    archiver = archiverOn(database);
    runner = new JobRunner({ database, events, jobs: jobDefinitions('community', { archiver }) });
  }, 90_000);
  afterAll(async () => {
    await runner.stop();
    await opened.remove();
    await directory.remove();
  });

  const archiverOn = (of: Database): Archiver =>
    new Archiver({ database: of, store: new DirectoryStore(directory.path), events, afterDays: 25 });
  const rowsOf = (day: number, device: string, count: number): TestRow[] =>
    Array.from({ length: count }, (_, index) => randomRow(random, device, day * 86_400_000 + index * 7 * MINUTE));
  const run = async (job: string): Promise<Readonly<Record<string, unknown>>> => {
    for (;;) {
      const { result, detail, error } = await runner.runNow(job);
      expect({ job, result, error }).toEqual({ job, result: 'succeeded', error: null });
      if (detail?.['more'] !== true) return detail ?? {};
    }
  };
  const refreshAll = async (): Promise<void> => {
    for (const job of ['refresh-1min', 'refresh-1hour', 'refresh-daily', 'refresh-late']) await run(job);
  };
  const chunkOf = async (day: number): Promise<string | undefined> => {
    const [row] = await database.query<{ name: string }>(
      `SELECT format('%I.%I', chunk_schema, chunk_name) AS name FROM timescaledb_information.chunks
       WHERE hypertable_name = 'telemetry' AND hypertable_schema = current_schema() AND range_start = $1::timestamptz`,
      [dayName(day)],
    );
    return row?.name;
  };
  const aggregatesOf = async (day: number): Promise<unknown[]> => {
    const found: unknown[] = [];
    for (const view of VIEWS)
      found.push(
        await database.query(
          `SELECT * FROM ${view} WHERE bucket >= $1::timestamptz AND bucket < $1::timestamptz + INTERVAL '1 day'
           ORDER BY device_id, bucket`,
          [dayName(day)],
        ),
      );
    return found;
  };
  const partsOf = async (day: number) =>
    (await archiver.list())
      .filter(({ range }) => range.startUs === day * MICROS_PER_DAY)
      .map(({ state, figures }) => [state, figures?.tally.rows]);
  const kept = (day: number) => keptRows(database, archiver, directory.path, day * MICROS_PER_DAY);

  it('drops what is archived and old enough, and leaves the aggregates as they are, whatever is refreshed then', async () => {
    const [day, young] = [today - 40, today - 29];
    await insertRows(database, [...rowsOf(day, 'a', 60), ...rowsOf(day, 'b', 30)], [dayName(day)]);
    await insertRows(database, rowsOf(young, 'a', 10), [dayName(young)]);
    await refreshAll();
    const before = await aggregatesOf(day);
    expect(before.map((rows) => (rows as unknown[]).length)).toEqual([90, 11, 2]);
    await run('archive');
    const { table } = await kept(day);
    const name = await chunkOf(day);
    expect(await run('retain-raw')).toMatchObject({ dropped: 1, droppedChunks: name, kept: 0 });
    expect(await chunkOf(day)).toBeUndefined();
    expect(await chunkOf(young)).toBeDefined();
    expect(await partsOf(day)).toEqual([['dropped', 90]]);
    expect(await kept(day)).toEqual({ table: [], parts: table });
    expect(events.named('chunk_dropped').at(-1)).toMatchObject({ chunk: name, rows: 90, lateRows: 0 });

    // A note as of a late row, and every refresh there is.
    await insertRows(database, [], [dayName(day)]);
    await refreshAll();
    expect(await aggregatesOf(day)).toEqual(before);
    expect(events.named('late_rows_after_drop')).toEqual([]);

    // A late row makes the chunk again. It is archived beside the first part, and wipes nothing.
    await insertRows(database, rowsOf(day, 'late', 1), [dayName(day)]);
    await refreshAll();
    expect(await aggregatesOf(day)).toEqual(before);
    expect(await database.query('SELECT FROM late_days')).toEqual([]);
    expect(events.named('late_rows_after_drop')).toEqual([{ day: dayName(day), rows: 1 }]);
    expect(await run('retain-raw')).toMatchObject({ dropped: 0, kept: 1, not_archived: 1 });
    await run('archive');
    expect(await partsOf(day)).toEqual([
      ['dropped', 90],
      ['verified', 1],
    ]);
    const second = await kept(day);
    expect(await run('retain-raw')).toMatchObject({ dropped: 1 });
    expect(events.named('chunk_dropped').at(-1)).toMatchObject({ revision: 2, rows: 1, lateRows: 1 });
    await refreshAll();
    expect(await partsOf(day)).toEqual([
      ['dropped', 90],
      ['dropped', 1],
    ]);
    expect(await kept(day)).toEqual({ table: [], parts: second.parts });
    expect(second.parts).toHaveLength(91);
    expect(await aggregatesOf(day)).toEqual(before);
    for await (const { damage } of archiver.verify()) expect(damage).toBeUndefined();
  }, 120_000);

  it('keeps a chunk with a row that came after it was archived, until that is archived too', async () => {
    const day = today - 41;
    await insertRows(database, rowsOf(day, 'a', 20));
    await run('archive');
    await insertRows(database, rowsOf(day, 'late', 1));
    const detail = await run('retain-raw');
    expect(detail).toMatchObject({ dropped: 0, kept: 1, stale: 1 });
    expect(detail['explained']).toMatch(/chunk: 1 readings came after it was archived$/);
    expect(await partsOf(day)).toEqual([['stale', 20]]);
    expect(events.named('chunks_kept').at(-1)?.reasons).toMatchObject({ stale: 1, held: 0 });
    expect(await run('retain-raw')).toMatchObject({ dropped: 0, not_verified: 1 });
    await run('archive');
    expect(await run('retain-raw')).toMatchObject({ dropped: 1 });
    expect(await partsOf(day)).toEqual([
      ['stale', 20],
      ['dropped', 21],
    ]);
    expect((await kept(day)).parts).toHaveLength(21);
  }, 60_000);

  it('keeps what is held or has late readings to come, compressed or not, and drops it afterwards', async () => {
    const [held, late] = [today - 42, today - 43];
    await insertRows(database, [...rowsOf(held, 'a', 20), ...rowsOf(late, 'a', 20)]);
    await database.query(`SELECT compress_chunk($1::regclass)`, [(await chunkOf(held)) ?? '']);
    await run('archive');
    const fromUs = held * MICROS_PER_DAY;
    const wanted = { deviceId: 'other', fromUs, toUs: fromUs + 1, reason: 'claim', expiresAtUs: null };
    const { id } = await createHold(database, wanted, 'test');
    await insertRows(database, [], [dayName(late)]);
    expect(await run('retain-raw')).toMatchObject({ dropped: 0, kept: 2, held: 1, late: 1 });
    await releaseHold(database, id, 'test');
    await run('refresh-late');
    expect(await run('retain-raw')).toMatchObject({ dropped: 2, kept: 0 });
  }, 60_000);

  it('looks again under the lock, at holds and late days that came since, and at the part in the store', async () => {
    const day = today - 44;
    await insertRows(database, rowsOf(day, 'a', 5));
    await run('archive');
    const chunk = { name: (await chunkOf(day)) ?? '', range: rangeOf(day) };
    const verdicts: DropVerdict[] = ['compare', 'keep'];
    const seen: unknown[] = [];
    const outcome = await archiver.drop(chunk, async (_session, { content }) => {
      seen.push(content);
      return verdicts.shift() ?? 'drop';
    });
    expect(outcome).toBe('kept');
    expect(seen).toEqual([null, { rows: 5, fingerprint: expect.stringMatching(/^5:-?\d+$/) as unknown }]);
    expect(await partsOf(day)).toEqual([['verified', 5]]);
    const [part] = (await archiver.list()).filter(({ range }) => range.startUs === chunk.range.startUs);
    unlinkSync(join(directory.path, part?.manifestKey ?? ''));
    expect(await run('retain-raw')).toMatchObject({ dropped: 0, not_verified: 1 });
    expect(events.named('archive_part_damaged').at(-1)?.damage).toContain('manifest.json is missing');
    await run('archive');
    expect(await run('retain-raw')).toMatchObject({ dropped: 1 });
  }, 60_000);

  it('finds fault with chunks that should have gone long ago', async () => {
    const day = today - 45;
    await insertRows(database, rowsOf(day, 'a', 2));
    const faultOf = async (): Promise<string | null | undefined> =>
      (await runner.list()).find(({ name }) => name === 'retain-raw')?.fault;
    expect(await faultOf()).toMatch(/^1 chunks should have been dropped more than 3 days ago/);
    await run('archive');
    await run('retain-raw');
    expect(await faultOf()).toBeNull();
  }, 60_000);

  it('has every row that was ever written in the table or in a part that counts, whatever happens in whatever order', async () => {
    const days = [today - 50, today - 51];
    const day = fc.nat({ max: 1 });
    const step: fc.Arbitrary<Step> = fc.oneof(
      { arbitrary: fc.record({ kind: fc.constantFrom('write'), day }), weight: 3 },
      { arbitrary: fc.record({ kind: fc.constantFrom('refresh', 'archive', 'retain', 'all'), day }), weight: 4 },
      { arbitrary: fc.record({ kind: fc.constantFrom('hold', 'release'), day }), weight: 1 },
    );
    let drops = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 20 }), async (steps) => {
        await database.execute('DELETE FROM telemetry');
        await database.query(`SELECT drop_chunks('telemetry', older_than => now())`);
        for (const table of ['archive_parts', 'holds', 'late_days']) await database.execute(`DELETE FROM ${table}`);
        const written = new Map<number, Set<string>>(days.map((day) => [day, new Set()]));
        const holds: number[] = [];
        let minutes = 0;
        const take = async (kind: Step['kind'], day: number): Promise<void> => {
          if (kind === 'refresh' || kind === 'all') await run('refresh-late');
          if (kind === 'archive' || kind === 'all') await run('archive');
          if (kind === 'retain' || kind === 'all') drops += Number((await run('retain-raw'))['dropped']);
          if (kind === 'release') for (const id of holds.splice(0)) await releaseHold(database, id, 'test');
          if (kind === 'hold') {
            const wanted = { deviceId: null, fromUs: day * MICROS_PER_DAY, toUs: day * MICROS_PER_DAY + 1 };
            const { id } = await createHold(database, { ...wanted, reason: 'test', expiresAtUs: null }, 'test');
            holds.push(id);
          }
          if (kind !== 'write') return;
          const rows = ['a', 'b'].map((device) => randomRow(random, device, day * 86_400_000 + ++minutes * MINUTE));
          await insertRows(database, rows, [dayName(day)]);
          for (const row of (await kept(day)).table) written.get(day)?.add(row);
        };
        for (const { kind, day: index } of [...steps, { kind: 'release', day: 0 }, { kind: 'all', day: 0 }] as Step[])
          await take(kind, days[index] as number);
        for (const [day, expected] of written) {
          const { table, parts } = await kept(day);
          expect([...new Set([...table, ...parts])].sort()).toEqual([...expected].sort());
          expect(new Set(parts).size).toBe(parts.length);
          expect(table).toEqual([]);
        }
      }),
      { numRuns: 6, seed: 46 },
    );
    expect(drops).toBeGreaterThan(10);
  }, 240_000);
});

interface Step {
  readonly kind: string;
  /** 0 or 1. */
  readonly day: number;
}

const rangeOf = (day: number) => ({ startUs: day * MICROS_PER_DAY, endUs: (day + 1) * MICROS_PER_DAY });

const servers = timescaleTargets().filter(({ name }) => name === 'server');
describe.each(servers)('the drop of readings under writers, $name', (target) => {
  const events = recordEvents();
  const day = today - 60;
  const stamp = new Date(day * 86_400_000 + 5000).toISOString();
  let opened: OpenedTarget;
  let database: Database;
  let directory: TemporaryDirectory;
  let archiver: Archiver;
  let name: string;

  beforeAll(async () => {
    opened = await openMigratedTarget(target);
    ({ database } = opened);
    directory = createTemporaryDirectory('drop');
    archiver = new Archiver({ database, store: new DirectoryStore(directory.path), events, afterDays: 25 });
    await database.execute(
      `INSERT INTO telemetry ("timestamp", device_id) SELECT $1::timestamptz + n * INTERVAL '1 min', 'a' FROM generate_series(1, 50) n`,
      [stamp],
    );
    await archiver.run({ uncheckedHours: 0 });
    const [row] = await database.query<{ name: string }>(`SELECT show_chunks('telemetry')::text AS name`);
    name = row?.name ?? '';
  }, 60_000);
  afterAll(async () => {
    await opened.remove();
    await directory.remove();
  });

  it('does not wait for a writer, and drops nothing under him', async () => {
    await database.transaction(async (session) => {
      await session.execute(`INSERT INTO telemetry ("timestamp", device_id) VALUES ($1, 'open')`, [stamp]);
      expect(await archiver.drop({ name, range: rangeOf(day) }, () => Promise.resolve('drop'))).toBe('locked');
      await session.execute(`DELETE FROM telemetry WHERE device_id = 'open'`);
    });
    expect(await database.query('SELECT count(*)::int AS n FROM telemetry')).toEqual([{ n: 50 }]);
  });

  it('never loses a row that is written while the chunk is being dropped', async () => {
    let writing: Promise<number> | undefined;
    const isWaiting = async (): Promise<void> => {
      const rows = await database.query(
        `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%during%' AND datname = current_database()`,
      );
      expect(rows).toHaveLength(1);
    };
    const outcome = await archiver.drop({ name, range: rangeOf(day) }, async (_session, { content }) => {
      if (content === null) return 'compare';
      expect(content.rows).toBe(50);
      writing = database.execute(`INSERT INTO telemetry ("timestamp", device_id) VALUES ($1, 'during')`, [stamp]);
      await vi.waitFor(isWaiting, { timeout: 20_000 });
      return 'drop';
    });
    expect(outcome).toBe('dropped');
    expect(await writing).toBe(1);
    expect(await database.query('SELECT device_id FROM telemetry')).toEqual([{ device_id: 'during' }]);
    expect((await archiver.run({ uncheckedHours: 0 })).counts.archived).toBe(1);
    expect((await keptRows(database, archiver, directory.path, day * MICROS_PER_DAY)).parts).toHaveLength(51);
  });
});
