import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { openEmbeddedBroker } from '../../src/queue/embedded-broker.js';
import type { Broker } from '../../src/queue/queue.js';
import { Collector, describeQueueContract, message } from '../contracts/queue.js';
import { smallDisk } from '../support/small-disk.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const events = { emit: () => undefined };

describeQueueContract('embedded', () => {
  const directory = temporaryDirectory('queue');
  return { open: () => openEmbeddedBroker({ directory, maxBytes: 2 ** 30, segmentBytes: 4096, events }) };
});

async function open(directory: string, maxBytes: number): Promise<Broker> {
  const broker = await openEmbeddedBroker({ directory, maxBytes, segmentBytes: 65_536, events });
  onTestFinished(() => broker.close());
  return broker;
}
const takes = async ({ telemetry }: Broker): Promise<boolean> => (await telemetry.health()).publishing.ok;

it('is not well from the first refusal at its bound until what was refused would fit', async () => {
  const broker = await open(temporaryDirectory('queue'), 100_000);
  const large = [message(0, { pad: 60_000 })];
  await broker.telemetry.publish(large);
  expect(await takes(broker)).toBe(true);
  await expect(broker.telemetry.publish(large)).rejects.toMatchObject({ code: 'queue_full' });
  const { publishing, consuming } = await broker.telemetry.health();
  expect([publishing.ok, consuming.ok]).toEqual([false, true]);
  expect(publishing.detail).toContain('at its bound of 100000 bytes');
  const collector = await Collector.on(broker.telemetry);
  await collector.acknowledge(1);
  expect(await takes(broker)).toBe(true);
});

it('that was found full says so before anybody has tried', async () => {
  const directory = temporaryDirectory('queue');
  const first = await openEmbeddedBroker({ directory, maxBytes: 2 ** 20, segmentBytes: 65_536, events });
  await first.telemetry.publish([message(0, { pad: 60_000 })]);
  await first.close();
  expect(await takes(await open(directory, 50_000))).toBe(false);
});

it('on a full disk is not well until there is room, without anybody having to publish for it', async () => {
  const disk = smallDisk(1);
  // Where nothing can be mounted, the bound above is all that can be tried.
  if (disk === undefined) return expect(disk).toBeUndefined();
  const broker = await open(disk, 2 ** 30);
  const ballast = join(disk, 'ballast');
  writeFileSync(ballast, Buffer.alloc(900_000));
  await expect(broker.telemetry.publish([message(0, { pad: 300_000 })])).rejects.toMatchObject({
    code: 'queue_unwritable',
  });
  writeFileSync(join(disk, 'rest'), Buffer.alloc(100_000));
  expect((await broker.telemetry.health()).publishing).toMatchObject({
    ok: false,
    detail: expect.stringContaining('the disk is full') as string,
  });
  rmSync(ballast);
  expect(await takes(broker)).toBe(true);
});
