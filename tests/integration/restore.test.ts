import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { clearArchiveTable } from '../../src/archive/archive-table.js';
import { Archiver } from '../../src/archive/archiver.js';
import { AzureStore } from '../../src/archive/azure-store.js';
import { readFingerprint } from '../../src/archive/chunk-rows.js';
import { DirectoryStore } from '../../src/archive/directory-store.js';
import type { ObjectStore } from '../../src/archive/object-store.js';
import { listParts } from '../../src/archive/part-table.js';
import type { RestoreTable } from '../../src/archive/restore-table.js';
import { archivedFingerprints } from '../../src/archive/restored-rows.js';
import { Restorer, type RestoredPart } from '../../src/archive/restorer.js';
import { jobDefinitions } from '../../src/jobs/job-definitions.js';
import { JobRunner } from '../../src/jobs/job-runner.js';
import type { Database } from '../../src/storage/database.js';
import { listHolds } from '../../src/storage/holds.js';
import { formatTimestamp, MICROS_PER_DAY } from '../../src/telemetry/timestamp.js';
import { anyRows, insertAnyRows, rowsOfDay } from '../support/archived-rows.js';
import { startAzurite } from '../support/azurite.js';
import { openPlain, plainAndTimescale } from '../support/plain-and-timescale.js';
import { daysAgo, dropDay, rangeOf } from '../support/archived-days.js';
import { recordEvents } from '../support/record-events.js';
import { openMigratedTarget } from '../support/storage-targets.js';
import { createTemporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.js';
import { insertRows, randomRow, seededRandom } from '../support/telemetry-rows.js';
import { timescaleTargets } from '../support/timescale-targets.js';

const HOUR_US = MICROS_PER_DAY / 24;

describe.each(plainAndTimescale)('restoring from the archive, $name', ({ open }) => {
  const random = seededRandom(21);
  const events = recordEvents();
  let opened: Awaited<ReturnType<typeof open>>;
  let database: Database;
  let directory: TemporaryDirectory;
  let store: ObjectStore;
  let archiver: Archiver;
  const day = daysAgo(50);

  const rowsAt = (dayUs: number, device: string, hours: readonly number[]) =>
    hours.map((hour) => randomRow(random, device, (dayUs + hour * HOUR_US) / 1000));
  const restore = async (
    range: { startUs: number; endUs: number },
    into: RestoreTable,
    devices?: readonly string[],
    from: ObjectStore = store,
  ): Promise<RestoredPart[]> => {
    const parts: RestoredPart[] = [];
    const restorer = new Restorer({ database, store: from, events });
    for await (const part of restorer.restore({ range, into, devices })) parts.push(part);
    return parts;
  };
  const states = async (): Promise<string[]> => (await listParts(database)).map(({ state }) => state);
  const isWhollyArchived = async (dayUs: number): Promise<boolean> =>
    (await archivedFingerprints(database, rangeOf(dayUs))).includes(await readFingerprint(database, rangeOf(dayUs)));

  beforeAll(async () => {
    opened = await open();
    ({ database } = opened);
    directory = createTemporaryDirectory('archive');
    store = new DirectoryStore(directory.path);
    archiver = new Archiver({ database, store, events, afterDays: 25 });
  }, 90_000);
  afterAll(async () => {
    await opened.remove();
    await directory.remove();
  });
  beforeEach(async () => {
    for (const table of ['telemetry', 'telemetry_archive', 'archive_parts', 'holds'])
      await database.execute(`DELETE FROM ${table}`);
  });

  it('brings any value that a column can have back bit by bit, into either table, as often as it is asked', async () => {
    await fc.assert(
      fc.asyncProperty(anyRows, async (some) => {
        for (const table of ['telemetry', 'telemetry_archive', 'archive_parts'])
          await database.execute(`DELETE FROM ${table}`);
        await insertAnyRows(database, day, some);
        const rows = await rowsOfDay(database, day);
        await archiver.archiveChunk(rangeOf(day));
        await dropDay(database, day);
        for (const into of ['telemetry_archive', 'telemetry'] as const) {
          expect(await restore(rangeOf(day), into)).toMatchObject([{ added: rows.length, proof: 'fingerprint' }]);
          expect(await rowsOfDay(database, day, into)).toEqual(rows);
          expect(await restore(rangeOf(day), into)).toMatchObject([{ added: 0, present: rows.length, differing: 0 }]);
          expect(await rowsOfDay(database, day, into)).toEqual(rows);
        }
        expect(await isWhollyArchived(day)).toBe(true);
      }),
      { numRuns: 6 },
    );
  }, 90_000);

  it('brings back some devices and hours, of several parts', async () => {
    const next = day + MICROS_PER_DAY;
    await insertRows(database, [
      ...['a', 'b', 'c'].flatMap((device) => rowsAt(day, device, [1, 2, 3, 23])),
      ...['a', 'c', '井'].flatMap((device) => rowsAt(next, device, [0, 1, 2])),
    ]);
    const of = async (table: string) =>
      database.query<{ key: string }>(
        `SELECT device_id || ' ' || (extract(epoch FROM "timestamp" - $1::timestamptz) / 3600)::int AS key FROM ${table} ORDER BY 1`,
        [formatTimestamp(day)],
      );
    for (const each of [day, next]) await archiver.archiveChunk(rangeOf(each));
    const parts = await restore({ startUs: day + 3 * HOUR_US, endUs: next + HOUR_US }, 'telemetry_archive', [
      'c',
      '井',
    ]);
    expect(parts.map(({ added, proof }) => [added, proof])).toEqual([
      [2, 'rows'],
      [2, 'rows'],
    ]);
    expect((await of('telemetry_archive')).map(({ key }) => key)).toEqual(['c 23', 'c 24', 'c 3', '井 24']);
    // The rest comes beside what is there.
    await restore(rangeOf(day, 2), 'telemetry_archive');
    expect(await of('telemetry_archive')).toEqual(await of('telemetry'));
    for (const each of [day, next])
      expect(await rowsOfDay(database, each, 'telemetry_archive')).toEqual(await rowsOfDay(database, each));
    const cleared = await clearArchiveTable(database, { fromUs: day, toUs: next, devices: ['a', 'b'] });
    expect(cleared.before.rows - cleared.after.rows).toBe(8);
    const emptied = await clearArchiveTable(database, { fromUs: undefined, toUs: undefined, devices: undefined });
    expect(emptied.after.rows).toBe(0);
    expect(emptied.after.bytes).toBeLessThan(emptied.before.bytes);
  });

  it('leaves a row alone that has other values now, and says which it is', async () => {
    await insertRows(database, [...rowsAt(day, 'a', [1, 2]), ...rowsAt(day, 'b', [1])]);
    await database.execute(`UPDATE telemetry SET vibration = 0 WHERE device_id = 'a'`);
    await archiver.archiveChunk(rangeOf(day));
    await dropDay(database, day);
    await restore(rangeOf(day), 'telemetry', ['a']);
    // A zero with a sign is equal to one without to everybody but a comparison of bits.
    await database.execute(`UPDATE telemetry SET vibration = '-0' WHERE "timestamp" = $1::timestamptz`, [
      formatTimestamp(day + 2 * HOUR_US),
    ]);
    await database.execute(`UPDATE telemetry SET source_system = 'other' WHERE "timestamp" = $1::timestamptz`, [
      formatTimestamp(day + HOUR_US),
    ]);
    const [part] = await restore(rangeOf(day), 'telemetry');
    expect(part).toMatchObject({ added: 1, present: 2, differing: 2, proof: 'rows' });
    expect(part?.examples.map(({ deviceId }) => deviceId)).toEqual(['a', 'a']);
    const [{ n } = { n: 0 }] = await database.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM telemetry WHERE source_system = 'other' OR vibration::text = '-0'`,
    );
    expect(n).toBe(2);
    // Something is in the chunk that the archive has not.
    expect(await isWhollyArchived(day)).toBe(false);
    expect(await archiver.archiveChunk(rangeOf(day))).toBe('archived');
  });

  it('leaves a chunk that was restored, wholly or in part, without anything to archive, until rows come', async () => {
    await insertRows(database, [...rowsAt(day, 'a', [1, 2, 3]), ...rowsAt(day, 'b', [4, 5])]);
    await archiver.archiveChunk(rangeOf(day));
    await dropDay(database, day);
    await restore(rangeOf(day), 'telemetry', ['b']);
    expect(await isWhollyArchived(day)).toBe(true);
    expect(await archiver.archiveChunk(rangeOf(day))).toBe('unchanged');
    await restore({ startUs: day, endUs: day + 2 * HOUR_US }, 'telemetry');
    await restore({ startUs: day, endUs: day + 3 * HOUR_US }, 'telemetry', ['a']);
    expect(await archiver.archiveChunk(rangeOf(day))).toBe('unchanged');
    expect(await states()).toEqual(['dropped']);

    await insertRows(database, rowsAt(day, 'late', [7]));
    expect(await isWhollyArchived(day)).toBe(false);
    expect(await archiver.archiveChunk(rangeOf(day))).toBe('archived');
    expect(await states()).toEqual(['dropped', 'verified']);
    expect(await isWhollyArchived(day)).toBe(true);
    expect(await archiver.archiveChunk(rangeOf(day))).toBe('unchanged');
    const whole = await rowsOfDay(database, day);
    await dropDay(database, day);
    // What was noted of the chunk that is gone counts no more.
    await restore(rangeOf(day), 'telemetry');
    expect(await isWhollyArchived(day)).toBe(true);
    expect(await rowsOfDay(database, day)).toHaveLength(6);
    expect(await rowsOfDay(database, day)).toEqual(expect.arrayContaining(whole));
  });

  it('joins what came after a chunk was dropped to what was there before; of two rows with a key the first counts', async () => {
    const [first] = rowsAt(day, 'twice', [1]);
    await insertRows(database, [...(first === undefined ? [] : [first]), ...rowsAt(day, 'a', [1])]);
    await archiver.archiveChunk(rangeOf(day));
    const before = await rowsOfDay(database, day);
    await dropDay(database, day);
    await insertRows(database, [...rowsAt(day, 'twice', [1]), ...rowsAt(day, 'b', [1])]);
    await database.execute(`UPDATE telemetry SET source_system = 'again' WHERE device_id = 'twice'`);
    await archiver.archiveChunk(rangeOf(day));
    expect(await restore(rangeOf(day), 'telemetry_archive')).toMatchObject([
      { added: 2, differing: 0 },
      { added: 1, present: 1, differing: 1 },
    ]);
    const restored = await rowsOfDay(database, day, 'telemetry_archive');
    expect(restored).toHaveLength(3);
    expect(restored).toEqual(expect.arrayContaining(before));
    // Into telemetry, where the later one still is: it stays, and is reported.
    expect(await restore(rangeOf(day), 'telemetry')).toMatchObject([
      { added: 1, present: 1, differing: 1 },
      { added: 0, present: 2, differing: 0 },
    ]);
    expect(await isWhollyArchived(day)).toBe(true);
    expect(await archiver.archiveChunk(rangeOf(day))).toBe('unchanged');
  });

  it('restores nothing of a part with a flipped bit, and all of those before it', async () => {
    const next = day + MICROS_PER_DAY;
    await insertRows(database, [...rowsAt(day, 'a', [1]), ...rowsAt(next, 'a', [1, 2, 3])]);
    for (const each of [day, next]) await archiver.archiveChunk(rangeOf(each));
    const part = (await listParts(database))[1];
    const path = join(directory.path, part?.objectKey ?? '');
    const right = await readFile(path);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: right.length * 8 - 1 }), async (bit) => {
        await database.execute('DELETE FROM telemetry_archive');
        const wrong = Buffer.from(right);
        wrong[bit >> 3] = (wrong[bit >> 3] as number) ^ (1 << (bit & 7));
        await writeFile(path, wrong);
        await expect(restore(rangeOf(day, 2), 'telemetry_archive')).rejects.toMatchObject({
          code: 'archive_damaged',
          message: expect.stringContaining(part?.objectKey ?? 'none') as string,
        });
        expect(await rowsOfDay(database, day, 'telemetry_archive')).toHaveLength(1);
        expect(await rowsOfDay(database, next, 'telemetry_archive')).toEqual([]);
      }),
      { numRuns: 8 },
    );
    await writeFile(path, right);
    await restore(rangeOf(day, 2), 'telemetry_archive');
    expect(await rowsOfDay(database, next, 'telemetry_archive')).toEqual(await rowsOfDay(database, next));
  });

  it('commits nothing of a part whose bytes change while it is read', async () => {
    await insertRows(database, rowsAt(day, 'a', [1, 2, 3]));
    await archiver.archiveChunk(rangeOf(day));
    const fickle = (change: (bytes: Uint8Array) => void): ObjectStore => {
      let reads = 0;
      return {
        address: store.address,
        put: (...call) => store.put(...call),
        head: (name) => store.head(name),
        list: (prefix) => store.list(prefix),
        async read(...call) {
          const bytes = Uint8Array.from(await store.read(...call));
          // The first is that of the checksum.
          if (++reads > 1) change(bytes);
          return bytes;
        },
      };
    };
    const wrong = fickle((bytes) => bytes.fill(0, 40, 60));
    for (const into of ['telemetry_archive', 'telemetry'] as const) {
      if (into === 'telemetry') await dropDay(database, day);
      await expect(restore(rangeOf(day), into, undefined, wrong)).rejects.toMatchObject({ code: 'archive_damaged' });
      expect(await rowsOfDay(database, day, into)).toEqual([]);
    }
  });

  it('gives a column that a part does not know its default, and refuses one that the table does not know', async () => {
    await insertRows(database, rowsAt(day, 'a', [1, 2]));
    await archiver.archiveChunk(rangeOf(day));
    const older = await rowsOfDay(database, day);
    await dropDay(database, day);
    await database.execute('ALTER TABLE telemetry ADD COLUMN torque real DEFAULT 7');
    await database.execute('ALTER TABLE telemetry_archive ADD COLUMN torque real');
    try {
      expect(await restore(rangeOf(day), 'telemetry')).toMatchObject([{ added: 2, proof: 'checksums' }]);
      expect(await restore(rangeOf(day), 'telemetry_archive')).toMatchObject([{ added: 2, proof: 'checksums' }]);
      for (const into of ['telemetry', 'telemetry_archive'])
        expect(await rowsOfDay(database, day, into)).toEqual(older);
      const torques = (table: string) => database.query(`SELECT DISTINCT torque FROM ${table}`);
      expect(await torques('telemetry')).toEqual([{ torque: 7 }]);
      expect(await torques('telemetry_archive')).toEqual([{ torque: null }]);
      await insertRows(database, rowsAt(day + MICROS_PER_DAY, 'b', [1]));
      await archiver.archiveChunk(rangeOf(day + MICROS_PER_DAY));
    } finally {
      for (const table of ['telemetry', 'telemetry_archive'])
        await database.execute(`ALTER TABLE ${table} DROP COLUMN torque`);
    }
    await expect(restore(rangeOf(day + MICROS_PER_DAY), 'telemetry_archive')).rejects.toMatchObject({
      code: 'restore_columns',
      message: expect.stringContaining('torque') as string,
    });
    expect(await rowsOfDay(database, day + MICROS_PER_DAY, 'telemetry_archive')).toEqual([]);
  });

  it('makes a hold that ends, and uses that of an interrupted run again', async () => {
    const restorer = new Restorer({ database, store, events });
    const selection = { range: rangeOf(day), devices: ['a'] };
    const id = await restorer.hold(selection, { days: 30, actor: 'cli:test' });
    expect(await restorer.hold(selection, { days: 30, actor: 'cli:test' })).toBe(id);
    const [hold, ...others] = await listHolds(database);
    expect(others).toEqual([]);
    expect(hold).toMatchObject({ id, device_id: null, from: formatTimestamp(day), created_by: 'cli:test' });
    const days = (Date.parse(hold?.expires_at ?? '') - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(29.9);
    expect(days).toBeLessThan(30.1);
    expect(await restorer.hold(selection, { days: 60, actor: 'cli:test' })).not.toBe(id);
  });

  it('is refused while somebody else is at the chunk', async () => {
    await insertRows(database, rowsAt(day, 'a', [1]));
    await archiver.archiveChunk(rangeOf(day));
    await database.tryExclusive(`archive:${day}`, async () => {
      await expect(restore(rangeOf(day), 'telemetry_archive')).rejects.toMatchObject({
        code: 'restore_busy',
        retryable: true,
      });
    });
  });
});

describe.each(timescaleTargets())('restoring chunks that were dropped, $name', (target) => {
  const LEVELS = ['telemetry_1min', 'telemetry_1hour', 'telemetry_daily'];

  it('leaves aggregates as they were, whatever runs afterwards, and the chunk held, and ready to be dropped again', async () => {
    const opened = await openMigratedTarget(target);
    const directory = createTemporaryDirectory('archive');
    try {
      const { database } = opened;
      const events = recordEvents();
      const random = seededRandom(5);
      const day = daysAgo(50);
      const store = new DirectoryStore(directory.path);
      const archiver = new Archiver({ database, store, events, afterDays: 25 });
      const runner = new JobRunner({ database, events, jobs: jobDefinitions('community', { archiver }) });
      const run = async (...jobs: string[]): Promise<void> => {
        for (const job of jobs) {
          let done = await runner.runNow(job);
          while (done.detail?.['more'] === true) done = await runner.runNow(job);
          expect(done).toMatchObject({ job, result: 'succeeded' });
        }
      };
      const refreshes = ['refresh-late', 'refresh-1min', 'refresh-1hour', 'refresh-daily'];
      const rows = ['a', 'b', 'c'].flatMap((device) =>
        Array.from({ length: 200 }, (_, n) => randomRow(random, device, day / 1000 + n * 400_000)),
      );
      await insertRows(database, rows, [formatTimestamp(day).slice(0, 10)]);
      // Newer readings, so that the watermark of every level is above the day.
      await insertRows(database, [randomRow(random, 'a', daysAgo(2) / 1000)]);
      await run(...refreshes);
      await run('archive');
      const before = await rowsOfDay(database, day);
      const aggregates = async () =>
        Promise.all(LEVELS.map((view) => database.query(`SELECT * FROM ${view} ORDER BY device_id, bucket`)));
      const aggregated = await aggregates();
      const retain = async (): Promise<unknown> => (await runner.runNow('retain-raw')).detail;
      expect(await retain()).toMatchObject({ dropped: 1 });
      expect(await rowsOfDay(database, day)).toEqual([]);
      expect(await aggregates()).toEqual(aggregated);

      const restorer = new Restorer({ database, store, events });
      const restore = async (devices?: readonly string[]): Promise<number> => {
        const request = { range: rangeOf(day), devices, into: 'telemetry' as const };
        await restorer.hold(request, { days: 30, actor: 'test' });
        let added = 0;
        for await (const part of restorer.restore(request)) added += part.added;
        return added;
      };
      expect(await restore(['b'])).toBe(200);
      await run(...refreshes, 'archive', 'compress');
      expect(await aggregates()).toEqual(aggregated);
      // The others come into a chunk that is compressed by now.
      expect(await restore()).toBe(400);
      expect(await rowsOfDay(database, day)).toEqual(before);
      await run(...refreshes, 'archive', 'compress');
      expect(await aggregates()).toEqual(aggregated);
      expect((await listParts(database)).map(({ state, revision }) => [state, revision])).toEqual([['dropped', 1]]);
      expect(await database.query('SELECT FROM late_days')).toEqual([]);
      expect(await retain()).toMatchObject({ dropped: 0, held: 1 });
      // Its end comes, and the chunk goes as it came.
      await database.execute(`UPDATE holds SET expires_at = now() - INTERVAL '1 second'`);
      expect(await retain()).toMatchObject({ dropped: 1, kept: 0 });
      expect(events.named('chunk_dropped').at(-1)).toMatchObject({ rows: 600, lateRows: 0 });
      expect(await database.query('SELECT FROM archive_restored')).toEqual([]);

      // Of some devices, with a late row beside them: that has to be archived first.
      expect(await restore(['a', 'c'])).toBe(400);
      await database.execute(`UPDATE holds SET released_at = now()`);
      await insertRows(database, [randomRow(random, 'late', day / 1000)]);
      expect(await retain()).toMatchObject({ dropped: 0, stale: 1 });
      await run(...refreshes, 'archive');
      expect((await listParts(database)).map(({ state, figures }) => [state, figures?.tally.rows])).toEqual([
        ['dropped', 600],
        ['verified', 401],
      ]);
      expect(await retain()).toMatchObject({ dropped: 1, kept: 0 });
      expect(events.named('chunk_dropped').at(-1)).toMatchObject({ rows: 401, lateRows: 1 });
      expect(await aggregates()).toEqual(aggregated);
      expect(await rowsOfDay(database, day)).toEqual([]);
      expect(await restore()).toBe(601);
      expect(await rowsOfDay(database, day)).toEqual(expect.arrayContaining(before));
    } finally {
      await opened.remove();
      await directory.remove();
    }
  }, 120_000);
});

describe('restoring from Azure Blob', () => {
  it('brings back what went there, of many row groups, and reads of some devices those that have them', async () => {
    const azurite = await startAzurite();
    const { database, remove } = await openPlain();
    try {
      const inner = await AzureStore.open(azurite.container('restore'));
      let read = 0;
      const store: ObjectStore = {
        address: inner.address,
        put: (...call) => inner.put(...call),
        head: (name) => inner.head(name),
        list: (prefix) => inner.list(prefix),
        async read(...call) {
          const bytes = await inner.read(...call);
          read += bytes.length;
          return bytes;
        },
      };
      const events = recordEvents();
      const day = daysAgo(70);
      await database.execute(
        `INSERT INTO telemetry (device_id, "timestamp", temperature, vibration, raw_values)
         SELECT 'esp-' || d, $1::timestamptz + n * INTERVAL '3 s', n % 190, random() * 50, CASE n % 100 WHEN 0 THEN jsonb_build_object('n', n) END
         FROM generate_series(0, 7) d, generate_series(0, 19999) n`,
        [formatTimestamp(day)],
      );
      await new Archiver({ database, store, events, afterDays: 25 }).archiveChunk(rangeOf(day));
      const bytes = (await listParts(database))[0]?.figures?.bytes ?? 0;
      const restorer = new Restorer({ database, store, events });
      const restore = async (devices?: readonly string[]): Promise<number> => {
        let added = 0;
        const request = { range: rangeOf(day), devices, into: 'telemetry_archive' as const };
        for await (const part of restorer.restore(request)) added += part.added;
        return added;
      };
      read = 0;
      expect(await restore(['esp-0'])).toBe(20_000);
      const readForOne = read;
      read = 0;
      expect(await restore()).toBe(140_000);
      // The whole for its checksum both times, and of three row groups one and all.
      expect(read - readForOne).toBeGreaterThan(bytes / 2);
      const same = await database.query(
        'SELECT count(*)::int AS n FROM telemetry t JOIN telemetry_archive a USING (device_id, "timestamp") WHERE t *= a',
      );
      expect(same).toEqual([{ n: 160_000 }]);
    } finally {
      await remove();
      await azurite.remove();
    }
  }, 120_000);
});
