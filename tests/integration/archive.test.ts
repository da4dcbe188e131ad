import { readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Archiver } from '../../src/archive/archiver.js';
import { readFingerprint } from '../../src/archive/chunk-rows.js';
import { DirectoryStore } from '../../src/archive/directory-store.js';
import type { ObjectStore } from '../../src/archive/object-store.js';
import { jobDefinitions } from '../../src/jobs/job-definitions.js';
import { JobRunner } from '../../src/jobs/job-runner.js';
import type { Database } from '../../src/storage/database.js';
import { formatTimestamp } from '../../src/telemetry/timestamp.js';
import { anyRows, insertAnyRows, rowsOfDay, rowsOfParquet } from '../support/archived-rows.js';
import { type OpenedStorage, plainAndTimescale } from '../support/plain-and-timescale.js';
import { daysAgo, rangeOf } from '../support/archived-days.js';
import { recordEvents } from '../support/record-events.js';
import { openMigratedTarget } from '../support/storage-targets.js';
import { createTemporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.js';
import { insertRows, randomRow, seededRandom } from '../support/telemetry-rows.js';
import { timescaleTargets } from '../support/timescale-targets.js';

const DAY_MS = 86_400_000;
const AFTER_DAYS = 25;

describe.each(plainAndTimescale)('the archive, $name', ({ open }) => {
  const random = seededRandom(11);
  let opened: OpenedStorage;
  let database: Database;
  let directory: TemporaryDirectory;
  let archiver: Archiver;
  const events = recordEvents();
  const archiverOn = (store: ObjectStore, of: Database = database): Archiver =>
    new Archiver({ database: of, store, events, afterDays: AFTER_DAYS });
  const rows = (dayUs: number, device: string, count: number) =>
    Array.from({ length: count }, () => randomRow(random, device, dayUs / 1000 + Math.floor(random() * DAY_MS)));
  const partsOf = async (dayUs: number) => (await archiver.list()).filter(({ range }) => range.startUs === dayUs);
  const run = () => archiver.run({ uncheckedHours: 0 });

  beforeAll(async () => {
    opened = await open();
    ({ database } = opened);
    directory = createTemporaryDirectory('archive');
    archiver = archiverOn(new DirectoryStore(directory.path));
  }, 90_000);
  afterAll(async () => {
    await opened.remove();
    await directory.remove();
  });

  it('keeps any value that a column can have, bit by bit, as another reader of Parquet sees it', async () => {
    const dayUs = daysAgo(2000);
    await fc.assert(
      fc.asyncProperty(anyRows, async (some) => {
        await database.execute('DELETE FROM telemetry');
        await database.execute('DELETE FROM archive_parts');
        await insertAnyRows(database, dayUs, some);
        expect(await archiver.archiveChunk(rangeOf(dayUs))).toBe('archived');
        const [part] = await partsOf(dayUs);
        const found = await rowsOfParquet(join(directory.path, part?.objectKey ?? ''));
        expect(found).toEqual(await rowsOfDay(database, dayUs));
        expect(part?.figures?.fingerprint).toBe(await readFingerprint(database, rangeOf(dayUs)));
      }),
      { numRuns: 8 },
    );
    await database.execute('DELETE FROM telemetry');
    await database.execute('DELETE FROM archive_parts');
  }, 60_000);

  it('takes what is old enough, once, and makes a further revision of it when rows come or change', async () => {
    const [old, young] = [daysAgo(AFTER_DAYS + 1), daysAgo(AFTER_DAYS)];
    await insertRows(database, [...rows(old, 'a', 40), ...rows(old, 'b', 7), ...rows(young, 'a', 5)]);
    expect((await run()).counts).toMatchObject({ archived: 1, unchanged: 0 });
    expect((await run()).counts).toMatchObject({ archived: 0, unchanged: 1 });
    expect(await partsOf(young)).toEqual([]);
    const [first] = await partsOf(old);
    expect(first).toMatchObject({ revision: 1, state: 'verified', figures: { tally: { rows: 47 } } });
    const folder = formatTimestamp(old)
      .slice(0, 10)
      .replace(/^(\d+)-(\d+)-(\d+)$/, 'year=$1/month=$2/day=$3');
    expect(first?.objectKey.startsWith(`${folder}/part-`)).toBe(true);
    expect(readdirSync(join(directory.path, folder))).toHaveLength(2);

    await insertRows(database, rows(old, 'late', 1));
    expect((await run()).counts).toMatchObject({ archived: 1 });
    await database.execute(`UPDATE telemetry SET source_system = 'other' WHERE device_id = 'late'`);
    expect((await run()).counts).toMatchObject({ archived: 1 });
    const parts = await partsOf(old);
    expect(parts.map(({ revision, state }) => ({ revision, state }))).toEqual([
      { revision: 1, state: 'stale' },
      { revision: 2, state: 'stale' },
      { revision: 3, state: 'verified' },
    ]);
    expect(new Set(parts.map(({ objectKey }) => objectKey)).size).toBe(3);
    expect(await rowsOfParquet(join(directory.path, parts[2]?.objectKey ?? ''))).toEqual(
      await rowsOfDay(database, old),
    );
  });

  it('leaves a manifest that says what the part is', async () => {
    const [part] = (await archiver.list()).filter(({ state }) => state === 'verified');
    const manifest = JSON.parse(await readFile(join(directory.path, part?.manifestKey ?? ''), 'utf8')) as object;
    expect(manifest).toMatchObject({
      format: 'downhole-archive-1',
      rangeStart: formatTimestamp(part?.range.startUs ?? 0),
      object: part?.objectKey,
      rows: part?.figures?.tally.rows,
      sha256: part?.figures?.sha256,
      columns: part?.figures?.tally.columns,
    });
  });

  it('finds a flipped bit anywhere, and makes the part again', async () => {
    const day = daysAgo(60);
    await insertRows(database, rows(day, 'flipped', 30));
    await archiver.archiveChunk(rangeOf(day));
    const [part] = await partsOf(day);
    const damages = async (): Promise<(string | undefined)[]> => {
      const found: (string | undefined)[] = [];
      for await (const { part: each, damage } of archiver.verify()) if (each.id === part?.id) found.push(damage);
      return found;
    };
    expect(await damages()).toEqual([undefined]);
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        fc.integer({ min: 0, max: 7 }),
        async (isPart, place, bit) => {
          const path = join(directory.path, (isPart ? part?.objectKey : part?.manifestKey) ?? '');
          const right = await readFile(path);
          const wrong = Buffer.from(right);
          const at = Math.floor(place * wrong.length);
          wrong[at] = (wrong[at] as number) ^ (1 << bit);
          await writeFile(path, wrong);
          expect(await damages()).toEqual([expect.any(String)]);
          await writeFile(path, right);
        },
      ),
      { numRuns: 10 },
    );
    expect(await damages()).toEqual([undefined]);
    expect((await partsOf(day)).map(({ state }) => state)).toEqual(['stale']);
    await run();
    expect((await partsOf(day)).map(({ state }) => state)).toEqual(['stale', 'verified']);
    for await (const { damage } of archiver.verify()) expect(damage).toBeUndefined();
  }, 60_000);

  it('says that a part is missing', async () => {
    const day = daysAgo(61);
    await insertRows(database, rows(day, 'gone', 3));
    await archiver.archiveChunk(rangeOf(day));
    const [part] = await partsOf(day);
    await writeFile(join(directory.path, part?.objectKey ?? ''), '');
    const damaged: string[] = [];
    for await (const { part: each, damage } of archiver.verify())
      if (damage !== undefined) damaged.push(each.objectKey);
    expect(damaged).toEqual([part?.objectKey]);
    expect(events.named('archive_part_damaged').at(-1)).toMatchObject({ from: formatTimestamp(day) });
    expect((await run()).counts).toMatchObject({ archived: 1 });
  });

  it('is read again by a job, what was not read for a week first, and the job says what is damaged', async () => {
    const [one, other] = [daysAgo(71), daysAgo(72)];
    for (const day of [one, other]) {
      await insertRows(database, rows(day, 'weekly', 5));
      await archiver.archiveChunk(rangeOf(day));
    }
    const runner = new JobRunner({
      database,
      events,
      jobs: jobDefinitions(database.capabilities.timescale, { archiver }),
    });
    const verify = async () => (await runner.runNow('verify-archive')).detail;
    const faultOf = async () => (await runner.list()).find(({ name }) => name === 'verify-archive')?.fault;
    await database.execute('UPDATE archive_parts SET read_at = now(), damage = NULL');
    expect(await verify()).toMatchObject({ verified: 0, damaged: 0 });
    const [part] = await partsOf(one);
    await database.execute(
      `UPDATE archive_parts SET read_at = now() - INTERVAL '8 days' WHERE range_start IN ($1, $2)`,
      [formatTimestamp(one), formatTimestamp(other)],
    );
    const path = join(directory.path, part?.objectKey ?? '');
    const whole = await readFile(path);
    await writeFile(
      path,
      Uint8Array.from(whole, (byte, at) => (at === 100 ? byte ^ 1 : byte)),
    );
    expect(await verify()).toMatchObject({ verified: 2, damaged: 1 });
    expect(await faultOf()).toBe('1 parts of the archive are damaged or missing');
    // Nobody waits a week for what was found: the next run of the archive makes another part.
    await run();
    expect(await verify()).toMatchObject({ verified: 0 });
    expect(await faultOf()).toBeNull();
  });

  it('never takes a row for archived that came while its chunk was being exported', async () => {
    const day = daysAgo(62);
    await insertRows(database, rows(day, 'm', 20));
    const inner = new DirectoryStore(directory.path);
    const busyStore: ObjectStore = {
      address: inner.address,
      read: (...call) => inner.read(...call),
      head: (name) => inner.head(name),
      list: (prefix) => inner.list(prefix),
      async put(name, content) {
        const stored = await inner.put(name, content);
        // One device before the others and one behind: whatever has been read by now, one comes too late.
        if (name.endsWith('.parquet')) await insertRows(database, [...rows(day, 'a', 1), ...rows(day, 'z', 1)]);
        return stored;
      },
    };
    expect(await archiverOn(busyStore).archiveChunk(rangeOf(day))).toBe('archived');
    const [part] = await partsOf(day);
    expect(part?.figures?.tally.rows).toBe(20);
    expect(part?.figures?.fingerprint).not.toBe(await readFingerprint(database, rangeOf(day)));
    await run();
    const parts = await partsOf(day);
    expect(parts.map(({ state, figures }) => [state, figures?.tally.rows])).toEqual([
      ['stale', 20],
      ['verified', 22],
    ]);
  });

  it('knows one NaN, whatever its sign, and refuses a time that Parquet does not know', async () => {
    const day = daysAgo(70);
    await insertRows(database, rows(day, 'nan', 2));
    await database.execute(
      `UPDATE telemetry SET anomaly_score = 'Infinity'::real - 'Infinity'::real WHERE device_id = 'nan'`,
    );
    expect(await archiver.archiveChunk(rangeOf(day))).toBe('archived');
    const [part] = await partsOf(day);
    const found = await rowsOfParquet(join(directory.path, part?.objectKey ?? ''));
    expect(found.map(({ anomaly_score }) => anomaly_score)).toEqual([Number.NaN, Number.NaN]);
    expect(found).toEqual(await rowsOfDay(database, day));
    await database.execute(`UPDATE telemetry SET ingestion_timestamp = '-infinity' WHERE device_id = 'nan'`);
    await expect(archiver.archiveChunk(rangeOf(day))).rejects.toMatchObject({ code: 'archive_column_type' });
    expect((await partsOf(day)).map(({ state }) => state)).toEqual(['stale', 'exporting']);
    await database.execute(`DELETE FROM telemetry WHERE device_id = 'nan'`);
  });

  it('is not written twice by two processes at a time', async () => {
    const day = daysAgo(63);
    await insertRows(database, rows(day, 'twice', 50));
    const others = [archiver, archiverOn(new DirectoryStore(directory.path), await opened.connect())];
    const outcomes = await Promise.all(others.map((each) => each.archiveChunk(rangeOf(day))));
    expect(outcomes).toContain('archived');
    expect(outcomes.filter((outcome) => outcome === 'archived')).toHaveLength(1);
    expect(await partsOf(day)).toHaveLength(1);
  });

  it('runs as a job, which compares what was compared lately no more', async () => {
    await insertRows(database, rows(daysAgo(64), 'job', 9));
    const runner = new JobRunner({ database, events, jobs: jobDefinitions('none', { archiver }) });
    expect(await runner.runNow('archive')).toMatchObject({
      result: 'succeeded',
      detail: { archived: 1, unchanged: 0, waiting: 0, more: false },
    });
    await insertRows(database, rows(daysAgo(65), 'overdue', 1));
    const status = (await runner.list()).find(({ name }) => name === 'archive');
    expect(status?.fault).toMatch(/1 chunks should have been archived/);
  });

  it('stops in the middle of an export when it is told to, and leaves nothing that counts', async () => {
    const day = daysAgo(66);
    await insertRows(database, rows(day, 'stopped', 10));
    const stopping = AbortSignal.abort();
    await expect(archiver.archiveChunk(rangeOf(day), { stopping })).rejects.toMatchObject({
      code: 'archive_interrupted',
    });
    expect((await partsOf(day)).map(({ state }) => state)).toEqual(['exporting']);
    expect(await archiver.archiveChunk(rangeOf(day))).toBe('archived');
    expect((await partsOf(day)).map(({ state, revision }) => [state, revision])).toEqual([['verified', 1]]);
  });

  it('archives what came into a chunk after it was dropped as a further revision beside the first', async () => {
    const day = daysAgo(67);
    await insertRows(database, rows(day, 'before', 4));
    await archiver.archiveChunk(rangeOf(day));
    await database.execute(`UPDATE archive_parts SET state = 'dropped' WHERE range_start = $1::timestamptz`, [
      formatTimestamp(day),
    ]);
    await database.execute(`DELETE FROM telemetry WHERE device_id = 'before'`);
    expect(await archiver.archiveChunk(rangeOf(day))).toBe('empty');
    await insertRows(database, rows(day, 'after', 2));
    expect(await archiver.archiveChunk(rangeOf(day))).toBe('archived');
    expect((await partsOf(day)).map(({ state, figures }) => [state, figures?.tally.rows])).toEqual([
      ['dropped', 4],
      ['verified', 2],
    ]);
  });
});

