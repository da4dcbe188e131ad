/** `downhole dlq` as a person has it: through the service that holds the embedded database, and without one. */
import pg from 'pg';
import { expect, it, onTestFinished } from 'vitest';
import { startPostgres } from '../support/postgres.js';
import { runCommand, settled, startService } from '../support/service.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

it('lists, shows, replays and purges, with a service and without', async () => {
  const directory = temporaryDirectory('dlq');
  const environment = { DOWNHOLE_DATA_DIR: directory };
  const dlq = (...args: string[]) => runCommand(['dlq', ...args], environment);
  const service = await startService(directory);
  try {
    const future = { device_id: 'esp-1', timestamp: new Date(Date.now() + 86_400_000).toISOString(), temperature: 1 };
    const body = JSON.stringify([future, { ...future, device_id: 'esp-2' }]);
    const headers = { 'content-type': 'application/json' };
    expect((await fetch(`${service.url}/v1/telemetry`, { method: 'POST', headers, body })).status).toBe(202);
    await settled(service);
    await expect.poll(async () => (await dlq('list', '--groups')).stdout).toMatch(/future_timestamp +2 /);
    const { letters } = JSON.parse((await dlq('list', '--device', 'esp-1', '--json')).stdout) as {
      letters: { id: string }[];
    };
    const id = letters[0]?.id as string;
    expect((await dlq('show', id.slice(0, 8), '--raw')).stdout).toBe(JSON.stringify(future));
    expect((await dlq('replay', '--all')).stdout).toContain('replayed 0, refused 2, skipped 0');
    expect(await dlq('replay')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Say which letters') as string,
    });
    expect(await dlq('purge', id)).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') as string });
    expect((await dlq('purge', id, '--yes')).stdout).toBe('purged 1\n');
    expect(await service.stop()).toBe(0);
    const without = await dlq('replay', '--device', 'esp-2', '--rename', 'timestamp=sent', '--dry-run', '--json');
    expect(JSON.parse(without.stdout)).toMatchObject({ dry_run: true, letters: [{ code: 'missing_field' }] });
    expect((await dlq('list', '--state', 'purged')).stdout).toContain(id.slice(0, 12));
  } finally {
    await service.kill();
  }
}, 120_000);

it('works, like the ledger, on the plain subset of the schema, and asks for a migration where one of that is missing', async () => {
  const postgres = await startPostgres();
  onTestFinished(() => postgres.remove());
  const url = await postgres.createDatabase();
  const environment = { DOWNHOLE_DATABASE_URL: url, DOWNHOLE_TEST_PLAIN_SCHEMA: '1' };
  const ask = () => Promise.all([runCommand(['dlq', 'list'], environment), runCommand(['ledger'], environment)]);
  for (const { code, stderr } of await ask())
    expect([code, stderr]).toEqual([1, expect.stringContaining('downhole migrate')]);
  expect((await runCommand(['migrate'], environment)).code).toBe(0);
  for (const { code, stderr } of await ask()) expect([code, stderr]).toEqual([0, '']);

  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('DELETE FROM schema_migrations WHERE version = (SELECT max(version) FROM schema_migrations)');
  await client.end();
  for (const { code, stderr } of await ask())
    expect([code, stderr]).toEqual([1, expect.stringContaining('waits for 1 migration')]);
}, 120_000);
