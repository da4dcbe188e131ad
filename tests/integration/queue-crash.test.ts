/** The embedded queue against kill -9, a limit of the system on its files, and a disk that is really full. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import type { Events } from '../../src/monitoring/events.js';
import { openEmbeddedBroker } from '../../src/queue/embedded-broker.js';
import type { Broker } from '../../src/queue/queue.js';
import { OperationalError } from '../../src/telemetry/operational-error.js';
import { Collector, message } from '../contracts/queue.js';
import { smallDisk } from '../support/small-disk.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const PROGRAM = fileURLToPath(new URL('../support/queue-process.mjs', import.meta.url));

interface Said {
  readonly published: number[];
  readonly acknowledged: number[];
  readonly refused: string[];
}

/** Runs the publishing process; `lines` yields after each line it says, `said` keeps what it has said. */
function publisher(directory: string, firstId: number, bodyBytes: number) {
  const child = spawn(process.execPath, [PROGRAM, directory, String(firstId), String(bodyBytes)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const said: Said = { published: [], acknowledged: [], refused: [] };
  const ended = once(child, 'exit');
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    const [verb, value] = line.split(' ') as [keyof Said, string];
    if (verb === 'refused') said.refused.push(value);
    else said[verb].push(Number(value));
  });
  return { child, said, kill: () => killed(child, lines, ended) };
}

async function killed(child: ChildProcess, lines: NodeJS.EventEmitter, ended: Promise<unknown>): Promise<void> {
  const closed = once(lines, 'close');
  child.kill('SIGKILL');
  await Promise.all([ended, closed]);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

interface Recovered {
  readonly ids: number[];
  readonly damages: object[];
  readonly tornBytes: number;
}

/** What a new process finds in the queue. */
async function recovered(directory: string): Promise<Recovered> {
  const damages: object[] = [];
  let tornBytes = 0;
  const events: Events = {
    emit(name, fields) {
      if (name === 'queue_damaged') damages.push(fields);
      if (name === 'queue_opened') tornBytes += (fields as { tornBytes: number }).tornBytes;
    },
  };
  const broker = await openEmbeddedBroker({ directory, maxBytes: 2 ** 30, segmentBytes: 2 ** 18, events });
  const { messages } = broker.telemetry.depth();
  const collector = await Collector.on(broker.telemetry, messages + 1);
  await collector.received(messages);
  await broker.close();
  return { ids: collector.ids, damages, tornBytes };
}

/** Publications that were confirmed are there, what was acknowledged is not, all in order and without holes. */
function expectNothingLost({ ids, damages }: Recovered, said: Said): void {
  const [first] = ids as [number];
  const lastPublished = Math.max(...said.published);
  const lastAcknowledged = Math.max(-1, ...said.acknowledged);
  expect(damages).toEqual([]);
  expect(ids).toEqual(ids.map((_, index) => first + index));
  expect(ids.at(-1)).toBeGreaterThanOrEqual(lastPublished);
  expect(first).toBeGreaterThan(lastAcknowledged);
  // An acknowledgement may have become durable without the process living to say so; it was for a multiple of three.
  if (first !== lastAcknowledged + 1) expect((first - 1) % 3).toBe(0);
}

test('kill -9 while publishing and acknowledging, again and again: every confirmed message is there, in order', async () => {
  const directory = join(temporaryDirectory('crash'), 'queue');
  const said: Said = { published: [], acknowledged: [], refused: [] };
  let firstId = 0;
  for (const lines of [1, 40, 300, 500]) {
    const run = publisher(directory, firstId, 700);
    await until(() => run.said.published.length >= lines);
    await run.kill();
    said.published.push(...run.said.published);
    said.acknowledged.push(...run.said.acknowledged);
    const state = await recovered(directory);
    expectNothingLost(state, said);
    firstId = (state.ids.at(-1) as number) + 1;
  }
  expect(said.acknowledged.length).toBeGreaterThan(50);
}, 60_000);

/** prlimit sets the limit of a running process; `unlimited` lifts it. The write beyond it fails with EFBIG. */
function limitFileSize(child: ChildProcess, bytes: number | 'unlimited'): void {
  execFileSync('prlimit', ['--pid', String(child.pid), `--fsize=${bytes}:unlimited`]);
}

test('when the system refuses to let a file grow, publications are refused, and succeed once it lets them', async () => {
  const directory = join(temporaryDirectory('limit'), 'queue');
  const run = publisher(directory, 0, 5000);
  await until(() => run.said.published.length > 0);
  limitFileSize(run.child, 20_000);
  await until(() => run.said.refused.length >= 5);
  const before = run.said.published.length;
  limitFileSize(run.child, 'unlimited');
  await until(() => run.said.published.length >= before + 20);
  await run.kill();
  expect(new Set(run.said.refused)).toEqual(new Set(['queue_unwritable']));
  // Ids that were refused were published again later, so the order of ids is no longer that of publication.
  const { ids, damages } = await recovered(directory);
  const lastAcknowledged = Math.max(-1, ...run.said.acknowledged);
  expect(damages).toEqual([]);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids).toEqual(expect.arrayContaining(run.said.published.filter((id) => id > lastAcknowledged + 8)));
});

