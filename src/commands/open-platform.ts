/**
 * Builds the platform of one process from its configuration: lock, database, schema, queue, pipeline, dead letters,
 * jobs. With commands/, the only place that knows which implementation stands behind an interface.
 */
import { jobDefinitions } from '../jobs/job-definitions.js';
import { JobRunner } from '../jobs/job-runner.js';
import { DeviceStates } from '../pipeline/device-states.js';
import { DeviceTable } from '../pipeline/device-table.js';
import { ZScoreDetector } from '../pipeline/detection/z-score-detector.js';
import { Evaluator } from '../pipeline/evaluator.js';
import { Pipeline } from '../pipeline/pipeline.js';
import { TemperatureBaseline } from '../pipeline/quality/temperature-baseline.js';
import { startDeadLetterDrainer } from '../queue/dead-letter-drainer.js';
import { openBroker } from '../queue/open-broker.js';
import type { Broker } from '../queue/queue.js';
import type { Database } from '../storage/database.js';
import { DeviceDirectory } from '../storage/device-directory.js';
import type { DeviceStateStore } from '../storage/device-state.js';
import { acquireDirectoryLock, type DirectoryLock } from '../storage/directory-lock.js';
import { migrate } from '../storage/migrator.js';
import { readNewerRows } from '../storage/newer-rows.js';
import { openDatabase } from '../storage/open-database.js';
import { openDeviceState } from '../storage/open-device-state.js';
import { TelemetryWriter } from '../storage/telemetry-writer.js';
import { Closers } from './closers.js';
import type { Settings } from './load-settings.js';

export interface Platform {
  readonly lock: DirectoryLock;
  readonly database: Database;
  readonly broker: Broker;
  readonly pipeline: Pipeline;
  /** Built, not started: an import runs single jobs, a service all of them. */
  readonly jobs: JobRunner;
  /** Never resolves; rejects when the pipeline breaks down for good, which is a programming error. */
  readonly failed: Promise<never>;
  /** Puts everything away: what is under way is finished, the rest stays in the queue. */
  close(): Promise<void>;
}

/** Epoch microseconds. */
const nowUs = (): number => Date.now() * 1000;
/** After a crash last values are looked for this far back: nothing that is live is older. */
const CATCH_UP_US = 7 * 86_400 * 1e6;

/**
 * Opens and starts everything; on a failure half-way, what was opened is put away again.
 * @param command shown to whoever finds the data directory taken
 * @throws OperationalError
 */
export async function openPlatform(settings: Settings, command: string): Promise<Platform> {
  const { config, events } = settings;
  const closers = new Closers();
  try {
    const lock = await acquireDirectoryLock(config.dataDir, { command });
    closers.add(() => lock.release());
    const database = await openDatabase(config, events);
    closers.add(() => database.close());
    await migrate(database, { events, variables: { chunkHours: config.storage.chunkHours } });
    const broker = await openBroker(config, events);
    closers.add(() => broker.close());
    publishDepths(settings, broker);
    const drainer = await startDeadLetterDrainer({ failed: broker.failed, database, events });
    closers.add(() => drainer.stop());
    const state = await openDeviceState(config, database, events);
    closers.add(() => state.close());
    const pipeline = await buildPipeline(settings, database, broker, state);
    const { finished } = await pipeline.start();
    closers.add(() => pipeline.stop());
    const jobs = new JobRunner({ database, events, jobs: jobDefinitions(database.capabilities.timescale) });
    closers.add(() => jobs.stop());
    const failed = finished.then(() => new Promise<never>(() => undefined));
    failed.catch(() => undefined); // whoever runs the platform waits for it; an import that ends first need not
    return { lock, database, broker, pipeline, jobs, failed, close: () => closers.close() };
  } catch (error) {
    await closers.close();
    throw error;
  }
}

/** The pipeline between a broker and a migrated database; not started. */
export async function buildPipeline(
  { config, events }: Pick<Settings, 'config' | 'events'>,
  database: Database,
  broker: Broker,
  state: DeviceStateStore,
): Promise<Pipeline> {
  const devices = new DeviceTable({
    maxDevices: config.pipeline.maxDevices,
    expectedChannels: config.quality.expectedChannels,
  });
  const baseline = new TemperatureBaseline({
    timeConstantHours: config.detection.baselineHours,
    warmUpRecords: config.detection.warmUpRecords,
  });
  const detector = new ZScoreDetector(baseline, config.detection);
  const { timelySeconds } = config.quality;
  const evaluator = new Evaluator({ devices, baseline, detector, timelySeconds });
  const registry = new DeviceDirectory(database);
  await registry.catchUp(nowUs() - CATCH_UP_US);
  const states = new DeviceStates({
    store: state,
    readNewerRows: (since) => readNewerRows(database, since),
    detectorName: detector.name,
    evaluator,
    devices,
    events,
    nowUs,
  });
  const sink = new TelemetryWriter(database, nowUs);
  const { telemetry: queue, failed } = broker;
  return new Pipeline({
    queue,
    failed,
    sink,
    registry,
    devices,
    states,
    evaluator,
    events,
    options: config.pipeline,
    nowUs,
  });
}

/** The depth of both queues, whenever somebody reads the metrics. */
function publishDepths({ metrics }: Settings, broker: Broker): void {
  metrics.onRead('telemetry_records_in_flight', () =>
    metrics.set('telemetry_records_in_flight', broker.telemetry.depth().records),
  );
  for (const queue of ['telemetry', 'failed'] as const) {
    metrics.onRead('queue_messages', () => metrics.set('queue_messages', broker[queue].depth().messages, { queue }));
    metrics.onRead('queue_bytes', () => metrics.set('queue_bytes', broker[queue].depth().bytes, { queue }));
  }
}
