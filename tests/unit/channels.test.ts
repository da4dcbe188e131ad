import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CHANNELS, channel, channelMask, channelsInMask, CHANNEL_NAMES } from '../../src/telemetry/channels.js';
import { anomalyCauseName, causeOf, FIRST_RULE_CAUSE, RuleCause } from '../../src/telemetry/anomaly-cause.js';
import { explainFlags, joinFlags, QualityFlag, splitFlags } from '../../src/telemetry/quality-flags.js';
import { findUnit, QUANTITIES, type Quantity } from '../../src/telemetry/units.js';

describe('channel catalogue', () => {
  it('keeps the names of the installed base, in order', () => {
    expect(CHANNEL_NAMES.slice(0, 8)).toEqual([
      'temperature',
      'vibration',
      'pressure',
      'flow_rate',
      'motor_current',
      'rpm',
      'intake_pressure',
      'discharge_pressure',
    ]);
  });

  it('converts the canonical unit to itself, and every range is a range', () => {
    for (const { acceptedUnits, quantity, unit, minimum, maximum } of CHANNELS) {
      expect(acceptedUnits).toContain(unit);
      expect(findUnit(quantity, unit)).toEqual({ factor: 1, offset: 0 });
      expect(minimum).toBeLessThan(maximum);
    }
  });

  it('allows readings below zero by half a per cent of the range only where zero is the least', () => {
    expect(channel('pressure').zeroTolerance).toBe(100);
    expect(channel('temperature').zeroTolerance).toBe(0);
  });

  it('turns masks into names and back', () => {
    fc.assert(
      fc.property(fc.subarray([...CHANNEL_NAMES]), (names) => {
        expect(channelsInMask(channelMask(names))).toEqual(names);
      }),
    );
  });
});

describe('units', () => {
  const convert = (quantity: Quantity, unit: string, value: number): number => {
    const { factor, offset } = findUnit(quantity, unit) as { factor: number; offset: number };
    return value * factor + offset;
  };

  it.each([
    ['temperature', 'F', 212, 100],
    ['temperature', 'F', -40, -40],
    ['temperature', 'K', 273.15, 0],
    ['acceleration', 'm/s2', 9.80665, 1],
    ['pressure', 'bar', 1, 14.503773773],
    ['pressure', 'kPa', 100, 14.503773773],
    ['pressure', 'MPa', 0.1, 14.503773773],
    ['pressure', 'kg/cm2', 1, 14.223343307],
    ['pressure', 'psia', 14.695948775513, 0],
    ['pressure', 'bara', 1.01325, 0],
    ['liquidRate', 'm3/d', 1, 6.28981077],
    ['liquidRate', 'm3/h', 1, 150.95545848],
    ['liquidRate', 'l/min', 1, 9.057327509],
    ['liquidRate', 'l/s', 1, 543.43965053],
    ['liquidRate', 'gpm', 1, 34.285714286],
    ['current', 'mA', 1500, 1.5],
    ['leakage', 'uA', 1500, 1.5],
    ['leakage', 'A', 0.002, 2],
    ['voltage', 'kV', 2.4, 2400],
  ] as const)('%s: 1 %s …', (quantity, unit, value, canonical) => {
    expect(convert(quantity, unit, value)).toBeCloseTo(canonical, 6);
  });

  it('knows no unit of another dimension, and nothing from the prototype', () => {
    expect(findUnit('acceleration', 'in/s')).toBeUndefined();
    expect(findUnit('acceleration', 'mm/s')).toBeUndefined();
    expect(findUnit('current', 'constructor')).toBeUndefined();
    expect(findUnit('current', 'ma')).toBeUndefined();
  });

  it('is monotonic in every unit', () => {
    for (const units of Object.values(QUANTITIES)) {
      for (const { factor } of Object.values(units)) expect(factor).toBeGreaterThan(0);
    }
  });
});

describe('anomaly causes', () => {
  it('has a name of its own for every code, and none for what is no code', () => {
    const ofChannels = [RuleCause.rateOfChange, RuleCause.frozen].flatMap((rule) =>
      CHANNELS.map(({ index }) => causeOf(rule, index)),
    );
    const codes = [...new Set([...CHANNELS.map(({ index }) => index), ...Object.values(RuleCause), ...ofChannels])];
    const names = codes.map(anomalyCauseName);
    expect(new Set(names).size).toBe(codes.length);
    expect(names.filter((name) => name?.startsWith('cause '))).toEqual([]);
    expect(anomalyCauseName(causeOf(RuleCause.frozen, channel('vibration').index))).toBe('frozen:vibration');
    expect(anomalyCauseName(causeOf(RuleCause.rateOfChange, channel('rpm').index))).toBe('rate_of_change:rpm');
    expect(anomalyCauseName(299)).toBe('cause 299');
    expect(anomalyCauseName(null)).toBeNull();
  });

  it('keeps the codes of rules apart from those of channels, with room for new ones', () => {
    expect(CHANNELS.length).toBeLessThanOrEqual(20);
    expect(Math.min(...Object.values(RuleCause))).toBe(FIRST_RULE_CAUSE);
  });
});

describe('quality flags', () => {
  it('have a bit of its own for each channel, beside that of what is inaccurate', () => {
    expect(CHANNELS.length).toBeLessThanOrEqual(19);
  });

  it('survives the way into a bigint column and back', () => {
    const word = fc.integer({ min: 0, max: (1 << 19) - 1 });
    const flags = fc.constantFrom(...Object.values(QualityFlag));
    fc.assert(
      fc.property(word, flags, word, (missing, flag, impossible) => {
        const joined = joinFlags(missing | flag, impossible);
        expect(Number.isSafeInteger(joined)).toBe(true);
        expect(splitFlags(joined)).toEqual({ low: missing | flag, high: impossible });
      }),
    );
  });

  it('is inaccurate to the aggregates, which count impossible values, where a rule does not believe a reading', () => {
    const INACCURATE_BITS = 0xfffffn << 32n;
    const isInaccurate = (low: number): boolean => (BigInt(joinFlags(low, 0)) & INACCURATE_BITS) !== 0n;
    const found = (Object.keys(QualityFlag) as (keyof typeof QualityFlag)[]).filter((name) =>
      isInaccurate(QualityFlag[name]),
    );
    expect(found).toEqual(['rateOfChange', 'frozenReading', 'gaugeLoss']);
  });

  it('explains itself', () => {
    const flags = joinFlags(channelMask(['flow_rate']) | QualityFlag.lateArrival, channelMask(['rpm', 'vibration_z']));
    expect(explainFlags(flags)).toEqual({
      missing: ['flow_rate'],
      impossible: ['rpm', 'vibration_z'],
      flags: ['lateArrival'],
    });
  });
});