async function publishUntilRefused(broker: Broker, firstId: number): Promise<{ taken: number; error: unknown }> {
  for (let id = firstId; ; id++) {
    try {
      await broker.telemetry.publish([message(id, { pad: 30_000 })]);
    } catch (error) {
      return { taken: id - firstId, error };
    }
  }
}

test('a full disk: refused, nothing half-written stays, acknowledging works and makes room', async ({ skip }) => {
  const disk = smallDisk(2) ?? skip('mounting is not permitted here');
  const directory = join(disk, 'queue');
  const refused: string[] = [];
  const events: Events = {
    emit(name, fields) {
      if (name === 'queue_refused') refused.push((fields as { code: string }).code);
    },
  };
  let broker = await openEmbeddedBroker({ directory, maxBytes: 2 ** 30, segmentBytes: 2 ** 18, events });
  const full = await publishUntilRefused(broker, 0);
  expect(full.error).toBeInstanceOf(OperationalError);
  expect(full.error).toMatchObject({ code: 'queue_unwritable', retryable: true });
  expect(refused).toEqual(['queue_unwritable']);
  expect(full.taken).toBeGreaterThan(40);
  expect(broker.telemetry.depth().messages).toBe(full.taken);

  const collector = await Collector.on(broker.telemetry);
  await collector.received(full.taken);
  await collector.acknowledge(20); // the first segments go
  await broker.telemetry.publish([message(full.taken)]);
  await publishUntilRefused(broker, full.taken + 1);
  const { messages } = broker.telemetry.depth();
  await broker.close();

  const after = await recovered(directory); // opening needs no space either
  expect(after.damages).toEqual([]);
  expect(after.tornBytes).toBe(0);
  expect(after.ids).toEqual(Array.from({ length: messages }, (_, index) => 20 + index));

  // Space that somebody else frees is used at once.
  broker = await openEmbeddedBroker({ directory, maxBytes: 2 ** 30, segmentBytes: 2 ** 18, events });
  await (await Collector.on(broker.telemetry)).acknowledge(messages);
  const filler = join(disk, 'filler');
  expect(() => writeFileSync(filler, Buffer.alloc(2 ** 21))).toThrow('ENOSPC');
  await publishUntilRefused(broker, 1000);
  rmSync(filler);
  await broker.telemetry.publish([message(2000)]);
  await broker.close();
  expect((await recovered(directory)).ids.at(-1)).toBe(2000);
  expect(readdirSync(join(directory, 'telemetry')).filter((name) => name.endsWith('.damaged'))).toEqual([]);
});
