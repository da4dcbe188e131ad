/** Records that the detector judges in a second of one core: a thousand devices in turn, with the channels of the pump data. */
import { LevelShiftDetector } from '../../src/pipeline/detection/level-shift-detector.js';
import { CHANNEL_COUNT } from '../../src/telemetry/channels.js';
import { OperatingState } from '../../src/telemetry/operating-state.js';
import { ReadingBatch } from '../../src/telemetry/reading-batch.js';
import { median } from '../measurement.js';
import type { PumpFile } from './pump-files.js';

const DEVICES = 1000;
const ROUNDS = 7;
/** Asking for the processor time takes some itself, so that it is asked for once a batch. */
const SECONDS_A_BATCH = 20;
const BATCH_RECORDS = DEVICES * SECONDS_A_BATCH;
const RECORDS_A_ROUND = 15 * BATCH_RECORDS;
/** The last rounds: by then the code is compiled. */
const COUNTED_ROUNDS = 5;
const US_PER_SECOND = 1e6;

/** Counts processor time, not time on the wall: other programs take their share of that. */
export function recordsPerSecond(files: readonly PumpFile[]): number | null {
  const rows = files.map((file) => file.rows).find(({ length }) => length > 0);
  if (rows === undefined) return null;
  const detector = new LevelShiftDetector();
  detector.reserve(DEVICES);
  const batch = new ReadingBatch(BATCH_RECORDS);
  for (let row = 0; row < BATCH_RECORDS; row++) {
    batch.open();
    batch.device[row] = row % DEVICES;
    batch.operatingState[row] = OperatingState.running;
  }
  const rates: number[] = [];
  let second = 0;
  for (let round = 0; round < ROUNDS; round++) {
    let usedUs = 0;
    for (let records = 0; records < RECORDS_A_ROUND; records += BATCH_RECORDS, second += SECONDS_A_BATCH) {
      fill(batch, rows, second);
      const before = process.cpuUsage();
      for (let row = 0; row < BATCH_RECORDS; row++) detector.evaluate(batch, row, row % DEVICES, 0);
      const used = process.cpuUsage(before);
      usedUs += used.user + used.system;
    }
    rates.push(RECORDS_A_ROUND / (usedUs / 1e6));
  }
  return Math.round(median(rates.slice(-COUNTED_ROUNDS)));
}

/** Each device is somewhere else in the recording. */
function fill(batch: ReadingBatch, rows: ReadingBatch, second: number): void {
  for (let row = 0; row < batch.length; row++) {
    const at = second + Math.floor(row / DEVICES);
    const from = ((at + (row % DEVICES)) % rows.length) * CHANNEL_COUNT;
    batch.values.set(rows.values.subarray(from, from + CHANNEL_COUNT), row * CHANNEL_COUNT);
    batch.timestampUs[row] = (at + 1) * US_PER_SECOND;
    batch.isAnomaly[row] = 0;
  }
}
