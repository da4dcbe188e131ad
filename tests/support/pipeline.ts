/** The pipeline between a real embedded queue and a database that the test brings. */
import { buildPipeline } from '../../src/commands/build-pipeline.js';
import { loadConfig } from '../../src/config/load-config.js';
import { startTelemetryRouter } from '../../src/ingest/telemetry-router.js';
import type { Events } from '../../src/monitoring/events.js';
import { Metrics } from '../../src/monitoring/metrics.js';
import { startDeadLetterDrainer } from '../../src/queue/dead-letter-drainer.js';
import { openBroker } from '../../src/queue/open-broker.js';
import type { Broker, MessageHeaders } from '../../src/queue/queue.js';
import { LedgerKeeper } from '../../src/pipeline/ledger-keeper.js';
import { LossLedger } from '../../src/pipeline/loss-ledger.js';
import type { Pipeline } from '../../src/pipeline/pipeline.js';
import type { Database } from '../../src/storage/database.js';
import { LedgerStore } from '../../src/storage/ledger-store.js';
import { openDeviceState } from '../../src/storage/open-device-state.js';
import { silentEvents } from './inspection.js';
import { recordEvents, type RecordedEvents } from './record-events.js';

export interface RunningPipeline {
  readonly pipeline: Pipeline;
  readonly ledger: LossLedger;
  readonly keeper: LedgerKeeper;
  readonly broker: Broker;
  readonly metrics: Metrics;
  /** What it has said so far. */
  readonly said: RecordedEvents;
  /** Publishes records as one message, counted as received. */
  publish(records: readonly unknown[], receivedUs?: number): Promise<void>;
  /** The same with a body as its sender wrote it. */
  publishText(text: string, records: number, receivedUs?: number): Promise<void>;
  /** Waits until the queues are empty. */
  drained(): Promise<void>;
  /** received + recovered, and what became of them. */
  books(): Promise<{ came: number; went: number }>;
  stop(): Promise<void>;
}

export async function startPipeline(
  database: Database,
  dataDir: string,
  overrides: Record<string, unknown> = {},
): Promise<RunningPipeline> {
  const config = loadConfig({ environment: {}, overrides: { dataDir, 'pipeline.batchIntervalMs': 20, ...overrides } });
  const metrics = new Metrics();
  const said = recordEvents();
  const silent = silentEvents(metrics);
  const events: Events = {
    emit(name, fields) {
      said.emit(name, fields);
      silent.emit(name, fields);
    },
  };
  const broker = await openBroker(config, events);
  const drainer = await startDeadLetterDrainer({ failed: broker.failed, database, events });
  const state = await openDeviceState(config, database, events);
  const ledger = new LossLedger(() => Date.now() * 1000);
  const keeper = new LedgerKeeper({ ledger, sink: new LedgerStore(database), events });
  const pipeline = await buildPipeline({ config, events }, database, broker, state, ledger);
  await pipeline.start();
  const nowUs = (): number => Date.now() * 1000;
  const { unpartitioned, telemetry, partitions } = broker;
  const router = unpartitioned && (await startTelemetryRouter({ unpartitioned, telemetry, partitions, events, nowUs }));
  const outcomes = () => metrics.value('telemetry_records_total');
  const publishText = async (text: string, records: number, receivedUs = nowUs()): Promise<void> => {
    const headers: MessageHeaders = {
      schemaVersion: 1,
      contentType: 'application/json',
      records,
      receivedUs,
      source: 'test',
    };
    await telemetry.publish([{ body: Buffer.from(text), headers }]);
    events.emit('records_received', { accepted: records, rejected: 0, codes: {}, source: 'test' });
  };
  return {
    pipeline,
    ledger,
    keeper,
    broker,
    metrics,
    said,
    publish: (records, receivedUs) => publishText(JSON.stringify(records), records.length, receivedUs),
    publishText,
    async drained() {
      while (broker.telemetry.depth().messages + broker.failed.depth().messages > 0)
        await new Promise((resolve) => setTimeout(resolve, 10));
      // The books are closed a moment after the acknowledgement.
      await new Promise((resolve) => setTimeout(resolve, 20));
    },
    async books() {
      const came =
        (await metrics.value('telemetry_records_received_total')) +
        (await metrics.value('telemetry_records_recovered_total'));
      const handedOver = await metrics.value('telemetry_records_handed_over_total');
      return { came, went: (await outcomes()) + handedOver + broker.telemetry.depth().records };
    },
    async stop() {
      await router?.stop();
      await pipeline.stop();
      await state.close();
      await drainer.stop();
      await broker.close();
      await keeper.stop();
    },
  };
}
