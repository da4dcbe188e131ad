/** kill -9 between the commit and the acknowledgement: what is stored comes again, and nothing may change by that. */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { loadConfig } from '../../src/config/load-config.js';
import { openBroker } from '../../src/queue/open-broker.js';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.js';
import { silentEvents } from '../support/inspection.js';
import { DEVICES, expectEachOnce, numberedRecord, numberedRecords } from '../support/numbered-records.js';
import { startPipelineProcess, type PipelineProcess } from '../support/pipeline-process.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { startRabbitmq, type RabbitmqServer } from '../support/rabbitmq.js';
import { openPlainTarget, type PlainTarget } from '../support/storage-targets.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const MESSAGES = 20;
const PER_MESSAGE = 100;

let rabbitmq: RabbitmqServer;
let postgres: PostgresServer;
beforeAll(async () => {
  [rabbitmq, postgres] = await Promise.all([startRabbitmq(), startPostgres()]);
});
afterAll(async () => {
  await Promise.all([rabbitmq.remove(), postgres.remove()]);
});

/** Contradicts the first record of its message: it becomes a dead letter, which has to be durable before the acknowledgement. */
const contradiction = (message: number): object => ({ ...numberedRecord(message * PER_MESSAGE), temperature: 149 });

/** @param contradictedFrom from this message on each has a contradiction */
const messages = (from: number, to: number, contradictedFrom: number): object[][] =>
  Array.from({ length: to - from }, (_, index) => {
    const records = numberedRecords((from + index) * PER_MESSAGE, (from + index + 1) * PER_MESSAGE);
    return from + index >= contradictedFrom ? [...records, contradiction(from + index)] : records;
  });

interface Scene {
  readonly target: PlainTarget;
  readonly database: FaultProxy;
  readonly settings: Record<string, unknown>;
  start(): Promise<PipelineProcess>;
}

async function scene(settings: Record<string, unknown>): Promise<Scene> {
  const target = await openPlainTarget(postgres);
  onTestFinished(() => target.remove());
  const database = await startFaultProxy(postgres.port);
  onTestFinished(() => database.close());
  const url = new URL(target.url);
  url.port = String(database.port);
  const all = { dataDir: temporaryDirectory('kill'), 'database.url': url.href, ...settings };
  const start = async (): Promise<PipelineProcess> => {
    const running = await startPipelineProcess(all);
    onTestFinished(() => running.kill());
    return running;
  };
  return { target, database, settings: all, start };
}

/** Kills the process once something of it is committed; returns how many rows are in the end. */
async function killAfterCommit(process: PipelineProcess, { target: { database } }: Scene): Promise<number> {
  const first = async (sql: string): Promise<number> => Number((await database.query(sql))[0]?.['n']);
  const until = async (sql: string, enough: (n: number) => boolean): Promise<number> => {
    for (;;) {
      const n = await first(sql);
      if (enough(n)) return n;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  await until('SELECT count(*) AS n FROM telemetry', (rows) => rows > 0);
  await process.kill();
  // What it had sent in full is still committed after its death.
  const busy = `SELECT count(*) AS n FROM pg_stat_activity
    WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()`;
  await until(busy, (backends) => backends === 0);
  return first('SELECT count(*) AS n FROM telemetry');
}

/** A second process goes on, and takes some more; then everything has to be as if nothing had happened. */
async function expectUndisturbed(killed: Scene, storedBefore: number, contradictedFrom: number): Promise<void> {
  const successor = await killed.start();
  await successor.drained();
  await successor.publish(messages(MESSAGES, 2 * MESSAGES, contradictedFrom));
  const { came, went, outcomes } = await successor.drained();
  expect(went).toBe(came);
  expect(outcomes.duplicate).toBe(storedBefore);
  expect(outcomes.stored).toBe(2 * MESSAGES * PER_MESSAGE - storedBefore);
  await successor.stop();
  const { database } = killed.target;
  const letters = Array.from({ length: 2 * MESSAGES }, (_, message) => JSON.stringify(contradiction(message)));
  letters.splice(0, contradictedFrom);
  await expectEachOnce(database, 2 * MESSAGES * PER_MESSAGE, { letters });
  // Taught twice, a device would count more than it has records.
  const taught = await database.query(
    `SELECT DISTINCT (state ->> 'temp_count')::int AS count FROM device_state WHERE kind = 'stats'`,
  );
  expect(taught).toEqual([{ count: (2 * MESSAGES * PER_MESSAGE) / DEVICES }]);
}

describe('kill -9 between commit and acknowledgement', () => {
  it('on RabbitMQ, the acknowledgement on its way: every row once, the repetition counted and learned from by nobody', async () => {
    const broker = await startFaultProxy(rabbitmq.port);
    onTestFinished(() => broker.close());
    const address = await rabbitmq.createVirtualHost();
    const killed = await scene({ 'queue.url': address.replace(`:${rabbitmq.port}`, `:${broker.port}`) });
    const first = await killed.start();
    killed.database.hang();
    const publisher = await openBroker(
      { dataDir: '', queue: { ...loadConfig({ environment: {} }).queue, url: address } },
      silentEvents(),
    );
    await publisher.telemetry.publish(
      messages(0, MESSAGES, MESSAGES).map((records) => ({
        body: Buffer.from(JSON.stringify(records)),
        headers: {
          schemaVersion: 1,
          contentType: 'application/json',
          records: records.length,
          receivedUs: Date.now() * 1000,
          source: 'test',
        },
      })),
    );
    await publisher.close();
    while ((await first.look()).came === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    broker.hang('requests'); // what the process acknowledges from now on never arrives
    killed.database.heal();
    const stored = await killAfterCommit(first, killed);
    broker.heal();
    broker.cut();
    await expectUndisturbed(killed, stored, MESSAGES);
  });

  it('on the embedded queue, dead letters not yet durable: every row once, no letter lost, the repetition counted and learned from by nobody', async () => {
    const killed = await scene({});
    const first = await killed.start();
    killed.database.hang();
    await first.publish(messages(0, MESSAGES, 0));
    // From here on no file grows and none is written to: acknowledgements and dead letters fail.
    execFileSync('prlimit', ['--pid', String(first.pid), '--fsize=0:unlimited']);
    killed.database.heal();
    const stored = await killAfterCommit(first, killed);
    await expectUndisturbed(killed, stored, 0);
  });
});
