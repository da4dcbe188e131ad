/** The clock of the machine set forward and back under a running service, by an hour and by a day. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { inspect } from '../support/inspection.js';
import { settled, startService, type Service } from '../support/service.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const HOUR = 3600;
const DAY = 86_400;
const RECORDS = 50;

/** The library that stands between a process and its clock; the directory is that of the architecture. */
function libfaketime(): string {
  const found = readdirSync('/usr/lib')
    .map((name) => join('/usr/lib', name, 'faketime'))
    .flatMap((directory) => {
      try {
        return readdirSync(directory).map((name) => join(directory, name));
      } catch (error) {
        if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
        throw error;
      }
    })
    .find((path) => path.endsWith('libfaketimeMT.so.1'));
  if (found === undefined) throw new Error('libfaketime is not installed: apt-get install faketime');
  return found;
}

it('loses no record, holds none for ever, and says of each whose time cannot be right that it lies in the future', async () => {
  const directory = temporaryDirectory('clock');
  const clock = join(directory, 'clock');
  const dataDir = join(directory, 'data');
  const setClock = (seconds: number): void => writeFileSync(clock, `${seconds < 0 ? '' : '+'}${seconds}\n`);
  setClock(0);
  const service: Service = await startService(dataDir, {
    LD_PRELOAD: libfaketime(),
    FAKETIME_TIMESTAMP_FILE: clock,
    FAKETIME_NO_CACHE: '1',
    // As on a machine: what counts from the start is not set with the clock, nor are the times of files.
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    NO_FAKE_STAT: '1',
  });
  onTestFinished(() => service.kill());
  let sent = 0;
  let future = 0;
  for (const seconds of [0, HOUR, -HOUR, DAY, -DAY, 0]) {
    setClock(seconds);
    const startMs = Date.now() - 60_000;
    const records = Array.from({ length: RECORDS }, (_, index) => ({
      device_id: 'esp-1',
      timestamp: new Date(startMs + index).toISOString(),
      temperature: 80 + (index % 3),
    }));
    const response = await fetch(`${service.url}/v1/telemetry`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(records),
    });
    expect([seconds, response.status]).toEqual([seconds, 202]);
    sent += RECORDS;
    if (seconds < 0) future += RECORDS;
    expect(await settled(service)).toEqual({ came: sent, went: sent, inFlight: 0 });
  }
  expect((await fetch(`${service.url}/v1/health/ready`)).status).toBe(200);
  expect(await service.stop()).toBe(0);
  await inspect(dataDir, async (database) => {
    expect(await database.query('SELECT count(*) AS n FROM telemetry')).toEqual([{ n: sent - future }]);
    expect(await database.query('SELECT code, count(*) AS n FROM dead_letters GROUP BY code')).toEqual([
      { code: 'future_timestamp', n: future },
    ]);
    // What the device taught was saved, whatever the clock said.
    expect(
      await database.query(`SELECT (state ->> 'temp_count')::int AS n FROM device_state WHERE kind = 'stats'`),
    ).toEqual([{ n: sent - future }]);
  });
}, 120_000);
