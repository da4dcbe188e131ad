/** `downhole alerts` as a user runs it: beside a running service, and without one. */
import { afterEach, expect, it, onTestFinished } from 'vitest';
import { runCommand, startService, type Service } from '../support/service.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { startReceiver } from '../support/webhook-receiver.js';

const SLOW_MS = 180_000;

let service: Service | undefined;
afterEach(async () => {
  await service?.kill();
  service = undefined;
});

it(
  'lists, tests, silences and unsilences, through the service and without it',
  async () => {
    const receiver = await startReceiver(200, 200, 403);
    onTestFinished(() => receiver.close());
    const directory = temporaryDirectory('alerts');
    const environment = { DOWNHOLE_DATA_DIR: directory, DOWNHOLE_ALERTS_WEBHOOK_URL: receiver.url };
    const run = (...args: string[]) => runCommand(['alerts', ...args], environment);
    service = await startService(directory, { DOWNHOLE_ALERTS_WEBHOOK_URL: receiver.url });
    // It has not looked yet.
    expect(await run('list')).toMatchObject({ code: 0, stdout: 'nothing fires\n', stderr: '' });
    expect(await run('test')).toMatchObject({ code: 0, stdout: 'webhook: it was taken\n' });
    const made = await run('silence', '--site', 'North', '--to', '8h', '--reason', 'workover');
    expect(made.stdout).toMatch(/^maintenance window 1 silences alerts of site "North" from 20/);
    expect((await run('list')).stdout).toMatch(/alerts of site "North".*workover/);
    expect(await service.stop()).toBe(0);

    expect(await run('test')).toMatchObject({ code: 0, stdout: 'webhook: it was taken\n' });
    const refused = await run('test');
    expect([refused.code, refused.stdout]).toEqual([1, 'webhook: it answered 403\n']);
    expect(refused.stdout + refused.stderr).not.toContain('geheim');
    expect((await run('unsilence', '1')).stdout).toMatch(/^maintenance window 1 ended at 20/);
    expect((await run('list')).stdout).not.toContain('workover');
    expect((await run('history', '--json')).stdout).toBe('{\n  "alerts": []\n}\n');
    expect((await run('unsilence', '77')).code).toBe(1);
    const audited = await runCommand(['audit'], environment);
    expect(audited.stdout).toMatch(/alert\.unsilence[^]*alert\.test[^]*alert\.test[^]*alert\.silence[^]*alert\.test/);
    for (const wrong of [
      ['--to', '8h', '--reason', 'x'],
      ['--all', '--site', 'North', '--to', '8h', '--reason', 'x'],
      ['--all', '--to', '2020-01-01', '--reason', 'x'],
      ['--all', '--to', '8h', '--reason', 'x', '--rule', 'device_loud'],
    ])
      expect((await run('silence', ...wrong)).code).toBe(2);
  },
  SLOW_MS,
);
