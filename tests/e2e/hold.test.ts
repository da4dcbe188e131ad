/** `downhole hold` as a user runs it: beside a running service, and without one. */
import { afterEach, expect, it } from 'vitest';
import type { Hold } from '../../src/storage/holds.js';
import { runCommand, startService, type Service } from '../support/service.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const SLOW_MS = 180_000;

let service: Service | undefined;
afterEach(async () => {
  await service?.kill();
  service = undefined;
});

it(
  'adds, lists and releases holds, through the service and without it, and leaves its traces in the audit log',
  async () => {
    const directory = temporaryDirectory('hold');
    const run = (...args: string[]) => runCommand(args, { DOWNHOLE_DATA_DIR: directory });
    const listed = async (...args: string[]): Promise<Hold[]> =>
      (JSON.parse((await run('hold', 'list', '--json', ...args)).stdout) as { holds: Hold[] }).holds;
    const range = ['--from', '2026-10-01', '--to', '2026-11-01'];

    service = await startService(directory);
    const added = await run(
      'hold',
      'add',
      ...range,
      '--reason',
      'claim 4711',
      '--device',
      'Well 7',
      '--expires',
      '365',
    );
    expect(added).toMatchObject({ code: 0, stderr: '' });
    expect(added.stdout).toMatch(/^hold 1 keeps "Well 7" from 2026-10-01T00:00:00Z to 2026-11-01T00:00:00Z, until 20/);
    expect(await listed()).toMatchObject([{ id: 1, device_id: 'Well 7', reason: 'claim 4711', released_at: null }]);
    expect(await service.stop()).toBe(0);

    expect((await run('hold', 'add', ...range, '--reason', 'audit')).stdout).toContain('keeps all devices');
    expect((await run('hold', 'release', '1')).stdout).toMatch(/^released hold 1 of "Well 7" at 20/);
    expect((await listed()).map(({ id }) => id)).toEqual([2]);
    expect((await listed('--all')).map(({ id }) => id)).toEqual([2, 1]);
    // Once more changes nothing.
    const before = await listed('--all');
    await run('hold', 'release', '1');
    expect(await listed('--all')).toEqual(before);
    expect((await run('audit')).stdout).toMatch(/hold\.release[^]*hold\.create[^]*hold\.create/);
    const unknown = await run('hold', 'release', '77');
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('There is no hold 77')]);
  },
  SLOW_MS,
);

it('refuses what would keep nothing', async () => {
  const add = async (...args: string[]): Promise<[number | null, string]> => {
    const { code, stderr } = await runCommand(['hold', 'add', '--reason', 'x', ...args]);
    return [code, stderr];
  };
  const swapped = await add('--from', '2026-11-01', '--to', '2026-10-01');
  expect(swapped).toEqual([2, expect.stringContaining('--to is not later than --from')]);
  const past = await add('--from', '2026-10-01', '--to', '2026-11-01', '--expires', '2026-01-01');
  expect(past).toEqual([2, expect.stringContaining('--expires has passed')]);
});
