/** What pumps do every day is no fault: no episode, whatever moves. */
import { describe, expect, it } from 'vitest';
import { handMadeTrace, type TraceSpec } from '../support/hand-made-trace.js';
import { judgeTrace, shortly } from '../support/judge-trace.js';

const fine = { intervalSeconds: 1, beforeSeconds: 1200, duringSeconds: 1800 } as const;
const minutely = { intervalSeconds: 60, beforeSeconds: 14_400, duringSeconds: 14_400 } as const;

const STOPPED = { motor_current: 0, drive_frequency: 0, rpm: 0, motor_voltage: 0, flow_rate: 0 } as const;
/** A speed of s times what it was, by the affinity laws. */
const speed = (s: number) => ({
  drive_frequency: s,
  rpm: s,
  flow_rate: s,
  motor_voltage: s,
  motor_current: s * s,
  vibration: s * s,
});

const NORMAL: readonly ({ readonly name: string } & TraceSpec)[] = [
  { name: 'nothing at all', ...fine, course: () => ({}) },
  { name: 'nothing, noisily, each minute', ...minutely, noise: 0.02, course: () => ({}) },
  {
    name: 'nothing, each quarter of an hour',
    ...minutely,
    intervalSeconds: 900,
    beforeSeconds: 400_000,
    course: () => ({}),
  },
  {
    name: 'two hertz slower',
    ...fine,
    course: ({ ramp }) => ({
      ...speed(1 - 0.04 * ramp(4)),
      intake_pressure: 1 + 0.06 * ramp(1800),
      discharge_pressure: 0.97,
    }),
  },
  {
    name: 'three hertz faster, each minute',
    ...minutely,
    course: ({ ramp }) => ({ ...speed(1.06), intake_pressure: 1 - 0.1 * ramp(3600), discharge_pressure: 1.04 }),
  },
  {
    name: 'stopped',
    ...fine,
    course: ({ ramp }) => ({
      ...STOPPED,
      intake_pressure: 1 + 0.5 * ramp(1800),
      discharge_pressure: 1 - 0.3 * ramp(900),
      motor_temperature: 1 - 0.15 * ramp(1800),
      vibration: 0.02,
    }),
  },
  {
    name: 'stopped, each quarter of an hour',
    ...minutely,
    intervalSeconds: 900,
    beforeSeconds: 400_000,
    duringSeconds: 100_000,
    course: () => ({ ...STOPPED, intake_pressure: 1.6, discharge_pressure: 0.7 }),
  },
  {
    name: 'stopped, and the drive silent',
    ...fine,
    without: ['drive_frequency', 'rpm', 'motor_voltage'],
    course: ({ ramp }) => ({ motor_current: 0, flow_rate: 0, intake_pressure: 1 + 0.5 * ramp(1800) }),
  },
  {
    name: 'the choke a little further open',
    ...fine,
    course: ({ ramp }) => ({
      pressure: 1 - 0.12 * ramp(30),
      flow_rate: 1 + 0.05 * ramp(30),
      intake_pressure: 1 - 0.04 * ramp(1200),
      discharge_pressure: 1 - 0.01 * ramp(60),
      motor_current: 1.01,
    }),
  },
  {
    name: 'the choke half closed',
    ...fine,
    course: ({ ramp }) => ({
      pressure: 1 + 0.35 * ramp(30),
      flow_rate: 1 - 0.1 * ramp(30),
      intake_pressure: 1 + 0.04 * ramp(1200),
      discharge_pressure: 1 + 0.02 * ramp(60),
      motor_current: 0.975,
    }),
  },
  {
    name: 'silent for a while',
    ...fine,
    afterSeconds: 600,
    duringSeconds: 300,
    course: () => ({
      temperature: undefined,
      vibration: undefined,
      pressure: undefined,
      flow_rate: undefined,
      motor_current: undefined,
      rpm: undefined,
      intake_pressure: undefined,
      discharge_pressure: undefined,
      motor_temperature: undefined,
      drive_frequency: undefined,
      motor_voltage: undefined,
      leakage_current: undefined,
      casing_pressure: undefined,
    }),
  },
  {
    name: 'each tenth reading lost, every ten seconds',
    ...fine,
    intervalSeconds: 10,
    beforeSeconds: 7200,
    duringSeconds: 28_800,
    course: ({ random }) => {
      const some = (): number | undefined => (random() > 0.85 ? undefined : 1);
      return { temperature: some(), vibration: some(), pressure: some(), flow_rate: some(), intake_pressure: some() };
    },
  },
  {
    name: 'four hertz faster for good, every five minutes',
    ...minutely,
    intervalSeconds: 300,
    beforeSeconds: 200_000,
    duringSeconds: 100_000,
    without: ['flow_rate'],
    course: () => ({ ...speed(1.08), motor_temperature: 1.08 }),
  },
  {
    name: 'five hertz faster, each minute, the frequency missing now and then',
    ...minutely,
    beforeSeconds: 20_000,
    lost: { drive_frequency: 0.06 },
    course: () => ({ ...speed(1.1), motor_temperature: 1.08 }),
  },
  {
    name: 'drawn down after a start',
    ...fine,
    beforeSeconds: 1200,
    duringSeconds: 7200,
    course: ({ t, ramp }) => {
      if (t < 300) return STOPPED;
      return { intake_pressure: 1 - 0.45 * (1 - Math.exp(-(t - 300) / 2400)), flow_rate: 1 - 0.06 * ramp(7200) };
    },
  },
];

describe('operation is not a fault', () => {
  it.each(NORMAL)('$name', (spec) => {
    expect(shortly(judgeTrace(handMadeTrace(spec)).episodes)).toEqual([]);
  });

  it('nor is a restart, with its inrush and its drawdown', () => {
    const restart = handMadeTrace({
      ...fine,
      duringSeconds: 7200,
      course: ({ t, ramp }) => {
        if (t < 1200)
          return { ...STOPPED, intake_pressure: 1 + 0.5 * ramp(900), discharge_pressure: 1 - 0.3 * ramp(600) };
        const since = t - 1200;
        const soaked = 1 - Math.exp(-since / 900);
        return {
          motor_current: 1 + 1.2 * Math.exp(-since / 8),
          flow_rate: 1.25 - 0.25 * soaked,
          intake_pressure: 1.5 - 0.5 * soaked,
          discharge_pressure: 1.05 - 0.05 * soaked,
          motor_temperature: 0.88 + 0.12 * soaked,
        };
      },
    });
    expect(shortly(judgeTrace(restart).episodes)).toEqual([]);
  });
});
