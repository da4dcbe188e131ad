/** What people do to a table while it is taken over, and tables with fewer and with more columns. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { inspectionText } from '../../src/commands/legacy-text.js';
import { inspectLegacy } from '../../src/legacy/inspect.js';
import {
  migrateLegacy,
  rollbackLegacy,
  verifyNow,
  type LegacyContext,
  type MigrateLegacyOptions,
} from '../../src/legacy/legacy-migration.js';
import { readProgress } from '../../src/legacy/progress.js';
import { openDatabase } from '../../src/storage/open-database.js';
import { createLegacyTable, startWriters, withClient } from '../support/legacy-table.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { recordEvents } from '../support/record-events.js';
import { smallDisk } from '../support/small-disk.js';
import { createScratchDatabase, timescaleServerUrl } from '../support/timescale-targets.js';

const ROWS = 60_000;
const SLOW_MS = 180_000;

let postgres: PostgresServer;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres?.remove());

const timescaleUrl = timescaleServerUrl();
const targets: { name: string; subset?: 'plain'; createUrl: () => Promise<string> }[] = [
  { name: 'PostgreSQL', subset: 'plain', createUrl: () => postgres.createDatabase() },
];
if (timescaleUrl !== undefined)
  targets.push({
    name: 'TimescaleDB',
    async createUrl() {
      const scratch = await createScratchDatabase(timescaleUrl);
      onTestFinished(() => scratch.remove());
      return scratch.url;
    },
  });

const options = (more: Partial<MigrateLegacyOptions> = {}): MigrateLegacyOptions => ({
  mapping: {},
  withoutSwap: true,
  onStage: () => undefined,
  ...more,
});

async function open(url: string, subset?: 'plain', directory: string | null = null): Promise<LegacyContext> {
  const config = { dataDir: '', database: { url, poolSize: 4, statementTimeoutMs: 60_000 } };
  const database = await openDatabase(config, recordEvents());
  onTestFinished(() => database.close());
  return { database, schema: { subset }, patience: { lockTimeoutMs: 1000, attempts: 50 }, directory };
}

describe.each(targets)('an old table on $name, half copied', ({ subset, createUrl }) => {
  /** Runs `during` by another client after the first batches; resolves with how the run ended. */
  const disturbed = async (during: readonly string[]) => {
    const url = await createUrl();
    const context = await open(url, subset);
    await createLegacyTable(url, { rows: ROWS, bad: false });
    let happened: Promise<unknown> | undefined;
    const ended = await migrateLegacy(
      context,
      options({
        rowsPerSecond: 60_000,
        onProgress: ({ copiedTo, endBlock }) => {
          if (copiedTo < endBlock)
            happened ??= withClient(url, async (client) => {
              for (const sql of during) await client.query(sql);
            });
        },
      }),
    ).catch((error: unknown) => error);
    expect(happened).toBeDefined();
    await happened;
    return { url, context, ended };
  };

  it(
    'may be truncated: what was copied goes too, and what comes afterwards is mirrored',
    async () => {
      const { context, ended, url } = await disturbed([
        'TRUNCATE telemetry',
        `INSERT INTO telemetry SELECT '2026-10-05T00:00:00Z'::timestamptz + make_interval(secs => i), 'After', i % 50, 1, 1, 1 FROM generate_series(1, 5000) i`,
        `UPDATE telemetry SET temperature = 3 WHERE temperature = 7`,
        `DELETE FROM telemetry WHERE temperature = 9`,
      ]);
      expect(ended).toMatchObject({ differences: [] });
      const found = await verifyNow(context.database);
      expect(found).toMatchObject({ oldRows: 4900, newRows: 4900, setAside: 0, differences: [] });
      await withClient(url, (client) => client.query('TRUNCATE telemetry'));
      expect(await verifyNow(context.database)).toMatchObject({ oldRows: 0, newRows: 0, differences: [] });
    },
    SLOW_MS,
  );

  it.each([['VACUUM FULL telemetry'], ['CLUSTER telemetry USING telemetry_pk']])(
    'is refused after %s, which gives its rows other places, and can be given up and begun again',
    async (rewrite) => {
      const { context, ended, url } = await disturbed([
        rewrite,
        `UPDATE telemetry SET temperature = 1 WHERE device_id = 'Well 3'`,
      ]);
      expect(ended).toMatchObject({ code: 'legacy_rewritten' });
      await expect(migrateLegacy(context, options())).rejects.toMatchObject({ code: 'legacy_rewritten' });
      await expect(migrateLegacy(context, options({ withoutSwap: false }))).rejects.toMatchObject({
        code: 'legacy_rewritten',
      });
      await rollbackLegacy(context, false);
      expect(await context.database.query('SELECT count(*)::int AS n FROM telemetry')).toEqual([{ n: ROWS }]);
      const writers = startWriters(url, 1);
      onTestFinished(() => writers.stop());
      expect(await migrateLegacy(context, options())).toMatchObject({ differences: [] });
      await writers.stop();
      expect((await verifyNow(context.database)).differences).toEqual([]);
    },
    SLOW_MS,
  );

  it(
    'may be rewritten once all of it is copied',
    async () => {
      const url = await createUrl();
      const context = await open(url, subset);
      await createLegacyTable(url, { rows: 5000, bad: false });
      await migrateLegacy(context, options());
      await withClient(url, async (client) => {
        await client.query('VACUUM FULL telemetry');
        await client.query(`UPDATE telemetry SET temperature = 1 WHERE device_id = 'Well 3'`);
        await client.query(`DELETE FROM telemetry WHERE device_id = 'Well 4'`);
      });
      expect(await migrateLegacy(context, options())).toMatchObject({ oldRows: 4750, differences: [] });
    },
    SLOW_MS,
  );
});

