import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OperatingState } from '../../src/telemetry/operating-state.js';
import { Core, type EvaluatedRow } from '../support/core.js';

const START_US = 1_795_458_128_000_000;
const SECOND = 1e6;
const complete = { temperature: 80, vibration: 0.2, pressure: 500, flow_rate: 1500 };

/** A core that has learned `count` readings of about `temperature`, one a second. */
function warm(core: Core, temperature: number, count = 40, extra: Record<string, unknown> = {}): number {
  let atUs = START_US;
  for (let index = 0; index < count; index++, atUs += SECOND) {
    core.evaluate({ ...complete, ...extra, temperature: temperature + (index % 2 === 0 ? 0.5 : -0.5) }, atUs);
  }
  return atUs;
}

describe('quality score', () => {
  it('is 1 for a complete, possible, timely record', () => {
    expect(new Core().evaluate(complete, START_US)).toMatchObject({ score: 1, missing: [], impossible: [], flags: [] });
  });

  it('takes 0.15 for each expected channel that is missing', () => {
    expect(new Core().evaluate({ temperature: 80, rpm: 2900 }, START_US)).toMatchObject({
      score: 0.55,
      missing: ['vibration', 'pressure', 'flow_rate'],
    });
  });

  it('takes 0.25 for an impossible value, which does not count as missing too', () => {
    expect(new Core().evaluate({ ...complete, vibration: 900 }, START_US)).toMatchObject({
      score: 0.75,
      missing: [],
      impossible: ['vibration'],
    });
    expect(new Core().evaluate({ ...complete, rpm: -900 }, START_US)).toMatchObject({
      score: 0.75,
      impossible: ['rpm'],
    });
  });

  it('takes 0.20 for a temperature more than half of |mean| away, after warm-up only', () => {
    const core = new Core();
    expect(core.evaluate({ ...complete, temperature: 10 }, START_US - SECOND)).toMatchObject({ score: 1 });
    const warmCore = new Core();
    const atUs = warm(warmCore, 80);
    expect(warmCore.evaluate({ ...complete, temperature: 119 }, atUs)).toMatchObject({ score: 1 });
    expect(warmCore.evaluate({ ...complete, temperature: 125 }, atUs + 10 * SECOND)).toMatchObject({
      score: 0.8,
      flags: ['temperatureDeviation'],
    });
  });

  it('uses |mean| below zero, and skips a mean of about 0', () => {
    const cold = new Core();
    const atUs = warm(cold, -20);
    expect(cold.evaluate({ ...complete, temperature: -20 }, atUs)).toMatchObject({ score: 1 });
    expect(cold.evaluate({ ...complete, temperature: -5 }, atUs)).toMatchObject({ score: 0.8 });
    const freezing = new Core();
    expect(freezing.evaluate({ ...complete, temperature: 30 }, warm(freezing, 0))).toMatchObject({ score: 1 });
  });

  it('takes 0.10 for a record older than 300 s on arrival', () => {
    const core = new Core();
    expect(core.evaluate({ ...complete, timestamp: START_US - 300 * SECOND }, START_US)).toMatchObject({ score: 1 });
    expect(
      core.evaluate({ ...complete, device_id: 'other', timestamp: START_US - 300 * SECOND - 1 }, START_US),
    ).toMatchObject({ score: 0.9, flags: ['lateArrival'] });
  });

  it('never falls below 0', () => {
    const impossible = { temperature: 999, vibration: 999, pressure: -9999, flow_rate: -9999, rpm: -9999 };
    expect(new Core().evaluate(impossible, START_US).score).toBe(0);
  });

  it('is 1 minus the deductions that its flags name, for any record', () => {
    const value = fc.option(fc.double({ min: -60_000, max: 60_000, noNaN: true }), { nil: null });
    const record = fc.record({
      temperature: value,
      vibration: value,
      pressure: value,
      flow_rate: value,
      rpm: value,
      leakage_current: value,
    });
    fc.assert(
      fc.property(record, fc.integer({ min: 0, max: 900 }), (channels, ageSeconds) => {
        const row = new Core().evaluate({ ...channels, timestamp: START_US - ageSeconds * SECOND }, START_US);
        const deductions =
          row.missing.length * 15 + row.impossible.length * 25 + (row.flags.includes('lateArrival') ? 10 : 0);
        expect(row.score).toBe(Math.max(0, 100 - deductions) / 100);
        expect(row.flags.includes('lateArrival')).toBe(ageSeconds > 300);
        expect(row.missing.filter((name) => row.impossible.includes(name))).toEqual([]);
      }),
    );
  });

  it('follows the device: its own expected channels and its own, narrower limits', () => {
    const core = new Core();
    core.devices.add('esp-1');
    core.devices.setProfile(0, {
      expectedChannels: ['temperature'],
      limits: { temperature: { max: 120 }, rpm: { min: -5, max: 1e9 } },
    });
    expect(core.evaluate({ temperature: 80 }, START_US)).toMatchObject({ score: 1 });
    const hot = core.evaluate({ temperature: 130, rpm: 2900 }, START_US + SECOND);
    expect(hot).toMatchObject({ score: 0.75, impossible: ['temperature'], flags: ['outsideWellLimits'] });
    expect(JSON.parse(hot.rawValues as string)).toEqual({ temperature: 130 });
    expect(core.evaluate({ temperature: 80, rpm: 20_000 }, START_US + 2 * SECOND)).toMatchObject({
      impossible: ['rpm'],
    });
  });
});

