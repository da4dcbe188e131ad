/** What a pipeline that stops or breaks down half-way leaves in the queue: everything that is not settled. */
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load-config.js';
import type { DeviceStates } from '../../src/pipeline/device-states.js';
import { LossLedger } from '../../src/pipeline/loss-ledger.js';
import { Pipeline } from '../../src/pipeline/pipeline.js';
import { openBroker } from '../../src/queue/open-broker.js';
import type { Broker, MessageHeaders, Queue } from '../../src/queue/queue.js';
import type { DeviceRegistry } from '../../src/storage/device-registry.js';
import { NOTHING_WRITTEN, type TelemetrySink, type WriteResult } from '../../src/storage/telemetry-sink.js';
import { OperationalError } from '../../src/telemetry/operational-error.js';
import type { ReadingBatch } from '../../src/telemetry/reading-batch.js';
import { reject } from '../../src/telemetry/rejection.js';
import { Core } from '../support/core.js';
import { silentEvents } from '../support/inspection.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const AWAY = new OperationalError('database_unavailable', 'away', { retryable: true });

const HEADERS: MessageHeaders = {
  schemaVersion: 1,
  contentType: 'application/json',
  records: 1,
  receivedUs: null,
  source: 'test',
};

interface Scene {
  readonly pipeline: Pipeline;
  readonly broker: Broker;
  readonly finished: Promise<void>;
  /** Devices whose rows are committed, in order. */
  readonly committed: string[];
  /** Every batch object that was written. */
  readonly batches: Set<ReadingBatch>;
}

/** A pipeline that forms a batch of each message, in front of a sink and a queue of dead letters that do as told. */
async function startScene(
  told: {
    write?: (deviceId: string) => Promise<WriteResult | undefined>;
    publishFailed?: (count: number) => Promise<void>;
    meet?: () => Promise<void>;
  },
  maxBatchRecords = 1,
): Promise<Scene> {
  const events = silentEvents();
  const broker = await openBroker(
    loadConfig({ environment: {}, overrides: { dataDir: temporaryDirectory('stop') } }),
    events,
  );
  const committed: string[] = [];
  const batches = new Set<ReadingBatch>();
  const sink: TelemetrySink = {
    writesInFlight: 2,
    async write(batch, retry) {
      const deviceId = batch.deviceId[0] as string;
      batches.add(batch);
      for (let attempt = 1; ; attempt++) {
        try {
          const result = (await told.write?.(deviceId)) ?? { ...NOTHING_WRITTEN, stored: 1 };
          committed.push(deviceId);
          return result;
        } catch (error) {
          if (!(error instanceof OperationalError) || (await retry?.(error, attempt)) !== true) throw error;
        }
      }
    },
  };
  let publications = 0;
  const failed: Queue = {
    publish: async () => told.publishFailed?.(++publications),
    consume: (options, deliver) => broker.failed.consume(options, deliver),
    depth: () => broker.failed.depth(),
    health: () => broker.failed.health(),
  };
  const registry: DeviceRegistry = {
    meet: async () => {
      await told.meet?.();
      return new Map();
    },
    written: () => undefined,
    flush: async () => undefined,
  };
  const states = {
    load: async () => undefined,
    markDirty: () => undefined,
    takeBack: () => undefined,
    isIncomplete: false,
    checkpoint: async () => undefined,
    snapshot: () => async () => undefined,
  } as unknown as DeviceStates;
  const { devices, evaluator } = new Core();
  const options = {
    batchRecords: 1,
    maxBatchRecords,
    batchIntervalMs: 10,
    checkpointIntervalMs: 60_000,
    maxRecordsPerSecond: 0,
  };
  const nowUs = (): number => Date.now() * 1000;
  const pipeline = new Pipeline({
    queue: broker.telemetry,
    failed,
    sink,
    registry,
    devices,
    states,
    evaluator,
    ledger: new LossLedger(nowUs),
    events,
    options,
    nowUs,
  });
  const messages = ['esp-1', 'esp-2', 'esp-3'].map((device_id) => ({
    body: Buffer.from(JSON.stringify({ device_id, timestamp: new Date().toISOString(), temperature: 80 })),
    headers: HEADERS,
  }));
  await broker.telemetry.publish(messages);
  const { finished } = await pipeline.start();
  finished.catch(() => undefined);
  return { pipeline, broker, finished, committed, batches };
}

