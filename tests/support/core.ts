/** The pure core on its own: a table, a baseline, a detector, an evaluator, and rows from plain records. */
import { ZScoreDetector } from '../../src/pipeline/detection/z-score-detector.js';
import { DeviceTable } from '../../src/pipeline/device-table.js';
import { Evaluator } from '../../src/pipeline/evaluator.js';
import { TemperatureBaseline } from '../../src/pipeline/quality/temperature-baseline.js';
import { readRecord } from '../../src/pipeline/read-record.js';
import { explainFlags, joinFlags, type ExplainedFlags } from '../../src/telemetry/quality-flags.js';
import { ReadingBatch } from '../../src/telemetry/reading-batch.js';
import type { ChannelName } from '../../src/telemetry/channels.js';

export interface EvaluatedRow extends ExplainedFlags {
  readonly score: number;
  readonly state: number;
  readonly anomaly: boolean;
  readonly anomalyScore: number;
  readonly rawValues: string | undefined;
}

export class Core {
  readonly devices: DeviceTable;
  readonly baseline: TemperatureBaseline;
  readonly evaluator: Evaluator;

  constructor(options: { warmUpRecords?: number; maxDevices?: number } = {}) {
    const expectedChannels: ChannelName[] = ['temperature', 'vibration', 'pressure', 'flow_rate'];
    this.devices = new DeviceTable({ maxDevices: options.maxDevices ?? 5000, expectedChannels });
    this.baseline = new TemperatureBaseline({ timeConstantHours: 24, warmUpRecords: options.warmUpRecords ?? 10 });
    const detector = new ZScoreDetector(this.baseline, { zThreshold: 3 });
    this.evaluator = new Evaluator({ devices: this.devices, baseline: this.baseline, detector, timelySeconds: 300 });
  }

  /** Reads and evaluates one good record; `atUs` is both its time (unless given) and its reception. */
  evaluate(record: Record<string, unknown>, receivedUs: number): EvaluatedRow {
    const batch = new ReadingBatch(1);
    const withDefaults = { device_id: 'esp-1', timestamp: receivedUs, timestamp_unit: 'us', ...record };
    const rejection = readRecord(withDefaults, { receivedUs, sourceSystem: 'scada' }, batch);
    if (rejection !== undefined) throw new Error(rejection.message);
    batch.device[0] = this.devices.add(batch.deviceId[0] as string) as number;
    this.evaluator.reserve();
    this.evaluator.evaluate(batch);
    return {
      ...explainFlags(joinFlags(batch.flagsLow[0] as number, batch.flagsHigh[0] as number)),
      score: Math.round((batch.qualityScore[0] as number) * 100) / 100,
      state: batch.operatingState[0] as number,
      anomaly: batch.isAnomaly[0] === 1,
      anomalyScore: batch.anomalyScore[0] as number,
      rawValues: batch.rawValues[0],
    };
  }
}
