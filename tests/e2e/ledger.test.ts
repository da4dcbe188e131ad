/** `downhole ledger` as a user runs it: beside a running service, after its stop, and after its kill. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Ledger, LedgerVerification } from '../../src/console/ledger-schemas.js';
import { runCommand, startService, type Service } from '../support/service.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const SLOW_MS = 120_000;

let service: Service | undefined;
afterEach(async () => {
  await service?.kill();
  service = undefined;
});

/** Sends records a second apart, the last of which is now. */
async function send({ url }: Service, deviceId: string, count: number, more: readonly object[] = []): Promise<number> {
  const now = Date.now();
  const records = Array.from({ length: count }, (_, index) => ({
    device_id: deviceId,
    timestamp: new Date(now - (count - 1 - index) * 1000).toISOString(),
    temperature: 80,
  }));
  const response = await fetch(`${url}/v1/telemetry`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify([...records, ...more]),
  });
  return response.status;
}

/** Waits until so many records have been written; the rest of what was accepted would stay in the queue at a stop. */
async function written({ url }: Service, records: number): Promise<void> {
  for (;;) {
    const response = await fetch(`${url}/v1/pipeline`);
    const { conservation } = (await response.json()) as { conservation: { stored: number; in_flight: number } };
    if (conservation.stored === records && conservation.in_flight === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe('downhole ledger', () => {
  it(
    'says where the records went, through the service and without it',
    async () => {
      const directory = temporaryDirectory('ledger-cli');
      const environment = { DOWNHOLE_DATA_DIR: directory };
      const ask = async <T>(...args: string[]): Promise<T> => {
        const { code, stdout, stderr } = await runCommand(['ledger', ...args, '--json'], environment);
        expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
        return JSON.parse(stdout) as T;
      };
      service = await startService(directory);
      expect(
        await send(service, 'Well 7', 20, [{ device_id: 'Well 7', timestamp: 'yesterday' }, { temperature: 1 }]),
      ).toBe(202);
      expect(await send(service, 'Well 8', 5)).toBe(202);
      let ledger: Ledger;
      do ledger = await ask<Ledger>();
      while (ledger.sum.received < 27);
      expect(ledger.rows.map(({ key, received, stored, rejected }) => [key, received, stored, rejected])).toEqual([
        ['', 1, 0, 1],
        ['Well 7', 21, 20, 1],
        ['Well 8', 5, 5, 0],
      ]);
      expect((await ask<Ledger>('--device', 'Well 8')).by).toBe('hour');
      expect((await ask<Ledger>('--site', 'nowhere')).rows).toEqual([]);
      await send(service, 'Well 9', 3);
      await written(service, 28);
      expect(await service.stop()).toBe(0);

      const table = await runCommand(['ledger'], environment);
      expect(table.stdout).toMatch(
        /^Arrived from .*\ndevice +received .*\n\(unknown device\) +1 +0 .*\nWell 7 +21 +20 /,
      );
      expect(table.stdout).toMatch(/\nWell 9 +3 +3 .*\nall +30 +28 /);
      const hours = { sinceUs: new Date(Date.now() - 3_600_000), untilUs: new Date(Date.now() + 3_600_000) };
      const range = ['--since', hours.sinceUs.toISOString(), '--until', hours.untilUs.toISOString()];
      expect(await ask<LedgerVerification>('verify', ...range)).toMatchObject({ devices: 3, differences: [] });
    },
    SLOW_MS,
  );

  it(
    'finds what a kill took of the counting, and that the rows are there',
    async () => {
      const directory = temporaryDirectory('ledger-kill');
      const environment = { DOWNHOLE_DATA_DIR: directory };
      service = await startService(directory, { DOWNHOLE_PIPELINE_BATCH_INTERVAL_MS: '20' });
      await send(service, 'Well 7', 20);
      await written(service, 20);
      await service.kill();
      const until = new Date(Date.now() + 3_600_000).toISOString();
      const verified = await runCommand(['ledger', 'verify', '--until', until, '--json'], environment);
      const { counted, found, differences } = JSON.parse(verified.stdout) as LedgerVerification;
      expect(found).toBe(20);
      // Nearly always nothing had been written of it; if it had, then all.
      expect([0, 20]).toContain(counted);
      expect(differences).toEqual(counted === 20 ? [] : [{ device_id: 'Well 7', counted, found }]);
    },
    SLOW_MS,
  );

  it('refuses what it does not understand', async () => {
    const refused = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await runCommand(['ledger', ...args], {
        DOWNHOLE_DATA_DIR: temporaryDirectory('no-ledger'),
      });
      expect([code, stdout]).toEqual([2, '']);
      return stderr;
    };
    expect(await refused('--by', 'week')).toContain('device, hour, day');
    expect(await refused('--since', 'yesterday')).toContain('90min, 24h, 7d');
    expect(await refused('--until', '2026-11-23T18:00:00')).toContain('--until');
    expect(await refused('--since', '1h', '--until', '5h')).toContain('the range is empty');
    expect(await refused('--limit', '0')).toContain('--limit 0');
  });

  it(
    'says what to do where there is no ledger yet',
    async () => {
      const { code, stderr } = await runCommand(['ledger'], { DOWNHOLE_DATA_DIR: temporaryDirectory('empty-ledger') });
      expect(code).toBe(1);
      expect(stderr).toContain('downhole migrate');
    },
    SLOW_MS,
  );
});
