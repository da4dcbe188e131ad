/** What the log makes of files that a crash or a bad disk has spoilt. */
import fc from 'fast-check';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { EmbeddedQueue } from '../../src/queue/embedded-queue.js';
import { Collector, idOf, message } from '../contracts/queue.js';
import { type RecordedEvents, recordEvents } from '../support/record-events.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const BOUNDS = { name: 'telemetry', maxBytes: 2 ** 30 };

interface Opened {
  readonly queue: EmbeddedQueue;
  readonly events: RecordedEvents;
}

async function opened(directory: string, segmentBytes = 2 ** 20): Promise<Opened> {
  const events = recordEvents();
  return { queue: await EmbeddedQueue.open({ ...BOUNDS, directory, segmentBytes, events }), events };
}

/** Publishes ids 0 … count-1 into a fresh directory, one message each, and closes. */
async function written(directory: string, count: number, segmentBytes?: number): Promise<void> {
  const { queue } = await opened(directory, segmentBytes);
  for (let id = 0; id < count; id++) await queue.publish([message(id, { pad: id % 7 })]);
  await queue.close();
}

async function idsIn({ queue }: Opened): Promise<number[]> {
  const collector = await Collector.on(queue);
  await collector.received(queue.depth().messages);
  await collector.consumer.stop();
  return collector.ids;
}

const segmentsOf = (directory: string): string[] =>
  readdirSync(directory)
    .filter((name) => name.endsWith('.segment'))
    .sort()
    .map((name) => join(directory, name));

/** Where the frames of a file begin, and where the last one ends. */
function frameOffsets(bytes: Buffer): number[] {
  const offsets = [0];
  for (let at = 0; at < bytes.length; offsets.push(at))
    at += 32 + bytes.readUInt32BE(at + 12) + bytes.readUInt32BE(at + 16);
  return offsets;
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);

/** A queue directory with one segment of these bytes and no position. */
function directoryWith(parent: string, name: string, bytes: Buffer): string {
  const directory = mkdtempSync(join(parent, 'copy-'));
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, name), bytes);
  return directory;
}

async function segmentOf(count: number): Promise<{ parent: string; name: string; bytes: Buffer; offsets: number[] }> {
  const parent = temporaryDirectory('log');
  await written(join(parent, 'original'), count);
  const [path] = segmentsOf(join(parent, 'original')) as [string];
  const bytes = readFileSync(path);
  return { parent, name: path.slice(dirname(path).length + 1), bytes, offsets: frameOffsets(bytes) };
}

describe('torn tail', () => {
  test('cut anywhere in the last frame: every earlier frame is there, the rest is cut off and counted', async () => {
    const { parent, name, bytes, offsets } = await segmentOf(3);
    const lastFrame = offsets.at(-2) as number;
    for (let cut = lastFrame; cut <= bytes.length; cut++) {
      const directory = directoryWith(parent, name, bytes.subarray(0, cut));
      const log = await opened(directory);
      const whole = cut === bytes.length ? 3 : 2;
      expect(log.events.named('queue_opened')).toMatchObject([
        { messages: whole, tornBytes: whole === 3 ? 0 : cut - lastFrame },
      ]);
      await log.queue.publish([message(99)]);
      await log.queue.close();
      const again = await opened(directory);
      expect(await idsIn(again)).toEqual([...range(0, whole), 99]);
      expect(again.events.named('queue_damaged')).toEqual([]);
      await again.queue.close();
    }
  });

  test('zeros or anything else behind the last frame, of any length', async () => {
    const { parent, name, bytes } = await segmentOf(3);
    const garbage = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 300 }).map((tail) => Buffer.from(tail)),
      fc.integer({ min: 1, max: 3_000_000 }).map((length) => Buffer.alloc(length)),
      fc.integer({ min: 1, max: 100 }).map((length) => bytes.subarray(0, length)),
    );
    await fc.assert(
      fc.asyncProperty(garbage, async (tail) => {
        const log = await opened(directoryWith(parent, name, Buffer.concat([bytes, tail])));
        expect(log.events.named('queue_opened')).toMatchObject([{ tornBytes: tail.length }]);
        expect(await idsIn(log)).toEqual([0, 1, 2]);
        await log.queue.close();
      }),
      { numRuns: 30 },
    );
  });
});

