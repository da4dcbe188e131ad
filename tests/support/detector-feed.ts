/** Telemetry of one device for a detector, a record at a time, without anything around it. */
import type { Detector } from '../../src/pipeline/detection/detector.js';
import { CHANNEL_COUNT, channel, type ChannelName } from '../../src/telemetry/channels.js';
import { OperatingState } from '../../src/telemetry/operating-state.js';
import { ReadingWatch } from '../../src/pipeline/rules/reading-watch.js';
import { ReadingBatch } from '../../src/telemetry/reading-batch.js';

export type Values = Readonly<Partial<Record<ChannelName, number | undefined>>>;

export interface Verdict {
  readonly isAnomaly: boolean;
  /** NaN where the record was not judged. */
  readonly score: number;
  readonly cause: number;
}

export interface FedRecord {
  /** Epoch seconds. */
  readonly at: number;
  readonly values: Values;
  readonly state?: OperatingState;
  readonly device?: number;
}

/** A batch with these records, not yet judged. */
function batchOf(records: readonly FedRecord[]): ReadingBatch {
  const batch = new ReadingBatch(Math.max(records.length, 1));
  for (const { at, values, state = OperatingState.running, device = 0 } of records) {
    const row = batch.open();
    batch.timestampUs[row] = at * 1e6;
    batch.device[row] = device;
    batch.operatingState[row] = state;
    for (const [name, value] of Object.entries(values) as [ChannelName, number | undefined][])
      if (value !== undefined) batch.values[row * CHANNEL_COUNT + channel(name).index] = value;
  }
  return batch;
}

/**
 * What the detector makes of these records.
 * @param watch tells it which channels are frozen, and remembers that from one call to the next
 */
export function feed(detector: Detector, records: readonly FedRecord[], watch = new ReadingWatch()): Verdict[] {
  const batch = batchOf(records);
  return records.map(({ device = 0 }, row) => {
    detector.reserve(device + 1);
    watch.reserve(device + 1);
    watch.take(batch, row, device);
    detector.evaluate(batch, row, device, watch.frozen);
    return {
      isAnomaly: batch.isAnomaly[row] === 1,
      score: batch.anomalyScore[row] as number,
      cause: batch.anomalyCause[row] as number,
    };
  });
}
