/** Records of one pump through the evaluator, and what the rules call them. */
import { ZScoreDetector } from '../../src/pipeline/detection/z-score-detector.js';
import { DeviceTable } from '../../src/pipeline/device-table.js';
import { Evaluator, type EvaluatorState } from '../../src/pipeline/evaluator.js';
import { TemperatureBaseline } from '../../src/pipeline/quality/temperature-baseline.js';
import { anomalyCauseName } from '../../src/telemetry/anomaly-cause.js';
import { CHANNEL_COUNT, channel, type ChannelName } from '../../src/telemetry/channels.js';
import { explainFlags, joinFlags, type QualityFlagName } from '../../src/telemetry/quality-flags.js';
import { ReadingBatch } from '../../src/telemetry/reading-batch.js';
import type { RuleProfile } from '../../src/telemetry/rule-profile.js';

export type Readings = Partial<Record<ChannelName, number>>;

export interface TimedReadings {
  /** Seconds. */
  readonly at: number;
  readonly values: Readings;
}

export interface Called {
  /** The name of the cause; null where there is no anomaly. */
  readonly cause: string | null;
  readonly flags: readonly QualityFlagName[];
}

export class RuleFeed {
  readonly evaluator: Evaluator;

  /** @param saved state to go on from */
  constructor({ rules, saved }: { rules?: RuleProfile; saved?: EvaluatorState } = {}) {
    const devices = new DeviceTable({ maxDevices: 1, expectedChannels: [] });
    const baseline = new TemperatureBaseline({ timeConstantHours: 24, warmUpRecords: Number.POSITIVE_INFINITY });
    const detector = new ZScoreDetector(baseline, { zThreshold: 3 });
    this.evaluator = new Evaluator({ devices, baseline, detector, timelySeconds: Number.POSITIVE_INFINITY });
    devices.add('pump');
    this.evaluator.reserve();
    this.evaluator.setProfile(0, { expectedChannels: [], limits: {}, rules });
    if (saved !== undefined) this.evaluator.restore(0, saved);
  }

  /** One batch. */
  feed(records: readonly TimedReadings[]): Called[] {
    const batch = new ReadingBatch(Math.max(1, records.length));
    for (const { at, values } of records) {
      const row = batch.open();
      batch.device[row] = 0;
      batch.timestampUs[row] = batch.receivedUs[row] = 1_767_225_600e6 + at * 1e6;
      for (const [name, value] of Object.entries(values) as [ChannelName, number][])
        batch.values[row * CHANNEL_COUNT + channel(name).index] = value;
    }
    this.evaluator.evaluate(batch);
    return records.map((_, row) => ({
      cause: batch.isAnomaly[row] === 1 ? anomalyCauseName(batch.anomalyCause[row] as number) : null,
      flags: explainFlags(joinFlags(batch.flagsLow[row] as number, batch.flagsHigh[row] as number)).flags,
    }));
  }

  /** The state as a store gives it back. */
  saved(): EvaluatorState {
    return this.evaluator.snapshot(0);
  }
}

/** Where a cause was given: `at:name` of each record. */
export const causesAt = (records: readonly TimedReadings[], called: readonly Called[]): string[] =>
  called.flatMap(({ cause }, row) => (cause === null ? [] : [`${(records[row] as TimedReadings).at}: ${cause}`]));