describe('damage', () => {
  test('any flipped bit costs at most the frame it is in, and is told', async () => {
    const { parent, name, bytes, offsets } = await segmentOf(5);
    const place = fc.tuple(fc.integer({ min: 0, max: bytes.length - 1 }), fc.integer({ min: 0, max: 7 }));
    await fc.assert(
      fc.asyncProperty(place, async ([at, bit]) => {
        const spoilt = Buffer.from(bytes);
        spoilt[at] = (spoilt[at] as number) ^ (1 << bit);
        const hit = offsets.findLastIndex((offset) => offset <= at);
        const directory = directoryWith(parent, name, spoilt);
        const log = await opened(directory);
        expect(await idsIn(log)).toEqual(range(0, 5).filter((id) => id !== hit));
        const start = offsets[hit] as number;
        const length = (offsets[hit + 1] as number) - start;
        if (hit === 4) {
          expect(log.events.named('queue_opened')).toMatchObject([{ tornBytes: length }]);
        } else {
          const [damage, ...others] = log.events.named('queue_damaged');
          expect(others).toEqual([]);
          expect(damage).toMatchObject({ queue: 'telemetry', offset: start, bytes: length, messages: 1 });
          expect(readFileSync(damage?.setAside as string).equals(spoilt.subarray(start, start + length))).toBe(true);
        }
        await log.queue.close();
      }),
      { numRuns: 60 },
    );
  });

  test('an older segment that is cut short or gone is told, and the others are delivered', async () => {
    const parent = temporaryDirectory('log');
    const directory = join(parent, 'queue');
    await written(directory, 40, 1024);
    const segments = segmentsOf(directory);
    expect(segments.length).toBeGreaterThan(4);
    const [, second, third] = segments as [string, string, string];
    const inSecond = frameOffsets(readFileSync(second)).length - 1;
    const inThird = frameOffsets(readFileSync(third)).length - 1;
    // Ids begin at 0, sequence numbers at 1.
    const firstOfSecond = Number(/(\d+)-\w+\.segment$/.exec(second)?.[1]) - 1;
    writeFileSync(second, readFileSync(second).subarray(0, statSync(second).size - 5));
    writeFileSync(third, '');
    const log = await opened(directory, 1024);
    const lost = range(firstOfSecond + inSecond - 1, firstOfSecond + inSecond + inThird);
    expect(await idsIn(log)).toEqual(range(0, 40).filter((id) => !lost.includes(id)));
    const missing = log.events.named('queue_damaged').reduce((sum, { messages }) => sum + messages, 0);
    expect(missing).toBe(lost.length);
    await log.queue.close();
  });

  test('damage that comes while the queue is open: the rest is delivered and the counts are right', async () => {
    const directory = join(temporaryDirectory('log'), 'queue');
    const log = await opened(directory);
    await log.queue.publish(range(0, 6).map((id) => message(id, { records: 10 })));
    const [path] = segmentsOf(directory) as [string];
    const bytes = readFileSync(path);
    const offsets = frameOffsets(bytes);
    for (const frame of [2, 3]) bytes.fill(0xaa, (offsets[frame] as number) + 20, (offsets[frame] as number) + 40);
    writeFileSync(path, bytes);
    const collector = await Collector.on(log.queue);
    await collector.received(4);
    expect(collector.ids).toEqual([0, 1, 4, 5]);
    expect(log.queue.depth()).toMatchObject({ messages: 4, records: 40 });
    expect(log.events.named('queue_damaged')).toMatchObject([{ messages: 2 }]);
    await log.queue.publish([message(6)]);
    await collector.acknowledge(5);
    expect(log.queue.depth()).toEqual({ messages: 0, records: 0, bytes: 0 });
    await log.queue.close();
  });

  test('a body that contains frames is not mistaken for them behind damage', async () => {
    const { bytes: inner } = await segmentOf(2);
    const directory = join(temporaryDirectory('log'), 'queue');
    const { queue } = await opened(directory);
    await queue.publish([message(0), { ...message(1), body: inner }, message(2), message(3)]);
    await queue.close();
    const [path] = segmentsOf(directory) as [string];
    const bytes = readFileSync(path);
    const second = frameOffsets(bytes)[1] as number;
    bytes[second + 30] = (bytes[second + 30] as number) ^ 1;
    writeFileSync(path, bytes);
    const log = await opened(directory);
    expect(await idsIn(log)).toEqual([0, 2, 3]);
    await log.queue.close();
  });

  test('a spoilt position delivers everything again rather than losing anything', async () => {
    const directory = join(temporaryDirectory('log'), 'queue');
    await written(directory, 4);
    const first = await opened(directory);
    const collector = await Collector.on(first.queue);
    await collector.acknowledge(2);
    await first.queue.close();
    writeFileSync(join(directory, 'position'), Buffer.alloc(8192, 0x55));
    const log = await opened(directory);
    expect(await idsIn(log)).toEqual([0, 1, 2, 3]);
    expect(log.events.named('queue_damaged')).toMatchObject([{ file: join(directory, 'position') }]);
    await log.queue.close();
  });

  test('a torn write of the position leaves the one before', async () => {
    const directory = join(temporaryDirectory('log'), 'queue');
    await written(directory, 4);
    const first = await opened(directory);
    const collector = await Collector.on(first.queue);
    await collector.acknowledge(1);
    await collector.acknowledge(2);
    await first.queue.close();
    const position = readFileSync(join(directory, 'position'));
    const newer = position.readUInt32BE(8) > position.readUInt32BE(4096 + 8) ? 0 : 4096;
    writeFileSync(join(directory, 'position'), position.fill(0, newer + 3, newer + 4096));
    const log = await opened(directory);
    expect(await idsIn(log)).toEqual([1, 2, 3]);
    await log.queue.close();
  });

  test('a file of a newer version is refused and left as it is', async () => {
    const { parent, name, bytes, offsets } = await segmentOf(2);
    const newer = Buffer.from(bytes);
    const last = offsets[1] as number; // the second frame, as if a newer program had gone on in the file
    newer[last + 3] = 9;
    newer.writeUInt32BE(crc32(newer.subarray(last, last + 28), Number.parseInt(name.slice(17, 25), 16)), last + 28);
    const directory = directoryWith(parent, name, newer);
    await expect(opened(directory)).rejects.toMatchObject({ code: 'queue_format_newer' });
    expect(readFileSync(join(directory, name)).equals(newer)).toBe(true);
  });
});

