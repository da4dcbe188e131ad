/** Faults of the simulated fleet: labelled, a function of seed and time, and with the signature that they should have. */
import { describe, expect, it } from 'vitest';
import { createFleet } from '../../src/gateway/simulator/fleet.js';
import type { LabelledFault } from '../../src/gateway/simulator/faults/fault-plan.js';
import { channel, type ChannelName } from '../../src/telemetry/channels.js';
import { CONDITION_NAMES, CONDITIONS, type ConditionName } from '../../src/telemetry/conditions.js';
import { MICROS_PER_DAY } from '../../src/telemetry/timestamp.js';

const FROM_US = 1_767_225_600e6;
const TO_US = FROM_US + 30 * MICROS_PER_DAY;
const OPTIONS = { wells: 24, seed: 5, faultShare: 1 } as const;
const fleet = createFleet(OPTIONS);
const faults = fleet.faults(FROM_US, TO_US);

const wellOf = ({ deviceId }: LabelledFault): number => fleet.wells.findIndex((well) => well.deviceId === deviceId);

/** Mean of a channel over some minutes; NaN = no reading. */
function level(fault: LabelledFault, name: ChannelName, atUs: number): number {
  let sum = 0;
  let count = 0;
  for (let at = atUs; at < atUs + 300e6; at += 5e6) {
    const value = fleet.record(wellOf(fault), at)?.values[channel(name).index];
    if (value === undefined) continue;
    sum += value;
    count++;
  }
  return sum / count;
}

/** The channel late in the fault as a share of what it was shortly before. */
function share(fault: LabelledFault, name: ChannelName): number {
  const lateUs = fault.condition === 'scale' ? fault.toUs - 600e6 : fault.fromUs + 5400e6;
  // Days apart the well may be set differently; the same hour of the day is the least that is alike.
  return level(fault, name, lateUs) / level(fault, name, fault.fromUs - 600e6);
}

type Expected = Partial<Record<ChannelName, 'up' | 'down' | 'gone' | 'same'>>;

/** Of the table of signatures, what a mean can show. */
const SIGNATURES: Partial<Record<ConditionName, Expected>> = {
  gas_interference: { motor_current: 'down', flow_rate: 'down' },
  gas_lock: { motor_current: 'down', flow_rate: 'gone', motor_temperature: 'up' },
  pump_off: { intake_pressure: 'down', motor_current: 'down', flow_rate: 'down' },
  broken_shaft: { motor_current: 'down', flow_rate: 'gone', intake_pressure: 'up', discharge_pressure: 'down' },
  deadhead: {
    discharge_pressure: 'up',
    pressure: 'up',
    flow_rate: 'gone',
    motor_current: 'down',
    motor_temperature: 'up',
  },
  tubing_leak: { intake_pressure: 'up', discharge_pressure: 'down', pressure: 'down', motor_current: 'same' },
  sand: { vibration: 'up', motor_current: 'up' },
  overload: { motor_current: 'up', motor_temperature: 'up', vibration: 'same' },
  electrical: { leakage_current: 'up', motor_current: 'same' },
};

const HOLDS: Record<'up' | 'down' | 'gone' | 'same', (share: number) => boolean> = {
  up: (value) => value > 1.01,
  down: (value) => value < 0.99,
  gone: (value) => value < 0.2,
  same: (value) => Math.abs(value - 1) < 0.06,
};

describe('simulated faults', () => {
  it('are of every condition, and labelled with the time by which they must be found', () => {
    expect([...new Set(faults.map(({ condition }) => condition))].sort()).toEqual([...CONDITION_NAMES].sort());
    for (const { condition, fromUs, toUs, foundByUs, severity } of faults) {
      expect(foundByUs - fromUs).toBe(CONDITIONS[condition].foundWithinSeconds * 1e6);
      expect(toUs).toBeGreaterThan(fromUs);
      expect(severity >= 0.5 && severity <= 1).toBe(true);
    }
  });

  it('are none where none are wanted, and leave the time before them as it is', () => {
    const healthy = createFleet({ wells: OPTIONS.wells, seed: OPTIONS.seed });
    expect(healthy.faults(FROM_US, TO_US)).toEqual([]);
    for (const fault of faults.slice(0, 20)) {
      const at = fault.fromUs - 60e6;
      expect(fleet.record(wellOf(fault), at)?.values.slice()).toEqual(
        healthy.record(wellOf(fault), at)?.values.slice(),
      );
    }
  });

  it('can be asked for at any instant, without what was before', () => {
    for (const fault of faults.slice(0, 40)) {
      const index = wellOf(fault);
      const at = fault.fromUs + 1800e6;
      for (let before = at - 60e6; before < at; before += 10e6) fleet.record(index, before);
      const after = fleet.record(index, at)?.values.slice();
      const fresh = createFleet(OPTIONS).record(index, at)?.values.slice();
      expect(fresh).toEqual(after);
    }
  });

  it.each(Object.entries(SIGNATURES) as [ConditionName, Expected][])(
    '%s moves the channels together',
    (condition, expected) => {
      const some = faults.filter((fault) => fault.condition === condition).slice(0, 6);
      expect(some.length).toBeGreaterThan(1);
      for (const fault of some) {
        for (const [name, direction] of Object.entries(expected) as [ChannelName, keyof typeof HOLDS][]) {
          const value = share(fault, name);
          if (Number.isNaN(value)) continue; // no such instrument
          expect({ name, value, holds: HOLDS[direction](value) }).toEqual({ name, value, holds: true });
        }
      }
    },
  );

  it('take all of a gauge away, or one sensor', () => {
    for (const fault of faults.filter(({ condition }) => condition === 'gauge_loss').slice(0, 4)) {
      const seen = [600, 900, 1200].map((seconds) => {
        const values = fleet.record(wellOf(fault), fault.fromUs + seconds * 1e6)?.values;
        return values === undefined
          ? []
          : [values[channel('vibration').index], values[channel('intake_pressure').index]];
      });
      const [first] = seen;
      for (const each of seen) if (each.length > 0) expect(each).toEqual(first);
    }
    for (const fault of faults.filter(({ condition }) => condition === 'stuck_sensor').slice(0, 4)) {
      const rows = Array.from({ length: 60 }, (_, at) =>
        fleet.record(wellOf(fault), fault.fromUs + at * 10e6)?.values.slice(),
      );
      const present = rows.filter((row) => row !== undefined);
      const moving = ['vibration', 'motor_current', 'motor_voltage'].map(
        (name) => new Set(present.map((row) => row[channel(name as ChannelName).index])).size > 1,
      );
      expect(moving.filter((moves) => !moves)).toHaveLength(1);
    }
  });
});