describe('z-score', () => {
  it('calls nothing anomalous before warm-up, and a jump of more than three deviations after it', () => {
    const core = new Core();
    expect(core.evaluate({ ...complete, temperature: 80 }, START_US - SECOND)).toMatchObject({
      anomaly: false,
      anomalyScore: Number.NaN,
    });
    const atUs = warm(core, 80);
    expect(core.evaluate({ ...complete, temperature: 81 }, atUs)).toMatchObject({ anomaly: false });
    const jump = core.evaluate({ ...complete, temperature: 83 }, atUs + SECOND);
    expect(jump.anomaly).toBe(true);
    expect(jump.anomalyScore).toBeGreaterThan(3);
  });

  it('does not call a constant temperature anomalous for moving by a gauge step', () => {
    const core = new Core();
    for (let index = 0; index < 50; index++) core.evaluate({ ...complete, temperature: 80 }, START_US + index * SECOND);
    expect(core.evaluate({ ...complete, temperature: 80.1 }, START_US + 60 * SECOND)).toMatchObject({ anomaly: false });
  });

  it('does not judge a pump that stands, nor learn from it', () => {
    const core = new Core();
    const atUs = warm(core, 80, 40, { drive_frequency: 50 });
    const mean = core.baseline.mean(0);
    for (let index = 0; index < 500; index++) {
      const row = core.evaluate(
        { ...complete, temperature: 40, drive_frequency: 0, motor_current: 0 },
        atUs + index * SECOND,
      );
      expect(row).toMatchObject({ anomaly: false, state: OperatingState.off });
    }
    expect(core.baseline.mean(0)).toBe(mean);
  });

  it('follows a lasting change, and is not led far by a spike', () => {
    const core = new Core();
    let atUs = warm(core, 80, 200);
    const before = core.baseline.mean(0);
    core.evaluate({ ...complete, temperature: 199 }, atUs);
    expect(Math.abs(core.baseline.mean(0) - before)).toBeLessThan(0.05);
    for (let hour = 0; hour < 24 * 8; hour++)
      core.evaluate({ ...complete, temperature: 90 + (hour % 2) * 0.5 }, (atUs += 3600 * SECOND));
    expect(core.evaluate({ ...complete, temperature: 90 }, atUs + SECOND)).toMatchObject({ anomaly: false });
  });
});

describe('order and memory', () => {
  it('gives late rows limits and quality only', () => {
    const core = new Core();
    const atUs = warm(core, 80);
    const mean = core.baseline.mean(0);
    const late = core.evaluate({ ...complete, temperature: 110, timestamp: atUs - 30 * SECOND }, atUs);
    expect(late).toMatchObject({ anomaly: false, anomalyScore: Number.NaN, flags: ['notEvaluated'] });
    expect(core.baseline.mean(0)).toBe(mean);
  });

  it('learns nothing twice from a redelivery', () => {
    const core = new Core();
    const atUs = warm(core, 80);
    const snapshot = core.evaluator.snapshot(0);
    core.evaluate({ ...complete, temperature: 79.5 }, atUs - SECOND);
    expect(core.evaluator.snapshot(0)).toEqual(snapshot);
  });

  it('goes on exactly where a saved state left off, whenever it is saved', () => {
    const step = fc.record({
      temperature: fc.double({ min: 60, max: 100, noNaN: true }),
      drive_frequency: fc.constantFrom(0, 49, 50, 55),
      gap: fc.integer({ min: 1, max: 900 }),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 2, maxLength: 60 }), fc.nat(), (steps, cut) => {
        const at = cut % steps.length;
        const whole = new Core();
        let interrupted = new Core();
        let atUs = START_US;
        const rows: [EvaluatedRow, EvaluatedRow][] = [];
        steps.forEach(({ gap, ...record }, index) => {
          if (index === at && index > 0) {
            const saved = JSON.parse(JSON.stringify(interrupted.evaluator.snapshot(0))) as ReturnType<
              typeof whole.evaluator.snapshot
            >;
            interrupted = new Core();
            interrupted.devices.add('esp-1');
            interrupted.evaluator.restore(0, saved);
          }
          atUs += gap * SECOND;
          rows.push([
            whole.evaluate({ ...complete, ...record }, atUs),
            interrupted.evaluate({ ...complete, ...record }, atUs),
          ]);
        });
        for (const [expected, actual] of rows) expect(actual).toEqual(expected);
        expect(interrupted.evaluator.snapshot(0)).toEqual(whole.evaluator.snapshot(0));
      }),
    );
  });
});

describe('operating state', () => {
  const states = (frequencies: readonly (number | null)[], stepSeconds: number): number[] => {
    const core = new Core();
    return frequencies.map(
      (drive_frequency, index) =>
        core.evaluate({ ...complete, drive_frequency }, START_US + index * stepSeconds * SECOND).state,
    );
  };
  const { unknown, off, starting, running, transient } = OperatingState;

  it('is unknown without a signal, and stays what it was when one report lacks it', () => {
    expect(states([null, 50, null, 50], 1)).toEqual([unknown, running, running, running]);
  });

  it('goes off → starting → running, 120 s after the start', () => {
    expect(states([0, 50, 50, 50, 50, 50], 40)).toEqual([off, starting, starting, starting, running, running]);
  });

  it('is transient for 60 s after a frequency step of more than 1 Hz', () => {
    expect(states([50, 50.8, 53, 53, 53, 53], 30)).toEqual([running, running, transient, transient, running, running]);
  });

  it('falls back to speed, then to current', () => {
    const core = new Core();
    expect(core.evaluate({ rpm: 2900, motor_current: 0 }, START_US).state).toBe(running);
    expect(core.evaluate({ rpm: 0, motor_current: 30 }, START_US + SECOND).state).toBe(off);
    expect(core.evaluate({ motor_current: 30 }, START_US + 2 * SECOND).state).toBe(starting);
  });
});