describe('bounds', () => {
  test('segments are deleted once all in them is acknowledged, and numbers go on after a restart', async () => {
    const directory = join(temporaryDirectory('log'), 'queue');
    await written(directory, 40, 1024);
    const before = segmentsOf(directory).length;
    const first = await opened(directory, 1024);
    await (await Collector.on(first.queue)).acknowledge(40);
    await first.queue.close();
    expect(before).toBeGreaterThan(4);
    expect(segmentsOf(directory).length).toBe(1);
    const log = await opened(directory, 1024);
    expect(log.queue.depth().messages).toBe(0);
    await log.queue.publish([message(40)]);
    expect(await idsIn(log)).toEqual([40]);
    expect(log.events.named('queue_damaged')).toEqual([]);
    await log.queue.close();
  });

  test('beyond maxBytes publishing is refused, retryable, until something is acknowledged', async () => {
    const directory = join(temporaryDirectory('log'), 'queue');
    const events = recordEvents();
    const queue = await EmbeddedQueue.open({
      name: 'telemetry',
      directory,
      maxBytes: 4000,
      segmentBytes: 1024,
      events,
    });
    const results = await Promise.allSettled(range(0, 10).map((id) => queue.publish([message(id, { pad: 800 })])));
    const taken = results.filter(({ status }) => status === 'fulfilled').length;
    expect(taken).toBe(4);
    expect(results[4]).toMatchObject({ reason: { code: 'queue_full', retryable: true } });
    expect(events.named('queue_refused')).toHaveLength(6);
    const collector = await Collector.on(queue);
    await collector.acknowledge(1);
    await queue.publish([message(10, { pad: 800 })]);
    await collector.received(5);
    expect(collector.deliveries.map(idOf)).toEqual([0, 1, 2, 3, 10]);
    await queue.close();
  });
});
