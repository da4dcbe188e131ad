/** Records that the detector judges in a second of one core: a thousand devices in turn, with the channels of the pump data. */
import { LevelShiftDetector } from '../../src/pipeline/detection/level-shift-detector.js';
import { CHANNEL_COUNT } from '../../src/telemetry/channels.js';
import { OperatingState } from '../../src/telemetry/operating-state.js';
import { ReadingBatch } from '../../src/telemetry/reading-batch.js';
import { median } from '../measurement.js';
import type { PumpFile } from './pump-files.js';

const DEVICES = 1000;
const ROUNDS = 7;
const RECORDS_A_ROUND = 300_000;
/** The last rounds: by then the code is compiled. */
const COUNTED_ROUNDS = 5;
const US_PER_SECOND = 1e6;

/** Counts processor time, not time on the wall: other programs take their share of that. */
export function recordsPerSecond(files: readonly PumpFile[]): number | null {
  const rows = files.map((file) => file.rows).find(({ length }) => length > 0);
  if (rows === undefined) return null;
  const detector = new LevelShiftDetector();
  detector.reserve(DEVICES);
  const batch = new ReadingBatch(DEVICES);
  for (let device = 0; device < DEVICES; device++) {
    batch.open();
    batch.device[device] = device;
    batch.operatingState[device] = OperatingState.running;
  }
  const rates: number[] = [];
  let second = 0;
  for (let round = 0; round < ROUNDS; round++) {
    let usedUs = 0;
    for (let records = 0; records < RECORDS_A_ROUND; records += DEVICES, second++) {
      fill(batch, rows, second);
      const before = process.cpuUsage();
      for (let row = 0; row < DEVICES; row++) detector.evaluate(batch, row, row);
      const used = process.cpuUsage(before);
      usedUs += used.user + used.system;
    }
    rates.push(RECORDS_A_ROUND / (usedUs / 1e6));
  }
  return Math.round(median(rates.slice(-COUNTED_ROUNDS)));
}

/** Each device is somewhere else in the recording. */
function fill(batch: ReadingBatch, rows: ReadingBatch, second: number): void {
  for (let device = 0; device < DEVICES; device++) {
    const from = ((second + device) % rows.length) * CHANNEL_COUNT;
    batch.values.set(rows.values.subarray(from, from + CHANNEL_COUNT), device * CHANNEL_COUNT);
    batch.timestampUs[device] = (second + 1) * US_PER_SECOND;
    batch.isAnomaly[device] = 0;
  }
}
