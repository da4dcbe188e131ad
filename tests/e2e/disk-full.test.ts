/** The disk of the queue full under a running service: senders are told, nothing that was acknowledged is lost. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { inspect } from '../support/inspection.js';
import { expectEachOnce, numberedRecords } from '../support/numbered-records.js';
import { settled, startService } from '../support/service.js';
import { smallDisk } from '../support/small-disk.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const PER_REQUEST = 200;

it('answers 503 while the disk of the queue is full, goes on when there is room, and has each acknowledged record once', async ({
  skip,
}) => {
  const dataDir = temporaryDirectory('full');
  const disk = smallDisk(4, join(dataDir, 'queue')) ?? skip('mounting is not permitted here');
  const service = await startService(dataDir, { DOWNHOLE_QUEUE_SEGMENT_BYTES: '262144' });
  onTestFinished(() => service.kill());
  let sent = 0;
  /** Sends the next records, which are the same again until they were taken. */
  const send = async (): Promise<Response> => {
    const response = await fetch(`${service.url}/v1/telemetry`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(numberedRecords(sent, sent + PER_REQUEST)),
    });
    if (response.status === 202) sent += PER_REQUEST;
    return response;
  };
  for (let request = 0; request < 20; request++) expect((await send()).status).toBe(202);

  const ballast = join(disk, 'ballast');
  expect(() => writeFileSync(ballast, Buffer.alloc(2 ** 23))).toThrow('ENOSPC');
  const refusals: Response[] = [];
  while (refusals.length < 10) {
    const response = await send(); // what the pipeline has done with makes a little room now and then
    if (response.status !== 202) refusals.push(response);
  }
  for (const refusal of refusals) {
    expect(refusal.status).toBe(503);
    expect(Number(refusal.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await refusal.json()).toMatchObject({ error: { code: 'queue_unwritable' } });
  }
  // What had been acknowledged before is written meanwhile, and what was refused is the sender's.
  expect(await settled(service)).toEqual({ came: sent, went: sent, inFlight: 0 });

  rmSync(ballast);
  for (let taken = 0; taken < 20;) if ((await send()).status === 202) taken++;
  expect(await settled(service)).toEqual({ came: sent, went: sent, inFlight: 0 });
  expect(await service.stop()).toBe(0);
  await inspect(dataDir, (database) => expectEachOnce(database, sent));
}, 90_000);
