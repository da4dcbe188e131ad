/** Builds the pipeline between the queues, a database and the device state. */
import { DeviceStates } from '../pipeline/device-states.js';
import { DeviceTable } from '../pipeline/device-table.js';
import { Evaluator } from '../pipeline/evaluator.js';
import type { LossLedger } from '../pipeline/loss-ledger.js';
import { Pipeline } from '../pipeline/pipeline.js';
import { TemperatureBaseline } from '../pipeline/quality/temperature-baseline.js';
import type { Broker } from '../queue/queue.js';
import type { Database } from '../storage/database.js';
import { DeviceDirectory } from '../storage/device-directory.js';
import type { DeviceStateStore } from '../storage/device-state.js';
import { readNewerRows } from '../storage/newer-rows.js';
import { TelemetryWriter } from '../storage/telemetry-writer.js';
import { buildDetector } from './build-detector.js';
import type { Settings } from './load-settings.js';

/** Epoch microseconds. */
const nowUs = (): number => Date.now() * 1000;
/** After a crash last values are looked for this far back: nothing that is live is older. */
const CATCH_UP_US = 7 * 86_400 * 1e6;

/** The pipeline between a broker and a migrated database; not started. */
export async function buildPipeline(
  { config, events }: Pick<Settings, 'config' | 'events'>,
  database: Database,
  broker: Broker,
  state: DeviceStateStore,
  ledger: LossLedger,
): Promise<Pipeline> {
  const devices = new DeviceTable({
    maxDevices: config.pipeline.maxDevices,
    expectedChannels: config.quality.expectedChannels,
  });
  const baseline = new TemperatureBaseline({
    timeConstantHours: config.detection.baselineHours,
    warmUpRecords: config.detection.warmUpRecords,
  });
  const detector = buildDetector(config.detection, baseline);
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
    ledger,
    events,
    options: config.pipeline,
    nowUs,
  });
}
