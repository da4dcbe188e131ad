/** `GET /v1/storage` and `downhole storage`: what they say of chunks, sizes and the disk. */
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Ajv } from 'ajv';
import { StorageSchema } from '../../src/console/api-schemas.js';
import { readStorage } from '../../src/console/storage-query.js';
import { storageText } from '../../src/commands/storage-text.js';
import { jobDefinitions } from '../../src/jobs/job-definitions.js';
import { JobRunner } from '../../src/jobs/job-runner.js';
import type { Database } from '../../src/storage/database.js';
import { measureSizes, type StoragePlaces } from '../../src/storage/measure-sizes.js';
import { openMigratedTarget } from '../support/storage-targets.js';
import { recordEvents } from '../support/record-events.js';
import { insertRows, randomRow, seededRandom } from '../support/telemetry-rows.js';
import { createTemporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.js';
import { timescaleTargets, type OpenedTarget } from '../support/timescale-targets.js';

const DAY = 86_400_000;

describe.each(timescaleTargets())('the state of the storage, $name', (target) => {
  const random = seededRandom(5);
  const midnightMs = Math.floor(Date.now() / DAY) * DAY;
  let opened: OpenedTarget;
  let database: Database;
  let runner: JobRunner;
  let places: StoragePlaces;
  let directory: TemporaryDirectory;

  beforeAll(async () => {
    opened = await openMigratedTarget(target);
    database = opened.database;
    directory = createTemporaryDirectory('storage-status');
    const dataDir = directory.path;
    places = { dataDir, database: target.name === 'embedded' ? dataDir : null, queue: dataDir, archive: null };
    const jobs = jobDefinitions('community', { places });
    runner = new JobRunner({ database, events: recordEvents(), jobs });
  });
  afterAll(async () => {
    await runner?.stop();
    await opened?.remove();
    await directory?.remove();
  });

  const read = () => readStorage(database, { rawDays: 30, withChunks: true });

  it('counts chunks by what has become of them', async () => {
    for (const age of [40, 35, 20, 1]) {
      const day = midnightMs - age * DAY;
      await insertRows(
        database,
        Array.from({ length: 500 }, (_, n) => randomRow(random, 'well', day + n * 60_000)),
      );
    }
    expect(await runner.runNow('compress')).toMatchObject({ result: 'succeeded' });
    // A late row, a hold over the oldest chunk, and a verified part of the second.
    await insertRows(database, [randomRow(random, 'well', midnightMs - 20 * DAY + 30_001)]);
    await database.execute(
      `INSERT INTO holds (range_from, range_to, reason, created_by) VALUES (now() - INTERVAL '41 days', now() - INTERVAL '39 days 12 hours', 'test', 'test')`,
    );
    await database.execute(
      `INSERT INTO archive_parts (range_start, range_end, revision, state, object_key, manifest_key, schema_version, rows, fingerprint,
         columns, bytes, sha256, manifest_sha256, verified_at, checked_at)
       VALUES (to_timestamp($1), to_timestamp($1) + INTERVAL '1 day', 1, 'verified', 'o', 'm', 1, 500, 'f', '[]', 1234, 's', 's', now(), now())`,
      [(midnightMs - 35 * DAY) / 1000],
    );
    const status = await read();
    expect(status.readings.chunks).toEqual({
      uncompressed: 1,
      compressed: 3,
      partial: 1,
      archived: 1,
      held: expect.any(Number) as number,
      past_retention: 2,
    });
    const states = (status.chunk_list ?? []).map((chunk) => chunk.states);
    expect(states[0]).toEqual(['compressed', 'held', 'past_retention']);
    expect(states[1]).toEqual(expect.arrayContaining(['compressed', 'archived', 'past_retention']));
    expect(states[2]).toEqual(['compressed', 'partial']);
    expect(states[3]).toEqual(['uncompressed']);
    expect(status.archive).toEqual({ parts: 1, rows: 500, bytes: 1234 });
  });

  it('has sizes that add up, and the ratio of each chunk and of all', async () => {
    const { readings, tables, chunk_list: chunks = [] } = await read();
    const [telemetry] = tables;
    const sum = (of: (chunk: (typeof chunks)[number]) => number | null): number =>
      chunks.reduce((total, chunk) => total + (of(chunk) ?? 0), 0);
    expect(readings.uncompressed_bytes + readings.compressed_bytes).toBe(sum(({ bytes }) => bytes));
    // The hypertable itself is empty but for a page or two.
    expect(Math.abs((telemetry?.bytes ?? 0) - sum(({ bytes }) => bytes))).toBeLessThan(65_536);
    expect(sum(({ bytes_before_compression: before }) => before)).toBe(telemetry?.bytes_before_compression);
    expect(sum(({ bytes_after_compression: after }) => after)).toBe(telemetry?.bytes_after_compression);
    expect(readings.compression_ratio).toBeGreaterThan(1);
    expect(readings.index_bytes).toBeGreaterThan(0);
    expect(readings.index_bytes).toBeLessThan(sum(({ bytes }) => bytes));
  });

  it('says what it knows of the disk: nothing, then too little, then the days that are left', async () => {
    expect((await read()).disk).toMatchObject({ measured_at: null, days_until_full: null });
    expect(await runner.runNow('measure-storage')).toMatchObject({ result: 'succeeded' });
    const { disk } = await read();
    expect(disk.measured_at).not.toBeNull();
    expect(disk).toMatchObject({ days_until_full: null, basis: expect.stringContaining('4 are needed') as string });
    const sizes = await measureSizes(database, places);
    expect(sizes.databaseBytes).toBeGreaterThan(1_000_000);
    // Seen where the directory is on this machine.
    const [row] = await database.query<{ d: string }>(`SELECT current_setting('data_directory') AS d`);
    expect(sizes.diskFreeBytes !== null).toBe(target.name === 'embedded' || existsSync(row?.d ?? ''));
    await database.execute(
      `INSERT INTO storage_days (day, database_bytes, archive_bytes, disk_used_bytes)
       SELECT (now() AT TIME ZONE 'UTC')::date - n, $1::bigint - n * 1000000, 0, $2::bigint - n * 1000000 FROM generate_series(1, 10) n`,
      [sizes.databaseBytes, disk.used_bytes],
    );
    const known = await readStorage(database, {
      rawDays: 30,
      withChunks: false,
      sizes: { ...sizes, diskFreeBytes: 5_000_000 },
    });
    expect(known.disk.days_until_full).toBeGreaterThan(4);
    expect(known.disk.days_until_full).toBeLessThan(6);
    expect(known.chunk_list).toBeUndefined();
    const unseen = await readStorage(database, {
      rawDays: 30,
      withChunks: false,
      sizes: { ...sizes, diskFreeBytes: null },
    });
    expect(unseen.disk).toMatchObject({
      days_until_full: null,
      basis: expect.stringContaining('cannot be seen') as string,
    });
  });

  it('is what its schema says, and prints as tables', async () => {
    const status = { as_of: '2026-01-01T00:00:00Z', ...(await read()) };
    const ajv = new Ajv();
    expect(ajv.validate(StorageSchema, status), ajv.errorsText()).toBe(true);
    expect(status.jobs.map(({ job, due_at: due }) => [job, due === null])).toEqual([
      ['compress', false],
      ['measure-storage', false],
    ]);
    const text = storageText(status);
    expect(text).toMatch(/^readings, compressed +[\d.]+ kB +[\d.]+ times smaller than before$/m);
    expect(text).toMatch(/^ +1 +of them partial/m);
    expect(text).toMatch(/ compressed held past_retention +_hyper/);
    expect(text).toMatch(/^telemetry +[\d.]+ [kM]B +4 +3 /m);
  });
});
