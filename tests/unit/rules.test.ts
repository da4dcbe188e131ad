/** The deterministic rules: each with its own cases, through the evaluator. */
import { describe, expect, it } from 'vitest';
import { ZScoreDetector } from '../../src/pipeline/detection/z-score-detector.js';
import { DeviceTable } from '../../src/pipeline/device-table.js';
import { Evaluator } from '../../src/pipeline/evaluator.js';
import { TemperatureBaseline } from '../../src/pipeline/quality/temperature-baseline.js';
import { anomalyCauseName } from '../../src/telemetry/anomaly-cause.js';
import { CHANNEL_COUNT, channel, type ChannelName } from '../../src/telemetry/channels.js';
import { ReadingBatch } from '../../src/telemetry/reading-batch.js';

type Readings = Partial<Record<ChannelName, number>>;

/** Evaluates rows a minute apart and returns what each was called. */
function causes(
  rows: readonly Readings[],
  limits: Record<string, { min?: number; max?: number }> = {},
): (string | null)[] {
  const devices = new DeviceTable({ maxDevices: 1, expectedChannels: [] });
  devices.setProfile(devices.add('pump') as number, { expectedChannels: null, limits });
  const baseline = new TemperatureBaseline({ timeConstantHours: 24, warmUpRecords: 60 });
  const detector = new ZScoreDetector(baseline, { zThreshold: 3 });
  const evaluator = new Evaluator({ devices, baseline, detector, timelySeconds: 300 });
  evaluator.reserve();
  const batch = new ReadingBatch(rows.length);
  for (const [at, readings] of rows.entries()) {
    const row = batch.open();
    batch.device[row] = 0;
    batch.timestampUs[row] = at * 60e6;
    for (const [name, value] of Object.entries(readings) as [ChannelName, number][])
      batch.values[row * CHANNEL_COUNT + channel(name).index] = value;
  }
  evaluator.evaluate(batch);
  return rows.map((_, row) =>
    batch.isAnomaly[row] === 1 ? anomalyCauseName(batch.anomalyCause[row] as number) : null,
  );
}

const running = { drive_frequency: 50, motor_current: 40, intake_pressure: 800, discharge_pressure: 2900 };
const stopped = { drive_frequency: 0, motor_current: 0, intake_pressure: 1400, discharge_pressure: 1390 };

describe('discharge below intake', () => {
  it('is impossible while the pump runs', () => {
    expect(causes([running, { ...running, discharge_pressure: 700 }])).toEqual([null, 'discharge_below_intake']);
  });
  it('is nothing within the tolerance of two gauges, while it stands, or while it starts', () => {
    expect(causes([{ ...running, discharge_pressure: 790 }])).toEqual([null]);
    expect(causes([{ ...stopped, discharge_pressure: 1000 }])).toEqual([null]);
    expect(causes([stopped, { ...running, discharge_pressure: 700 }])).toEqual([null, null]);
  });
  it('cannot be told of one gauge alone', () => {
    expect(causes([{ drive_frequency: 50, motor_current: 40, discharge_pressure: 10 }])).toEqual([null]);
  });
});

describe('current without frequency', () => {
  it('is impossible', () => {
    expect(causes([{ ...stopped, motor_current: 30 }])).toEqual(['current_without_frequency']);
  });
  it('is nothing for the residue of a current transformer, and where the drive is silent', () => {
    expect(causes([{ ...stopped, motor_current: 2 }, { motor_current: 40 }])).toEqual([null, null]);
  });
});

describe('the limits of a well', () => {
  const limits = { motor_temperature: { max: 150 } };
  it('hold in every state of the pump', () => {
    const rows = [
      running,
      stopped,
      running,
      { ...running, motor_temperature: 160 },
      { ...stopped, motor_temperature: 151 },
    ];
    expect(causes(rows, limits)).toEqual([null, null, null, 'outside_well_limits', 'outside_well_limits']);
  });
  it('are inclusive, and nothing where there are none', () => {
    expect(causes([{ ...running, motor_temperature: 150 }], limits)).toEqual([null]);
    expect(causes([{ ...running, motor_temperature: 160 }])).toEqual([null]);
  });
});
