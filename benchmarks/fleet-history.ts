/** The history of a simulated fleet, written straight into the hypertable: evaluated as the pipeline would, by COPY. */
import { createFleet, SIMULATOR_SOURCE } from '../src/gateway/simulator/fleet.js';
import { createSchedule } from '../src/gateway/simulator/schedule.js';
import { ZScoreDetector } from '../src/pipeline/detection/z-score-detector.js';
import { DeviceTable } from '../src/pipeline/device-table.js';
import { Evaluator } from '../src/pipeline/evaluator.js';
import { TemperatureBaseline } from '../src/pipeline/quality/temperature-baseline.js';
import { CopyEncoder, TELEMETRY_COPY_TARGET } from '../src/storage/copy-encoder.js';
import type { Database } from '../src/storage/database.js';
import { CHANNEL_COUNT } from '../src/telemetry/channels.js';
import { ReadingBatch } from '../src/telemetry/reading-batch.js';

const BATCH_RECORDS = 10_000;

export interface FleetHistory {
  readonly wells: number;
  readonly intervalSeconds: number;
  readonly fromUs: number;
  readonly toUs: number;
}

/** Writes it and returns the number of rows. */
export async function writeFleetHistory(database: Database, history: FleetHistory): Promise<number> {
  const fleet = createFleet({ wells: history.wells, seed: 1 });
  const schedule = createSchedule(history.wells, history.intervalSeconds);
  const devices = new DeviceTable({
    maxDevices: history.wells,
    expectedChannels: ['temperature', 'vibration', 'pressure', 'flow_rate'],
  });
  const baseline = new TemperatureBaseline({ timeConstantHours: 24, warmUpRecords: 60 });
  const evaluator = new Evaluator({
    devices,
    baseline,
    detector: new ZScoreDetector(baseline, { zThreshold: 3 }),
    timelySeconds: 300,
  });
  for (const well of fleet.wells) devices.add(well.deviceId);
  evaluator.reserve();
  const encoder = new CopyEncoder();
  const batch = new ReadingBatch(BATCH_RECORDS);
  let rows = 0;
  const write = async (): Promise<void> => {
    evaluator.evaluate(batch);
    await database.copyBinary(TELEMETRY_COPY_TARGET, encoder.encode(batch, Date.now() * 1000));
    rows += batch.length;
    batch.clear();
  };
  for (const record of fleet.history(schedule, history.fromUs, history.toUs)) {
    const row = batch.open();
    batch.deviceId[row] = record.deviceId;
    batch.device[row] = devices.find(record.deviceId);
    batch.timestampUs[row] = record.timestampUs;
    batch.receivedUs[row] = record.timestampUs;
    batch.sourceSystem[row] = SIMULATOR_SOURCE;
    batch.values.set(record.values, row * CHANNEL_COUNT);
    if (batch.length === BATCH_RECORDS) await write();
  }
  if (batch.length > 0) await write();
  return rows;
}