describe.each(timescaleTargets())('the archive of chunks, $name', (target) => {
  it('finds a chunk the same after it was compressed', async () => {
    const opened = await openMigratedTarget(target);
    const directory = createTemporaryDirectory('archive');
    try {
      const { database } = opened;
      const random = seededRandom(3);
      const day = daysAgo(40);
      // More than a slice of the embedded database takes.
      await database.execute(
        `INSERT INTO telemetry (device_id, "timestamp", temperature, raw_values)
         SELECT 'c', $1::timestamptz + n * INTERVAL '10 s', n % 200, jsonb_build_object('n', n) FROM generate_series(0, 5999) n`,
        [formatTimestamp(day)],
      );
      const archiver = new Archiver({
        database,
        store: new DirectoryStore(directory.path),
        events: recordEvents(),
        afterDays: AFTER_DAYS,
      });
      expect((await archiver.run({ uncheckedHours: 0 })).counts.archived).toBe(1);
      await database.query(`SELECT compress_chunk(c) FROM show_chunks('telemetry') c`);
      expect((await archiver.run({ uncheckedHours: 0 })).counts.unchanged).toBe(1);
      const [part] = await archiver.list();
      expect(await rowsOfParquet(join(directory.path, part?.objectKey ?? ''))).toEqual(await rowsOfDay(database, day));
      await insertRows(database, [randomRow(random, 'late', day / 1000)]);
      expect((await archiver.run({ uncheckedHours: 0 })).counts.archived).toBe(1);
      expect((await archiver.list()).at(-1)?.figures?.tally.rows).toBe(6001);
    } finally {
      await opened.remove();
      await directory.remove();
    }
  }, 90_000);
});
