/** `downhole jobs list|history|run`, on a database that nobody holds and on one that a service holds. */
import { afterEach, expect, it } from 'vitest';
import { runCommand, startService, type Service } from '../support/service.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const SLOW_MS = 240_000;

let service: Service | undefined;
afterEach(async () => {
  await service?.kill();
  service = undefined;
});

it(
  'lists, runs and remembers jobs, and leaves running them to the service that holds the database',
  async () => {
    const directory = temporaryDirectory('jobs-command');
    const run = (...args: string[]) => runCommand(['jobs', ...args], { DOWNHOLE_DATA_DIR: directory });
    service = await startService(directory);
    const refused = await run('run', 'compress');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(`The service at ${service.url} has the embedded database`);
    const ofService = await run('list');
    expect(ofService).toMatchObject({ code: 0, stderr: '' });
    expect(ofService.stdout).toMatch(/\nretain-raw +\S/);
    const ranThere = async (): Promise<unknown> =>
      (JSON.parse((await run('history', '--limit', '1', '--json')).stdout) as { runs: unknown[] }).runs[0];
    await expect.poll(ranThere, { timeout: 60_000 }).toMatchObject({ attempt: 1, error: null });
    const misspelt = await run('history', 'polish');
    expect([misspelt.code, misspelt.stderr]).toEqual([1, expect.stringContaining('There is no job \\"polish\\"')]);
    const environment = { DOWNHOLE_DATA_DIR: directory };
    const asked = await runCommand(['storage', '--json', '--chunks'], environment);
    expect(asked).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(asked.stdout)).toMatchObject({ readings: { chunks: { uncompressed: 0 } }, chunk_list: [] });
    expect(await service.stop()).toBe(0);
    const measured = await runCommand(['storage'], environment);
    expect(measured).toMatchObject({ code: 0, stderr: '' });
    expect(measured.stdout).toMatch(/^disk, days until full +unknown +unknown: the sizes of \d days are known/m);
    expect(measured.stdout).toMatch(/^disk, free +[\d.]+ [GT]B/m);

    const ran = await run('run', 'prune-run-log');
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(ran.stdout).toMatch(/^prune-run-log: succeeded after \d+\.\d s .*"deleted":0/);
    const history = await run('history', 'prune-run-log', '--json');
    const { runs } = JSON.parse(history.stdout) as { runs: object[] };
    expect(runs[0]).toMatchObject({ job: 'prune-run-log', result: 'succeeded' });
    const listed = await run('list');
    expect(listed.stdout).toMatch(/\nprune-run-log +20\S+Z +succeeded +\d+\.\d +20\d\d-\S+Z +-/);
    expect(listed.stdout).toMatch(/\nretain-raw +\S/);
    const archived = await run('run', 'archive');
    expect(archived).toMatchObject({ code: 0, stderr: '' });
    expect(archived.stdout).toMatch(/^archive: succeeded/);
    const unknown = await run('run', 'polish');
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('There is no job "polish"')]);
  },
  SLOW_MS,
);
