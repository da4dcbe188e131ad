/** `downhole policy check`, and the start that it guards. */
import { expect, it } from 'vitest';
import { runCommand } from '../support/service.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const SLOW_MS = 60_000;

it('says what applies, and exits with 2 and the safe value where it is not safe', async () => {
  const fine = await runCommand(['policy', 'check']);
  expect([fine.code, fine.stderr]).toEqual([0, '']);
  expect(fine.stdout).toMatch(/readings +- +7 days +25 days +30 days/);
  expect(fine.stdout).toMatch(/Safe: all \d+ rules hold/);

  const wrong = await runCommand(['policy', 'check'], { DOWNHOLE_RETENTION_RAW_DAYS: '8' });
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toContain('retention.rawDays (8 days), start of the refresh window of 1min (7 days)');
  expect(wrong.stderr).toContain('Safe: retention.rawDays at least 9.');

  const doubtful = await runCommand(['policy', 'check', '--json'], { DOWNHOLE_COMPRESSION_AFTER_DAYS: '6' });
  expect(doubtful.code).toBe(0);
  expect(JSON.parse(doubtful.stdout)).toMatchObject({
    policy: { compressAfterDays: 6 },
    findings: [{ rule: 'compress-after-refresh', severity: 'warning' }, { severity: 'warning' }],
  });
});

it(
  'keeps the jobs from starting, before anything is opened',
  async () => {
    const directory = temporaryDirectory('policy');
    const environment = { DOWNHOLE_DATA_DIR: directory, DOWNHOLE_HTTP_PORT: '0', DOWNHOLE_RETENTION_MINUTE_DAYS: '8' };
    const { code, stderr } = await runCommand(['run', 'jobs'], environment);
    expect(code).toBe(2);
    expect(stderr).toContain('Safe: retention.minuteDays at least 9.');
    expect(stderr).not.toContain('database is open');
  },
  SLOW_MS,
);