const soon = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 60));

describe('a pipeline that ends', () => {
  it('acknowledges nothing behind a batch that it gave up because it was stopped', async () => {
    let tries = 0;
    let failFirst: (error: unknown) => void = () => undefined;
    const scene = await startScene({
      write: (deviceId) =>
        deviceId === 'esp-1' && ++tries === 1
          ? new Promise((_resolve, rejectWrite) => (failFirst = rejectWrite))
          : Promise.resolve(undefined),
    });
    await soon(); // the second batch is prepared behind the first
    const stopped = scene.pipeline.stop();
    failFirst(AWAY);
    await stopped;
    expect(scene.broker.telemetry.depth().messages).toBe(3);
    await scene.broker.close();
  });

  it('acknowledges nothing behind a batch whose write broke down', async () => {
    let breakDown: (error: unknown) => void = () => undefined;
    const scene = await startScene({
      write: (deviceId) =>
        deviceId === 'esp-1'
          ? new Promise((_resolve, rejectWrite) => (breakDown = rejectWrite))
          : Promise.resolve(undefined),
    });
    await soon();
    breakDown(new TypeError('a defect'));
    await expect(scene.finished).rejects.toThrow('broke down');
    expect(scene.broker.telemetry.depth().messages).toBe(3);
    await scene.broker.close();
  });

  it.each<[string, () => unknown]>([
    ['the stop came before', () => AWAY],
    ['publishing them broke down', () => new TypeError('a defect')],
  ])('acknowledges nothing behind a batch whose dead letters are not durable: %s', async (_why, failure) => {
    let fail: (error: unknown) => void = () => undefined;
    const rejection = reject('conflict', 'temperature', 'contradicts');
    const scene = await startScene({
      write: async () => ({ ...NOTHING_WRITTEN, refused: [{ row: 0, rejection }] }),
      publishFailed: (count) =>
        count === 1 ? new Promise((_resolve, rejectPublish) => (fail = rejectPublish)) : Promise.resolve(),
    });
    await soon(); // the batches behind are written, and wait for the first to be settled
    const stopped = scene.pipeline.stop().catch(() => undefined);
    fail(failure());
    await stopped;
    await scene.finished.catch(() => undefined);
    expect(scene.broker.telemetry.depth().messages).toBe(3);
    await scene.broker.close();
  });
});

describe('the batches of a pipeline', () => {
  it.each(['meet', 'write', 'publish'] as const)(
    'are used again after imports that came to nothing: %s',
    async (fails) => {
      let broken = false;
      const step = async (name: string): Promise<void> => {
        if (broken && name === fails) throw new OperationalError('forbidden', 'not allowed');
      };
      const refused = [{ row: 0, rejection: reject('conflict', 'temperature', 'contradicts') }];
      const scene = await startScene(
        {
          meet: () => step('meet'),
          write: () => step('write').then(() => ({ ...NOTHING_WRITTEN, refused })),
          publishFailed: () => step('publish'),
        },
        100,
      );
      let devices = 0;
      const importOne = (): Promise<unknown> => {
        const record = { device_id: `new-${++devices}`, timestamp: new Date().toISOString(), temperature: 80 };
        return scene.pipeline.ingestNow(Buffer.from(JSON.stringify(record)), HEADERS);
      };
      while (scene.broker.telemetry.depth().messages > 0) await soon();
      broken = true;
      for (let count = 0; count < 10; count++) await expect(importOne()).rejects.toMatchObject({ code: 'forbidden' });
      broken = false;
      scene.batches.clear();
      for (let count = 0; count < 10; count++) await importOne();
      expect(scene.batches.size).toBeLessThanOrEqual(4); // two being written, one prepared, one settled
      await scene.pipeline.stop();
      await scene.broker.close();
    },
  );
});
