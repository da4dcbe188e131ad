/** SQL over the archive: every reading once, whatever became of its chunk, and nothing but readings. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { queryArchive, type QueryValue } from '../../src/archive/archive-query.js';
import { Archiver } from '../../src/archive/archiver.js';
import { DirectoryStore } from '../../src/archive/directory-store.js';
import { exportRows, type ExportFormat } from '../../src/archive/export-rows.js';
import { PartCache } from '../../src/archive/part-cache.js';
import { listParts } from '../../src/archive/part-table.js';
import type { Database } from '../../src/storage/database.js';
import { formatTimestamp, MICROS_PER_DAY } from '../../src/telemetry/timestamp.js';
import { rowsOfParquet } from '../support/archived-rows.js';
import { plainAndTimescale } from '../support/plain-and-timescale.js';
import { daysAgo, dropDay, rangeOf, todayUs } from '../support/archived-days.js';
import { recordEvents } from '../support/record-events.js';
import { createTemporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.js';
import { insertRows, randomRow, seededRandom } from '../support/telemetry-rows.js';

const HOUR_US = MICROS_PER_DAY / 24;

describe.each(plainAndTimescale)('a query of the archive, $name', ({ open }) => {
  const random = seededRandom(31);
  const [first, second, third, young] = [daysAgo(62), daysAgo(61), daysAgo(60), daysAgo(3)];
  const whole = { startUs: first, endUs: todayUs };
  let opened: Awaited<ReturnType<typeof open>>;
  let database: Database;
  let directory: TemporaryDirectory;
  let store: DirectoryStore;
  let archiver: Archiver;
  /** Every reading that was ever written, the first of each key. */
  let expected: QueryValue[][];

  const limits = { memoryMb: 256, rows: 1000 };
  const cacheOf = (maxBytes = 1e9): PartCache => new PartCache(store, join(directory.path, 'cache'), maxBytes);
  const ask = async (
    sql: string,
    { range, withHot = false }: { range?: { startUs: number; endUs: number }; withHot?: boolean } = {},
  ) => queryArchive({ database, cache: cacheOf(), range, withHot, limits }, sql);
  const READINGS = `SELECT device_id, "timestamp", temperature, source_system, quality_flags FROM telemetry ORDER BY 1, 2`;
  const readings = async (): Promise<QueryValue[][]> =>
    (
      await database.query<{ device_id: string; us: number; t: number | null; s: string | null; q: number | null }>(
        `SELECT device_id, (extract(epoch FROM "timestamp") * 1000000)::bigint AS us, temperature::float8 AS t, source_system AS s,
           quality_flags AS q FROM telemetry`,
      )
    ).map(({ device_id, us, t, s, q }) => [device_id, formatTimestamp(us), t, s, q === null ? null : Number(q)]);
  const byKey = (rows: readonly (readonly QueryValue[])[]): (readonly QueryValue[])[] =>
    rows.toSorted((a, b) => (`${a[0]} ${a[1]}` < `${b[0]} ${b[1]}` ? -1 : 1));
  const rowsAt = (dayUs: number, device: string, hours: readonly number[]) =>
    hours.map((hour) => randomRow(random, device, (dayUs + hour * HOUR_US) / 1000));

  beforeAll(async () => {
    opened = await open();
    ({ database } = opened);
    directory = createTemporaryDirectory('query');
    store = new DirectoryStore(join(directory.path, 'archive'));
    archiver = new Archiver({ database, store, events: recordEvents(), afterDays: 25 });
    // The first day was dropped, got rows that were archived and dropped too, and has a row of each kind again: late, and
    // the same key as one in the archive. The second is archived and there, the third archived and changed since.
    await insertRows(database, [
      ...rowsAt(first, 'a', [1, 2]),
      ...rowsAt(second, "o'b", [1]),
      ...rowsAt(third, 'c', [0, 23]),
      ...rowsAt(young, 'a', [5]),
    ]);
    for (const day of [first, second, third]) await archiver.archiveChunk(rangeOf(day));
    expected = await readings();
    await dropDay(database, first);
    await insertRows(database, [...rowsAt(first, 'b', [1]), ...rowsAt(first, 'a', [2])]);
    await archiver.archiveChunk(rangeOf(first));
    expected.push(...(await readings()).filter(([device]) => device === 'b'));
    await dropDay(database, first);
    await insertRows(database, [
      ...rowsAt(first, 'late', [4]),
      ...rowsAt(first, 'b', [1]),
      ...rowsAt(third, 'late', [7]),
    ]);
    expected.push(...(await readings()).filter(([device]) => device === 'late'));
  }, 90_000);
  afterAll(async () => {
    await opened.remove();
    await directory.remove();
  });

  it('has every reading once beside those in the database, whatever became of its chunk', async () => {
    const { columns, rows, isCut } = await ask(READINGS, { range: whole, withHot: true });
    expect(columns).toEqual(['device_id', 'timestamp', 'temperature', 'source_system', 'quality_flags']);
    expect(isCut).toBe(false);
    expect(byKey(rows)).toEqual(byKey(expected));
    const some = await ask('SELECT count(*) FROM telemetry', {
      range: { startUs: first + 2 * HOUR_US, endUs: third + HOUR_US },
      withHot: true,
    });
    const within = ([, time]: QueryValue[]): boolean =>
      String(time) >= formatTimestamp(first + 2 * HOUR_US) && String(time) < formatTimestamp(third + HOUR_US);
    expect(some.rows).toEqual([[expected.filter(within).length]]);
  });

  const exported = (path: string, format: ExportFormat, devices?: string[], replace = false): Promise<number> =>
    exportRows({
      database,
      cache: cacheOf(),
      range: whole,
      withHot: true,
      devices,
      format,
      path: join(directory.path, path),
      replace,
      memoryMb: 256,
    });

  it('is exported with every reading once, as Parquet with all columns and as CSV', async () => {
    expect(await exported('all.parquet', 'parquet')).toBe(expected.length);
    const rows = await rowsOfParquet(join(directory.path, 'all.parquet'));
    const keyOf = (row: Record<string, unknown>): string => JSON.stringify([row['device_id'], row['temperature']]);
    expect(rows.length).toBe(expected.length);
    expect(new Set(rows.map(keyOf)).size).toBe(
      new Set(expected.map(([device, , t]) => JSON.stringify([device, t]))).size,
    );

    expect(await exported('some.csv', 'csv', ["o'b", 'c'])).toBe(3);
    const [heads, ...lines] = (await readFile(join(directory.path, 'some.csv'), 'utf8')).trimEnd().split('\n');
    expect(heads).toMatch(/^timestamp,device_id,temperature,/);
    const wanted = expected.filter(([device]) => device === "o'b" || device === 'c');
    expect(lines.map((line) => line.split(',').slice(0, 2))).toEqual(
      byKey(wanted).map(([device, time]) => [
        String(time).replace(/(\.\d+)?Z$/, (_, part: string = '.') => `${part.padEnd(7, '0')}Z`),
        device,
      ]),
    );
  });

  it('is exported under its name once it is whole, and never over a file that is there', async () => {
    const path = join(directory.path, 'kept.csv');
    await writeFile(path, 'mine');
    await expect(exported('kept.csv', 'csv')).rejects.toMatchObject({ code: 'export_exists' });
    expect(await readFile(path, 'utf8')).toBe('mine');
    expect(await exported('kept.csv', 'csv', undefined, true)).toBe(expected.length);
    expect(await readFile(path, 'utf8')).toContain('device_id');
    await expect(exported('no/such/directory.csv', 'csv')).rejects.toMatchObject({ code: 'export_failed' });
    expect((await readdir(directory.path)).filter((name) => name.endsWith('.unfinished'))).toEqual([]);
  });

  it('has what is archived alone, of the range that was asked for, and fetches no other part', async () => {
    const archived = expected.filter(
      ([device, time]) => device !== 'late' && String(time) < formatTimestamp(daysAgo(30)),
    );
    expect(byKey((await ask(READINGS)).rows)).toEqual(byKey(archived));
    const cache = join(directory.path, 'other');
    const { rows } = await queryArchive(
      { database, cache: new PartCache(store, cache, 1e9), range: rangeOf(second), withHot: false, limits },
      'SELECT device_id, year, month, day FROM telemetry',
    );
    const [year, month, day] = formatTimestamp(second).slice(0, 10).split('-').map(Number);
    expect(rows).toEqual([["o'b", year, month, day]]);
    const fetched = (await readdir(cache, { recursive: true })).filter((name) => name.endsWith('.parquet'));
    expect(fetched).toHaveLength(1);
    await expect(ask('SELECT 1 FROM telemetry', { range: rangeOf(daysAgo(400)) })).rejects.toMatchObject({
      code: 'archive_empty',
    });
  });

  it('answers a SELECT and nothing else, and says what is wrong with it', async () => {
    const secret = join(directory.path, 'secret.csv');
    await writeFile(secret, 'a\n1\n');
    const refused: [string, RegExp][] = [
      ['SELECT nothing FROM telemetry', /nothing/],
      ['SELEC 1', /syntax error/],
      ['SELECT 1; SELECT 2', /One statement/],
      [`SELECT * FROM read_csv('${secret}')`, /disabled by configuration/],
      [`COPY (SELECT 1) TO '${secret}'`, /Only SELECT|disabled by configuration|locked/],
      [`ATTACH '${secret}' AS other`, /Only SELECT|disabled by configuration|locked/],
      ['CREATE TABLE t AS SELECT 1', /Only SELECT|disabled by configuration|locked/],
      [`SET memory_limit = '8GB'`, /Only SELECT|disabled by configuration|locked/],
      ['INSTALL httpfs', /Only SELECT|disabled by configuration|locked/],
      [`SELECT * FROM read_parquet('https://example.com/x.parquet')`, /./],
    ];
    for (const [sql, message] of refused)
      await expect(ask(sql), sql).rejects.toMatchObject({
        code: 'query_failed',
        message: expect.stringMatching(message) as string,
      });
    const { rows, isCut } = await ask('SELECT * FROM range(1500)');
    expect([rows.length, isCut]).toEqual([1000, true]);
    const leftOver = await readdir(join(directory.path, 'cache'));
    expect(leftOver.filter((name) => name.startsWith('query-'))).toEqual([]);
  });

  it('fetches a part again that has changed on the disk, refuses one that has changed in the archive, and keeps its bound', async () => {
    const part = (await listParts(database)).find(({ range }) => range.startUs === second);
    const key = part?.objectKey ?? '';
    const count = () => ask('SELECT count(*) FROM telemetry', { range: rangeOf(second) });
    await count();
    const bytes = part?.figures?.bytes ?? 0;
    await writeFile(join(directory.path, 'cache', key), Buffer.alloc(bytes));
    expect((await count()).rows).toEqual([[1]]);
    const inArchive = join(directory.path, 'archive', key);
    await writeFile(join(directory.path, 'cache', key), Buffer.alloc(bytes, 1));
    await writeFile(inArchive, Buffer.alloc(bytes));
    await expect(count()).rejects.toMatchObject({ code: 'archive_damaged' });
    const small = queryArchive(
      { database, cache: cacheOf(bytes - 1), range: rangeOf(second), withHot: false, limits },
      'SELECT 1 FROM telemetry',
    );
    await expect(small).rejects.toMatchObject({ code: 'archive_cache_full' });
    // Room for one of two.
    const thirdPart = (await listParts(database)).find(({ range }) => range.startUs === third);
    const cache = cacheOf(Math.max(bytes, thirdPart?.figures?.bytes ?? 0) + 1);
    await queryArchive({ database, cache, range: rangeOf(third), withHot: false, limits }, 'SELECT 1 FROM telemetry');
    const kept = (await readdir(join(directory.path, 'cache'), { recursive: true })).filter((name) =>
      name.endsWith('.parquet'),
    );
    expect(kept).toEqual([thirdPart?.objectKey]);
  });
});