it('is refused where the disk is too small, before anything is made, and a dry run says so', async () => {
  const disk = smallDisk(2);
  const url = await postgres.createDatabase();
  const context = await open(url, 'plain', disk ?? null);
  await createLegacyTable(url, { rows: 20_000, bad: false });
  if (disk === undefined) {
    // Without the right to mount there is no small disk; the figures are those of the large one.
    expect((await inspectLegacy(context.database, {}, null)).neededBytes).toBeGreaterThan(20_000 * 130);
    return;
  }
  const inspection = await inspectLegacy(context.database, {}, disk);
  expect(inspectionText(inspection, null)).toMatch(
    /OBSTACLE {2}The disk has 2 MB free, and the copy needs about \d+ MB/,
  );
  expect(inspectionText(inspection, null)).toContain('would refuse');
  await expect(migrateLegacy(context, options())).rejects.toMatchObject({ code: 'legacy_obstacle' });
  expect(await readProgress(context.database)).toBeNull();
  expect(await context.database.query(`SELECT FROM pg_namespace WHERE nspname = 'downhole_legacy'`)).toEqual([]);
});

it(
  'takes over fewer columns and more, each where it belongs',
  async () => {
    const fewer = await open(await postgres.createDatabase(), 'plain');
    await fewer.database.script(`
      CREATE TABLE telemetry ("timestamp" timestamptz, device_id text, pressure real);
      INSERT INTO telemetry VALUES ('2026-10-01T00:00:00Z', 'A', 100), ('2026-10-01T00:01:00Z', 'A', NULL);`);
    expect(await migrateLegacy(fewer, options({ withoutSwap: false }))).toMatchObject({ newRows: 2, differences: [] });
    expect(
      await fewer.database.query(
        'SELECT pressure, temperature, raw_values, is_anomaly FROM telemetry ORDER BY "timestamp"',
      ),
    ).toEqual([
      { pressure: 100, temperature: null, raw_values: null, is_anomaly: null },
      { pressure: null, temperature: null, raw_values: null, is_anomaly: null },
    ]);

    const more = await open(await postgres.createDatabase(), 'plain');
    await more.database.script(`
      CREATE TABLE telemetry ("timestamp" timestamptz, device_id text, temperature float8, vibration float8, pressure float8,
        flow_rate float8, motor_current float8, data_quality_score real, is_anomaly boolean, comment text, tags jsonb);
      INSERT INTO telemetry VALUES ('2026-10-01T00:00:00Z', 'A', 80, 1, 100, 500, 42, 0.5, true, 'seen', '{"shift": 2}');`);
    expect(await migrateLegacy(more, options({ withoutSwap: false }))).toMatchObject({ newRows: 1, differences: [] });
    expect(
      await more.database.query(
        'SELECT temperature, flow_rate, motor_current, data_quality_score, is_anomaly, raw_values FROM telemetry',
      ),
    ).toEqual([
      {
        temperature: 80,
        flow_rate: 500,
        motor_current: 42,
        data_quality_score: 0.5,
        is_anomaly: true,
        raw_values: { comment: 'seen', tags: { shift: 2 } },
      },
    ]);
    await rollbackLegacy(more, true);
    expect(await more.database.query('SELECT comment, tags FROM telemetry')).toEqual([
      { comment: 'seen', tags: { shift: 2 } },
    ]);
  },
  SLOW_MS,
);
