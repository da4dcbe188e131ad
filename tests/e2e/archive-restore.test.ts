/** `downhole archive restore` as a user runs it, against Azure's emulator, and killed at any moment. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MICROS_PER_DAY } from '../../src/telemetry/timestamp.js';
import { rowsOfDay } from '../support/archived-rows.js';
import { startAzurite, type Azurite } from '../support/azurite.js';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { downhole, runCommand } from '../support/service.js';
import { openPlainTarget, type PlainTarget } from '../support/storage-targets.js';
import { createTemporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.js';
import { insertRows, randomRow, seededRandom } from '../support/telemetry-rows.js';

const DAYS = 3;

describe('downhole archive restore', () => {
  const random = seededRandom(6);
  const firstUs = (Math.floor((Date.now() * 1000) / MICROS_PER_DAY) - 60) * MICROS_PER_DAY;
  const days = Array.from({ length: DAYS }, (_, index) => firstUs + index * MICROS_PER_DAY);
  const date = (us: number): string => new Date(us / 1000).toISOString().slice(0, 10);
  const range = ['--from', date(firstUs), '--to', date(firstUs + DAYS * MICROS_PER_DAY)];
  let postgres: PostgresServer;
  let azurite: Azurite;
  let proxy: FaultProxy;
  let directory: TemporaryDirectory;
  let target: PlainTarget;
  let environment: Record<string, string>;
  let rows: Record<string, unknown>[][];

  const archive = (...args: string[]) => runCommand(['archive', ...args], environment);
  const restored = (table: string) => Promise.all(days.map((day) => rowsOfDay(target.database, day, table)));

  beforeAll(async () => {
    postgres = await startPostgres();
    azurite = await startAzurite();
    proxy = await startFaultProxy(azurite.port);
    directory = createTemporaryDirectory('query');
    target = await openPlainTarget(postgres);
    // Days are those of UTC, whatever the zone of the server and of the shell; this one changes its clocks in the year.
    await target.database.execute(
      `ALTER DATABASE ${new URL(target.url).pathname.slice(1)} SET timezone = 'America/New_York'`,
    );
    const { url, connectionString } = azurite.container('telemetry-archive', proxy.port);
    environment = {
      DOWNHOLE_TEST_PLAIN_SCHEMA: '1',
      DOWNHOLE_DATABASE_URL: target.url,
      DOWNHOLE_ARCHIVE_URL: url,
      DOWNHOLE_ARCHIVE_CONNECTION_STRING: connectionString,
      TZ: 'America/New_York',
    };
    for (const day of days) {
      await insertRows(target.database, [
        ...Array.from({ length: 40 }, (_, index) => randomRow(random, `d${index % 4}`, day / 1000 + index * 2_000_000)),
        randomRow(random, 'last', day / 1000 + 86_399_999),
      ]);
    }
    rows = await restored('telemetry');
    expect((await archive('run')).code).toBe(0);
    await target.database.execute(`UPDATE archive_parts SET state = 'dropped'`);
    await target.database.execute('DELETE FROM telemetry');
  }, 120_000);
  afterAll(async () => {
    await target.remove();
    await proxy.close();
    await directory.remove();
    await azurite.remove();
    await postgres.remove();
  });

  /** Runs it and kills it when it has asked the store for something for the so manieth time. */
  async function killAt(request: number): Promise<void> {
    const [program, ...args] = downhole('archive', 'restore', ...range, '--into', 'telemetry');
    const child = spawn(program, args, { env: { ...process.env, ...environment }, stdio: 'ignore' });
    const exited = once(child, 'exit');
    for (let seen = 1; seen < request; seen++) await proxy.once('after', 'GET ', () => {});
    await proxy.once('after', 'GET ', () => child.kill('SIGKILL'));
    expect((await exited)[1]).toBe('SIGKILL');
  }

  it('says what it would do, and does nothing', async () => {
    const { code, stdout } = await archive('restore', ...range, '--dry-run');
    expect(stdout).toMatch(/41 rows.*\n.*41 rows.*\n.*41 rows.*\n3 parts, .* nothing was restored\n$/);
    expect(code).toBe(0);
    expect((await restored('telemetry_archive')).flat()).toEqual([]);
  });

  it('does the rest after it was killed, wherever that was', async () => {
    for (const request of [1, 2, 4, 3]) {
      await killAt(request);
      // Whole parts or nothing.
      for (const [index, found] of (await restored('telemetry')).entries())
        if (found.length > 0) expect(found).toEqual(rows[index]);
    }
    const { code, stdout, stderr } = await archive('restore', ...range, '--into', 'telemetry', '--json');
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ into: 'telemetry', differing: 0, hold: 1 });
    expect(await restored('telemetry')).toEqual(rows);
    const again = await archive('restore', ...range, '--into', 'telemetry');
    expect(again.stdout).toMatch(/0 rows of 3 parts restored into telemetry; 123 were there already\n$/);
    const holds = await runCommand(['hold', 'list', '--json'], environment);
    expect((JSON.parse(holds.stdout) as { holds: object[] }).holds).toMatchObject([
      { from: `${date(firstUs)}T00:00:00Z`, reason: 'restored from the archive' },
    ]);
    // Nothing of it is archived again.
    expect((await archive('run')).stdout).toMatch(/\n0 of 3 chunks archived/);
  }, 180_000);

  it('fills and empties the table for analysis', async () => {
    const some = await archive('restore', ...range, '--device', 'd1', '--device', 'last');
    expect(some.stdout).toMatch(/33 rows of 3 parts restored into telemetry_archive; 0 were there already\n$/);
    const cleared = await archive('clear', '--device', 'last');
    expect(cleared.stdout).toMatch(/^3 rows removed from telemetry_archive, 30 left; it took [\d.]+ MB and takes/);
    expect((await archive('clear', '--all')).stdout).toMatch(/^30 rows removed from telemetry_archive, 0 left/);
    expect((await archive('clear')).code).toBe(2);
    expect((await archive('restore', ...range, '--into', 'devices')).code).toBe(2);
    expect((await archive('restore', '--from', date(firstUs), '--to', date(firstUs))).code).toBe(2);
  }, 60_000);

  it('answers SQL over the archive', async () => {
    const environmentOf = { ...environment, DOWNHOLE_DATA_DIR: directory.path };
    const query = (...args: string[]) => runCommand(['archive', 'query', ...args], environmentOf);
    const sql = `SELECT device_id, count(*) AS n, min("timestamp") AS first FROM telemetry WHERE device_id = 'last' GROUP BY 1`;
    const last = `${date(firstUs)}T23:59:59.999000Z`;
    expect((await query(...range, '--format', 'csv', sql)).stdout).toBe(`device_id,n,first\r\nlast,3,${last}\r\n`);
    expect(JSON.parse((await query(...range, '--with-hot', '--format', 'json', sql)).stdout)).toEqual([
      { device_id: 'last', n: 3, first: last },
    ]);
    const cut = await query('--limit', '2', 'SELECT device_id FROM telemetry');
    expect(cut.stdout.split('\n')).toHaveLength(4);
    expect(cut.stderr).toMatch(/only the first 2 rows/);
    const wrong = await query('SELECT nothing FROM telemetry');
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toMatch(/^downhole: The query failed: .*nothing/);
    expect((await query('--with-hot', 'SELECT 1')).code).toBe(2);
  }, 60_000);
});
