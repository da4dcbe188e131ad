/**
 * The database away for a while, under load, with both queues: nothing lost, nothing twice, no memory. How long it is
 * away is DOWNHOLE_TEST_OUTAGE_SECONDS, for longer ones than a test of every change can wait for.
 */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { DEVICES, expectEachOnce, numberedRecords } from '../support/numbered-records.js';
import { startFaultProxy } from '../support/fault-proxy.js';
import { startPipeline } from '../support/pipeline.js';
import { startPipelineProcess, type PipelineProcess } from '../support/pipeline-process.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { startRabbitmq, type RabbitmqServer } from '../support/rabbitmq.js';
import { openPlainTarget, type PlainTarget } from '../support/storage-targets.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const OUTAGE_SECONDS = Number(process.env['DOWNHOLE_TEST_OUTAGE_SECONDS'] ?? '8');
/** Few records in large messages: what has to be bounded is bytes. */
const RECORDS = 10;
const MESSAGE_BYTES = 200_000;
const MESSAGES_AT_A_TIME = 10;
const INTERVAL_MS = 60;
/**
 * What a process may grow by while the database is away: what the prefetch allows, some of it twice on its way, and what
 * the collector has not yet got round to. At least half as much again comes in meanwhile.
 */
const MOST_GROWTH_BYTES = 96 * 1024 * 1024;

let rabbitmq: RabbitmqServer;
let postgres: PostgresServer;
beforeAll(async () => {
  [rabbitmq, postgres] = await Promise.all([startRabbitmq(), startPostgres({ durable: true })]);
});
afterAll(async () => {
  await Promise.all([rabbitmq.remove(), postgres.remove()]);
});

/** A pipeline under constant load. */
class Loaded {
  readonly #process: PipelineProcess;
  readonly #target: PlainTarget;
  readonly #load: Promise<void>;
  #sent = 0;
  #ended = false;

  constructor(process: PipelineProcess, target: PlainTarget) {
    this.#process = process;
    this.#target = target;
    this.#load = this.#send();
    this.#load.catch(() => {}); // told by `finish`
  }

  static async start(settings: Record<string, unknown>): Promise<Loaded> {
    const target = await openPlainTarget(postgres);
    onTestFinished(() => target.remove());
    const process = await startPipelineProcess({
      dataDir: temporaryDirectory('outage'),
      'database.url': target.url,
      'database.statementTimeoutMs': 1000,
      ...settings,
    });
    onTestFinished(() => process.kill());
    return new Loaded(process, target);
  }

  get process(): PipelineProcess {
    return this.#process;
  }

  /** Records that were accepted. */
  get sent(): number {
    return this.#sent;
  }

  /** No publication may fail: the queue goes on taking what comes. */
  async #send(): Promise<void> {
    while (!this.#ended) {
      const messages = Array.from({ length: MESSAGES_AT_A_TIME }, (_, index) =>
        numberedRecords(this.#sent + index * RECORDS, this.#sent + (index + 1) * RECORDS),
      );
      await this.#process.publish(messages, MESSAGE_BYTES);
      this.#sent += MESSAGES_AT_A_TIME * RECORDS;
      await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
    }
  }

  async finish(): Promise<void> {
    this.#ended = true;
    await this.#load;
    const { came, went } = await this.#process.drained();
    expect(went).toBe(came);
    await this.#process.stop();
    await expectEachOnce(this.#target.database, this.#sent);
    const taught = await this.#target.database.query(
      `SELECT DISTINCT (state ->> 'temp_count')::int AS count FROM device_state WHERE kind = 'stats'`,
    );
    expect(taught).toEqual([{ count: this.#sent / DEVICES }]);
  }
}

describe('the database away under load', () => {
  it.each<[string, () => unknown, () => unknown]>([
    ['frozen: it does not answer, and nothing says so', () => postgres.freeze(), () => postgres.thaw()],
    ['shut down at once, and started again', () => postgres.kill(), () => postgres.restart()],
  ])('%s', { timeout: 120_000 + OUTAGE_SECONDS * 3000 }, async (_, end, begin) => {
    const all = [await Loaded.start({}), await Loaded.start({ 'queue.url': await rabbitmq.createVirtualHost() })];
    while (all.some(({ sent }) => sent < 2000)) await new Promise((resolve) => setTimeout(resolve, 50));
    const before = await Promise.all(all.map(({ process }) => process.look()));
    const enough = all.map(({ sent }) => sent + (1.5 * MOST_GROWTH_BYTES * RECORDS) / MESSAGE_BYTES);
    await end();
    await new Promise((resolve) => setTimeout(resolve, OUTAGE_SECONDS * 1000));
    while (all.some(({ sent }, index) => sent < (enough[index] as number)))
      await new Promise((resolve) => setTimeout(resolve, 50));
    for (const [index, { process }] of all.entries()) {
      const { peakBytes, retries } = await process.look();
      expect(peakBytes - (before[index]?.peakBytes ?? 0)).toBeLessThan(MOST_GROWTH_BYTES);
      expect(retries).toBeGreaterThan(0);
    }
    await begin();
    await Promise.all(all.map((loaded) => loaded.finish()));
  });

  it('for longer than the broker waits for an acknowledgement: what is held comes again, and is written once', async () => {
    /** How long it waits, and how often it looks, in milliseconds. */
    const setPatience = (timeoutMs: number, intervalMs: number): Promise<string> =>
      rabbitmq.control(
        'eval',
        `application:set_env(rabbit, consumer_timeout, ${timeoutMs}), application:set_env(rabbit, channel_tick_interval, ${intervalMs}).`,
      );
    await setPatience(1000, 500);
    onTestFinished(async () => void (await setPatience(1_800_000, 60_000)));
    const target = await openPlainTarget(postgres);
    onTestFinished(() => target.remove());
    const proxy = await startFaultProxy(postgres.port);
    onTestFinished(() => proxy.close());
    const through = await target.connect({ port: proxy.port });
    const pipeline = await startPipeline(through, temporaryDirectory('timeout'), {
      'queue.url': await rabbitmq.createVirtualHost(),
    });
    onTestFinished(() => pipeline.stop());
    const records = numberedRecords(0, 1000);
    const publish = (from: number, to: number): Promise<void> => pipeline.publish(records.slice(from, to));
    await publish(0, 100);
    await pipeline.drained();
    proxy.refuse();
    for (let from = 100; from < 1000; from += 100) await publish(from, from + 100);
    const recovered = (): Promise<number> => pipeline.metrics.value('telemetry_records_recovered_total');
    await expect.poll(recovered, { timeout: 20_000 }).toBeGreaterThanOrEqual(900);
    proxy.heal();
    await pipeline.drained();
    await expect.poll(async () => (await pipeline.books()).went).toBe(1000 + (await recovered()));
    expect(await pipeline.metrics.value('telemetry_records_total', { outcome: 'duplicate' })).toBe(await recovered());
    await expectEachOnce(target.database, 1000);
  });
});
