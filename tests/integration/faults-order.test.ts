/**
 * Repetitions, reports that come hours late, channels that come apart, all at once and over two pipelines: whoever takes
 * them, in whatever order, the table ends as the model says.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { loadConfig } from '../../src/config/load-config.js';
import { sortMessage } from '../../src/ingest/telemetry-router.js';
import type { Database } from '../../src/storage/database.js';
import { openBroker } from '../../src/queue/open-broker.js';
import { startFaultProxy } from '../support/fault-proxy.js';
import { silentEvents } from '../support/inspection.js';
import { startPipeline, type RunningPipeline } from '../support/pipeline.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { startRabbitmq, type RabbitmqServer } from '../support/rabbitmq.js';
import { inMessages, modelOf, randomReports, storedReports, type Report } from '../support/report-model.js';
import { openPlainTarget, type PlainTarget } from '../support/storage-targets.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

/** A test that fails says which one it was: the same seed, the same reports. */
const seed = (): number => Math.floor(Math.random() * 2 ** 31);

let postgres: PostgresServer;
let rabbitmq: RabbitmqServer;
let target: PlainTarget;
let database: Database;

beforeAll(async () => {
  [postgres, rabbitmq] = await Promise.all([startPostgres({ settings: ['deadlock_timeout=100ms'] }), startRabbitmq()]);
  target = await openPlainTarget(postgres);
  ({ database } = target);
});
afterAll(async () => {
  await target.remove();
  await Promise.all([postgres.remove(), rabbitmq.remove()]);
});
beforeEach(() =>
  database.script('TRUNCATE telemetry, devices, episode_states, device_latest, device_state, dead_letters, late_days'),
);

const outcome = async (pipelines: readonly RunningPipeline[], name: string): Promise<number> => {
  const counts = pipelines.map(({ metrics }) => metrics.value('telemetry_records_total', { outcome: name }));
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
};

/**
 * The table is what the model says, nothing was set aside, and each row was stored once.
 * @param pipelines all that took part
 */
async function expectModel(reports: readonly Report[], pipelines: readonly RunningPipeline[]): Promise<void> {
  const expected = modelOf(reports);
  const stored = await storedReports(database);
  const without = (lines: readonly string[], others: readonly string[]): string[] => {
    const known = new Set(others);
    return lines.filter((line) => !known.has(line)).slice(0, 10);
  };
  expect({ missing: without(expected, stored), wrong: without(stored, expected), rows: stored.length }).toEqual({
    missing: [],
    wrong: [],
    rows: expected.length,
  });
  expect(await database.query('SELECT code FROM dead_letters')).toEqual([]);
  expect(await outcome(pipelines, 'stored')).toBe(expected.length);
}

/** Of a pipeline that is stopped they do not balance: what it gave back to the queue is another one's to account for. */
async function expectBalance({ books }: RunningPipeline): Promise<void> {
  const difference = async (): Promise<number> => {
    const { came, went } = await books();
    return went - came;
  };
  await expect.poll(difference, { timeout: 10_000 }).toBe(0);
}

describe('two pipelines', () => {
  it('with a queue each race for the same keys', async () => {
    const chosen = seed();
    const reports = randomReports(chosen);
    const pipelines = await Promise.all(
      [0, 1].map(async () => startPipeline(await target.connect(), temporaryDirectory('race'))),
    );
    // Each takes its share of the messages, and some of them both.
    await Promise.all(
      pipelines.map(async (pipeline, index) => {
        for (const [number, message] of inMessages(reports, chosen).entries()) {
          if (number % 3 !== index) await pipeline.publish(message.map(({ record }) => record));
        }
      }),
    );
    await Promise.all(pipelines.map((pipeline) => pipeline.drained()));
    for (const pipeline of pipelines) await expectBalance(pipeline);
    await Promise.all(pipelines.map((pipeline) => pipeline.stop()));
    await expectModel(reports, pipelines);
  });

  it.each([0, 3])(
    'on one queue of RabbitMQ take over from each other, connections being cut meanwhile (partitions: %d)',
    { timeout: 120_000 },
    async (partitions) => {
      const chosen = seed();
      const reports = randomReports(chosen);
      const proxy = await startFaultProxy(rabbitmq.port);
      onTestFinished(() => proxy.close());
      const address = await rabbitmq.createVirtualHost();
      const cuttable = address.replace(`:${rabbitmq.port}`, `:${proxy.port}`);
      const pipelines: RunningPipeline[] = [];
      const begin = async (): Promise<RunningPipeline> => {
        const pipeline = await startPipeline(await target.connect(), temporaryDirectory('handover'), {
          'queue.url': cuttable,
          'queue.partitions': partitions,
        });
        pipelines.push(pipeline);
        return pipeline;
      };
      const publisher = await openBroker(
        { dataDir: '', queue: { ...loadConfig({ environment: {} }).queue, url: address, partitions } },
        silentEvents(),
      );
      onTestFinished(() => publisher.close());
      let [active, standby] = [await begin(), await begin()];
      const messages = inMessages(reports, chosen);
      for (const [number, message] of messages.entries()) {
        const body = Buffer.from(JSON.stringify(message.map(({ record }) => record)));
        const headers = {
          schemaVersion: 1,
          contentType: 'application/json',
          records: message.length,
          receivedUs: Date.now() * 1000,
          source: 'test',
        } as const;
        // Those with partitions as the API publishes them and as others do, by turns.
        const isSorted = partitions > 0 && number % 2 === 0;
        const whole = { body, headers };
        await publisher.telemetry.publish(isSorted ? sortMessage(whole, partitions, 0).messages : [whole]);
        if (number === Math.floor(messages.length / 3) || number === Math.floor((messages.length * 2) / 3)) {
          await active.stop();
          [active, standby] = [standby, await begin()];
        } else if (number % 20 === 10) proxy.cut();
      }
      const stored = async (): Promise<number> => (await storedReports(database)).length;
      await expect.poll(stored, { timeout: 60_000, interval: 200 }).toBe(modelOf(reports).length);
      await expect.poll(() => active.broker.telemetry.depth().messages, { timeout: 30_000 }).toBe(0);
      for (const pipeline of [active, standby]) await expectBalance(pipeline);
      await active.stop();
      await standby.stop();
      await expectModel(reports, pipelines);
    },
  );
});
