/** Batches of evaluated rows, written down shortly. */
import { CHANNEL_COUNT, channel, type ChannelName } from '../../src/telemetry/channels.js';
import { scoreOfFlags } from '../../src/telemetry/quality-score.js';
import { ReadingBatch } from '../../src/telemetry/reading-batch.js';

export interface TestReading {
  readonly deviceId: string;
  /** Epoch microseconds. */
  readonly timestampUs: number;
  readonly values: Readonly<Partial<Record<ChannelName, number>>>;
  readonly flagsLow?: number;
  readonly flagsHigh?: number;
  readonly rawValues?: string;
  readonly sourceSystem?: string;
  /** Device number; default −1. */
  readonly device?: number;
}

export function batchOf(readings: readonly TestReading[]): ReadingBatch {
  const batch = new ReadingBatch(Math.max(1, readings.length));
  for (const reading of readings) {
    const row = batch.open();
    batch.deviceId[row] = reading.deviceId;
    batch.timestampUs[row] = reading.timestampUs;
    batch.receivedUs[row] = reading.timestampUs;
    batch.device[row] = reading.device ?? -1;
    for (const [name, value] of Object.entries(reading.values)) {
      batch.values[row * CHANNEL_COUNT + channel(name as ChannelName).index] = value;
    }
    batch.flagsLow[row] = reading.flagsLow ?? 0;
    batch.flagsHigh[row] = reading.flagsHigh ?? 0;
    batch.qualityScore[row] = scoreOfFlags(reading.flagsLow ?? 0, reading.flagsHigh ?? 0);
    batch.rawValues[row] = reading.rawValues;
    batch.sourceSystem[row] = reading.sourceSystem ?? 'scada';
    batch.operatingState[row] = 3;
  }
  return batch;
}
