/**
 * How fast the embedded queue takes records durably, beside the disk itself: the same bytes in the same number of
 * writes, each followed by fdatasync, with nothing around them. Rounds alternate, because disks have moods.
 */
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedBroker } from '../src/queue/embedded-broker.js';
import type { OutgoingMessage } from '../src/queue/queue.js';
import { type Measurement, measurement, median } from './measurement.js';

const ROUNDS = 7;
const RECORDS_PER_MESSAGE = 300;
/** Requests that wait for their answer at the same time. */
const PUBLISHERS = 8;
const MESSAGES_PER_PUBLISHER = 25;
const ROUND_RECORDS = RECORDS_PER_MESSAGE * PUBLISHERS * MESSAGES_PER_PUBLISHER;

export async function benchmarkQueueAppend(): Promise<Measurement> {
  const directory = await mkdtemp(join(tmpdir(), 'downhole-bench-queue-'));
  try {
    const message = exampleMessage();
    const queue: number[] = [];
    const disk: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      queue.push(await appendToQueue(join(directory, `queue-${round}`), message));
      disk.push(await appendToFile(join(directory, `file-${round}`), message.body));
    }
    return measurement('queue-append', median(queue), 'records/s', 'write+fdatasync of the same bytes', median(disk));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function appendToQueue(directory: string, message: OutgoingMessage): Promise<number> {
  const events = { emit: () => undefined };
  const broker = await openEmbeddedBroker({ directory, maxBytes: 2 ** 31, segmentBytes: 2 ** 26, events });
  try {
    const publish = async () => {
      for (let count = 0; count < MESSAGES_PER_PUBLISHER; count++) await broker.telemetry.publish([message]);
    };
    const startedMs = performance.now();
    await Promise.all(Array.from({ length: PUBLISHERS }, publish));
    return recordsPerSecond(startedMs);
  } finally {
    await broker.close();
  }
}

async function appendToFile(path: string, body: Uint8Array): Promise<number> {
  const bytes = Buffer.concat(Array.from({ length: PUBLISHERS }, () => body));
  const file = await open(path, 'w');
  try {
    const startedMs = performance.now();
    for (let count = 0; count < MESSAGES_PER_PUBLISHER; count++) {
      await file.write(bytes);
      await file.datasync();
    }
    return recordsPerSecond(startedMs);
  } finally {
    await file.close();
  }
}

function recordsPerSecond(startedMs: number): number {
  return ROUND_RECORDS / ((performance.now() - startedMs) / 1000);
}

function exampleMessage(): OutgoingMessage {
  const records = Array.from({ length: RECORDS_PER_MESSAGE }, (_, well) => ({
    device_id: `esp-${String(well).padStart(4, '0')}`,
    timestamp: '2026-11-23T18:22:08.672341Z',
    temperature: 94.25 + well / 100,
    vibration: 0.31,
    pressure: 212.4,
    flow_rate: 38.7,
    motor_current: 51.2,
    motor_temperature: 121.9,
    intake_pressure: 92.1,
    discharge_pressure: 208.8,
  }));
  return {
    body: Buffer.from(JSON.stringify({ records })),
    headers: {
      schemaVersion: 1,
      contentType: 'application/json',
      records: RECORDS_PER_MESSAGE,
      receivedUs: Date.now() * 1000,
      source: 'benchmark',
    },
  };
}
