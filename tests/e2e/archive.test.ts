/** `downhole archive` as a user runs it, against Azure's emulator, and what a kill leaves at any stage of it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MICROS_PER_DAY } from '../../src/telemetry/timestamp.js';
import { startAzurite, type Azurite } from '../support/azurite.js';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { downhole, runCommand } from '../support/service.js';
import { openPlainTarget, type PlainTarget } from '../support/storage-targets.js';
import { insertRows, randomRow, seededRandom } from '../support/telemetry-rows.js';

interface Listed {
  readonly state: string;
  readonly revision: number;
  readonly rows: number | null;
  readonly objectKey: string;
}

describe('downhole archive', () => {
  const random = seededRandom(5);
  const dayMs = (Math.floor((Date.now() * 1000) / MICROS_PER_DAY) - 40) * 86_400_000;
  let postgres: PostgresServer;
  let azurite: Azurite;
  let proxy: FaultProxy;
  let target: PlainTarget;
  let environment: Record<string, string>;

  beforeAll(async () => {
    postgres = await startPostgres();
    azurite = await startAzurite();
    proxy = await startFaultProxy(azurite.port);
    target = await openPlainTarget(postgres);
    // A server may be set to any zone: days are those of UTC all the same. This one has a change of clocks in the year.
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
    const rows = Array.from({ length: 50 }, (_, index) => randomRow(random, `d${index}`, dayMs + index * 1_700_000));
    await insertRows(target.database, [
      ...rows,
      randomRow(random, 'first', dayMs),
      randomRow(random, 'last', dayMs + 86_399_999),
    ]);
  }, 120_000);
  afterAll(async () => {
    await target.remove();
    await proxy.close();
    await azurite.remove();
    await postgres.remove();
  });

  const archive = (...args: string[]) => runCommand(['archive', ...args], environment);
  const list = async (): Promise<Listed[]> =>
    (JSON.parse((await archive('list', '--json')).stdout) as { parts: Listed[] }).parts;

  /** Runs `archive run` and kills it when it sends the text for the so manieth time. */
  async function killAt(text: string, moment: 'before' | 'after', time: number): Promise<void> {
    const [program, ...args] = downhole('archive', 'run');
    const child = spawn(program, args, { env: { ...process.env, ...environment }, stdio: 'ignore' });
    const exited = once(child, 'exit');
    for (let seen = 1; seen < time; seen++) await proxy.once('after', text, () => {});
    await proxy.once(moment, text, () => child.kill('SIGKILL'));
    expect((await exited)[1]).toBe('SIGKILL');
  }

  it('leaves nothing that counts when it is killed at any stage, and finishes the next time', async () => {
    // The rows: a block and the list of blocks; then the manifest: the same.
    const stages: [string, 'before' | 'after', number][] = [
      ['comp=block&', 'before', 1],
      ['comp=blocklist', 'before', 1],
      ['comp=blocklist', 'after', 1],
      ['comp=block&', 'before', 2],
      ['comp=blocklist', 'after', 2],
    ];
    for (const stage of stages) {
      await killAt(...stage);
      expect((await list()).filter(({ state }) => state !== 'exporting')).toEqual([]);
    }
    const { code, stdout } = await archive('run');
    expect(stdout).toMatch(/archived and verified\n1 of 1 chunks archived/);
    expect(code).toBe(0);
    const parts = await list();
    expect(parts).toMatchObject([{ state: 'verified', revision: 1, rows: 52 }]);
    const day = new Date(dayMs).toISOString().slice(0, 10);
    expect(parts[0]?.objectKey).toContain(`day=${day.slice(8)}/part-${day.replaceAll('-', '')}T000000Z-`);
    const verified = await archive('verify');
    expect(verified.stdout).toMatch(/1 parts read, 0 damaged/);
    expect(verified.code).toBe(0);
  }, 180_000);

  it('ends with exit code 1 when the archive has lost something, and makes it again', async () => {
    const [part] = await list();
    const { url, connectionString } = azurite.container('telemetry-archive');
    const { BlobServiceClient } = await import('@azure/storage-blob');
    const container = BlobServiceClient.fromConnectionString(connectionString).getContainerClient('telemetry-archive');
    expect(container.url).toBe(url);
    await container.deleteBlob(part?.objectKey ?? '');
    const { code, stdout, stderr } = await archive('verify', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ damaged: 1, parts: [{ object: part?.objectKey }] });
    expect(stderr).toMatch(/1 of 1 parts are damaged or missing/);
    expect((await archive('run', '--json')).code).toBe(0);
    expect((await archive('verify')).code).toBe(0);
    expect(await list()).toMatchObject([
      { state: 'stale', revision: 1 },
      { state: 'verified', revision: 2, rows: 52 },
    ]);
  }, 120_000);
});
