/** At least three courses a condition: other wells, sizes, sampling, noise, and instruments that are missing. */
import type { ConditionName } from '../../src/telemetry/conditions.js';
import type { TraceSpec } from './hand-made-trace.js';

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

export interface HandMadeFault extends TraceSpec {
  readonly name: string;
  /** Where the course itself is slower than the condition usually is. */
  readonly foundWithinSeconds?: number;
}

const fine = { intervalSeconds: 1, beforeSeconds: 15 * MINUTE, duringSeconds: 15 * MINUTE } as const;
const minutely = { intervalSeconds: MINUTE, beforeSeconds: 4 * HOUR, duringSeconds: 2 * HOUR } as const;
const quarterly = { intervalSeconds: 15 * MINUTE, beforeSeconds: 4 * DAY, duringSeconds: DAY } as const;

export const HAND_MADE_FAULTS: Readonly<Record<ConditionName, readonly HandMadeFault[]>> = {
  gas_lock: [
    {
      name: 'sudden, every channel',
      ...fine,
      course: ({ random, ramp }) => ({
        motor_current: 1 - 0.45 * ramp(40) + 0.06 * random(),
        intake_pressure: 1 + 0.05 * random(),
        flow_rate: Math.max(0, 1 - 0.97 * ramp(60)),
        motor_temperature: 1 + 0.12 * ramp(600),
        discharge_pressure: 1 - 0.15 * ramp(60),
      }),
    },
    {
      name: 'large well, every ten seconds, noisy',
      ...fine,
      intervalSeconds: 10,
      beforeSeconds: HOUR,
      well: 'large',
      noise: 0.01,
      course: ({ random, ramp }) => ({
        motor_current: 1 - 0.35 * ramp(60) + 0.08 * random(),
        intake_pressure: 1 + 0.08 * random(),
        flow_rate: Math.max(0, 0.15 + 0.85 * (1 - ramp(90)) + 0.05 * random()),
        motor_temperature: 1 + 0.08 * ramp(900),
      }),
    },
    {
      name: 'no flow meter and no discharge gauge, each minute',
      foundWithinSeconds: 20 * MINUTE,
      ...minutely,
      without: ['flow_rate', 'discharge_pressure'],
      course: ({ random, ramp }) => ({
        motor_current: 1 - 0.4 * ramp(120) + 0.07 * random(),
        intake_pressure: 1 + 0.06 * random(),
        motor_temperature: 1 + 0.1 * ramp(1800),
      }),
    },
    {
      name: 'each quarter of an hour',
      ...quarterly,
      well: 'small',
      course: ({ random }) => ({
        motor_current: 0.62 + 0.06 * random(),
        intake_pressure: 1 + 0.07 * random(),
        flow_rate: 0.06 + 0.02 * Math.abs(random()),
        motor_temperature: 1.15,
      }),
    },
  ],
  gas_interference: [
    {
      name: 'slugs',
      ...fine,
      course: ({ t, random }) => ({
        motor_current: 0.93 + 0.05 * Math.sin(t / 7) + 0.02 * random(),
        intake_pressure: 1 + 0.04 * Math.sin(t / 9) + 0.015 * random(),
        flow_rate: 0.8 + 0.06 * random(),
      }),
    },
    {
      name: 'no flow meter, each minute',
      ...minutely,
      without: ['flow_rate'],
      course: ({ random }) => ({
        motor_current: 0.9 + 0.05 * random(),
        intake_pressure: 1.02 + 0.05 * random(),
      }),
    },
    {
      name: 'mild, large well',
      ...fine,
      intervalSeconds: 5,
      beforeSeconds: HOUR,
      duringSeconds: HOUR,
      well: 'large',
      course: ({ random, ramp }) => ({
        motor_current: 1 - 0.06 * ramp(900) + 0.03 * random() * ramp(300),
        intake_pressure: 1 + 0.03 * random() * ramp(300),
        flow_rate: 1 - 0.15 * ramp(900) + 0.03 * random(),
      }),
    },
  ],
  pump_off: [
    {
      name: 'in half an hour',
      foundWithinSeconds: 15 * MINUTE,
      ...fine,
      duringSeconds: HOUR,
      course: ({ ramp, t }) => ({
        intake_pressure: 1 - 0.75 * ramp(1800),
        motor_current: 1 - 0.25 * Math.max(0, Math.min(1, (t - 1200) / 900)),
        flow_rate: 1 - 0.6 * Math.max(0, Math.min(1, (t - 1200) / 900)),
        discharge_pressure: 1 - 0.1 * ramp(2400),
      }),
    },
    {
      name: 'in hours, each minute, large',
      foundWithinSeconds: 3 * HOUR,
      ...minutely,
      duringSeconds: 6 * HOUR,
      well: 'large',
      course: ({ ramp, t }) => ({
        intake_pressure: 1 - 0.6 * ramp(4 * HOUR),
        motor_current: 1 - 0.15 * Math.max(0, Math.min(1, (t - 3 * HOUR) / HOUR)),
        flow_rate: 1 - 0.35 * Math.max(0, Math.min(1, (t - 3 * HOUR) / HOUR)),
      }),
    },
    {
      name: 'no flow meter, noisy, small',
      foundWithinSeconds: 40 * MINUTE,
      ...minutely,
      noise: 0.012,
      well: 'small',
      without: ['flow_rate', 'discharge_pressure'],
      course: ({ ramp, t }) => ({
        intake_pressure: 1 - 0.7 * ramp(HOUR),
        motor_current: 1 - 0.2 * Math.max(0, Math.min(1, (t - 2400) / 900)),
      }),
    },
    {
      name: 'each quarter of an hour',
      foundWithinSeconds: 6 * HOUR,
      ...quarterly,
      course: ({ ramp, t }) => ({
        intake_pressure: 1 - 0.7 * ramp(8 * HOUR),
        motor_current: 1 - 0.2 * Math.max(0, Math.min(1, (t - 6 * HOUR) / HOUR)),
        flow_rate: 1 - 0.5 * Math.max(0, Math.min(1, (t - 6 * HOUR) / HOUR)),
      }),
    },
  ],
  broken_shaft: [
    {
      name: 'every channel',
      ...fine,
      course: ({ ramp }) => ({
        motor_current: 0.38,
        flow_rate: 1 - ramp(20),
        intake_pressure: 1 + 0.3 * ramp(900),
        discharge_pressure: 1 - 0.35 * ramp(120),
        pressure: 1 - 0.3 * ramp(120),
        vibration: 0.5,
      }),
    },
    {
      name: 'no flow meter, each minute',
      ...minutely,
      without: ['flow_rate', 'vibration'],
      course: ({ ramp }) => ({
        motor_current: 0.45,
        intake_pressure: 1 + 0.5 * ramp(HOUR),
        discharge_pressure: 1 - 0.25 * ramp(300),
      }),
    },
    {
      name: 'no discharge gauge, large, ten seconds',
      ...fine,
      intervalSeconds: 10,
      beforeSeconds: 40 * MINUTE,
      well: 'large',
      without: ['discharge_pressure'],
      course: ({ ramp }) => ({
        motor_current: 0.5,
        flow_rate: 0,
        intake_pressure: 1 + 0.12 * ramp(600),
      }),
    },
    {
      name: 'each quarter of an hour',
      ...quarterly,
      course: ({ ramp }) => ({
        motor_current: 0.4,
        flow_rate: 0,
        intake_pressure: 1 + 0.4 * ramp(2 * HOUR),
        discharge_pressure: 0.7,
      }),
    },
  ],
  deadhead: [
    {
      name: 'every channel',
      ...fine,
      course: ({ ramp }) => ({
        pressure: 1 + 2.5 * ramp(60),
        discharge_pressure: 1 + 0.25 * ramp(60),
        flow_rate: 1 - ramp(15),
        motor_current: 1 - 0.35 * ramp(30),
        motor_temperature: 1 + 0.2 * ramp(900),
        temperature: 1 + 0.05 * ramp(900),
        intake_pressure: 1 + 0.05 * ramp(600),
      }),
    },
    {
      name: 'no flow meter, each minute',
      ...minutely,
      without: ['flow_rate'],
      course: ({ ramp }) => ({
        pressure: 1 + 1.2 * ramp(120),
        discharge_pressure: 1 + 0.12 * ramp(120),
        motor_current: 0.75,
        motor_temperature: 1 + 0.15 * ramp(1800),
      }),
    },
    {
      name: 'no discharge gauge, small, noisy',
      ...fine,
      noise: 0.01,
      well: 'small',
      intervalSeconds: 5,
      without: ['discharge_pressure', 'motor_temperature'],
      course: ({ ramp }) => ({
        pressure: 1 + 4 * ramp(90),
        flow_rate: 0,
        motor_current: 0.6,
      }),
    },
    {
      name: 'each quarter of an hour',
      ...quarterly,
      course: () => ({
        pressure: 2,
        discharge_pressure: 1.1,
        flow_rate: 0,
        motor_current: 0.7,
        motor_temperature: 1.12,
      }),
    },
  ],
  tubing_leak: [
    {
      name: 'every channel',
      ...fine,
      duringSeconds: 40 * MINUTE,
      course: ({ ramp }) => ({
        intake_pressure: 1 + 0.15 * ramp(600),
        discharge_pressure: 1 - 0.12 * ramp(300),
        pressure: 1 - 0.35 * ramp(300),
        flow_rate: 1 - 0.3 * ramp(300),
        motor_current: 1.02,
      }),
    },
    {
      name: 'no flow meter, each minute, slow',
      foundWithinSeconds: 100 * MINUTE,
      ...minutely,
      duringSeconds: 6 * HOUR,
      without: ['flow_rate'],
      course: ({ ramp }) => ({
        intake_pressure: 1 + 0.1 * ramp(3 * HOUR),
        discharge_pressure: 1 - 0.08 * ramp(3 * HOUR),
        pressure: 1 - 0.25 * ramp(3 * HOUR),
      }),
    },
    {
      name: 'no discharge gauge, large',
      ...fine,
      intervalSeconds: 10,
      beforeSeconds: HOUR,
      duringSeconds: HOUR,
      well: 'large',
      without: ['discharge_pressure'],
      course: ({ ramp }) => ({
        intake_pressure: 1 + 0.08 * ramp(600),
        pressure: 1 - 0.3 * ramp(600),
        flow_rate: 1 - 0.2 * ramp(600),
        motor_current: 0.97,
      }),
    },
    {
      name: 'each quarter of an hour',
      ...quarterly,
      course: () => ({
        intake_pressure: 1.12,
        discharge_pressure: 0.9,
        pressure: 0.7,
        motor_current: 0.98,
      }),
    },
  ],
  scale: [
    {
      name: 'ten days, each quarter',
      intervalSeconds: 15 * MINUTE,
      beforeSeconds: 5 * DAY,
      duringSeconds: 10 * DAY,
      course: ({ ramp }) => ({
        flow_rate: 1 - 0.3 * ramp(10 * DAY),
        discharge_pressure: 1 - 0.08 * ramp(10 * DAY),
        intake_pressure: 1 + 0.06 * ramp(10 * DAY),
        motor_current: 1 + 0.1 * ramp(10 * DAY),
        motor_temperature: 1 + 0.08 * ramp(10 * DAY),
      }),
    },
    {
      name: 'three days, each minute',
      intervalSeconds: MINUTE,
      beforeSeconds: 2 * DAY,
      duringSeconds: 3 * DAY,
      course: ({ ramp }) => ({
        flow_rate: 1 - 0.2 * ramp(3 * DAY),
        discharge_pressure: 1 - 0.05 * ramp(3 * DAY),
        motor_current: 1 + 0.07 * ramp(3 * DAY),
        motor_temperature: 1 + 0.05 * ramp(3 * DAY),
      }),
    },
    {
      name: 'no flow meter, large',
      foundWithinSeconds: 4 * DAY,
      intervalSeconds: 10 * MINUTE,
      beforeSeconds: 4 * DAY,
      duringSeconds: 8 * DAY,
      well: 'large',
      without: ['flow_rate'],
      course: ({ ramp }) => ({
        discharge_pressure: 1 - 0.1 * ramp(8 * DAY),
        intake_pressure: 1 + 0.08 * ramp(8 * DAY),
        motor_current: 1 + 0.08 * ramp(8 * DAY),
        motor_temperature: 1 + 0.06 * ramp(8 * DAY),
      }),
    },
    {
      name: 'no discharge gauge, noisy',
      intervalSeconds: 15 * MINUTE,
      beforeSeconds: 4 * DAY,
      duringSeconds: 6 * DAY,
      noise: 0.015,
      well: 'small',
      without: ['discharge_pressure'],
      course: ({ ramp }) => ({
        flow_rate: 1 - 0.35 * ramp(6 * DAY),
        motor_current: 1 + 0.12 * ramp(6 * DAY),
        motor_temperature: 1 + 0.1 * ramp(6 * DAY),
      }),
    },
  ],
  sand: [
    {
      name: 'every channel',
      ...fine,
      course: ({ random, ramp }) => ({
        vibration: 1 + 1.5 * ramp(120) + 0.4 * random(),
        motor_current: 1 + 0.18 * ramp(180) + 0.04 * random(),
      }),
    },
    {
      name: 'large, each minute',
      ...minutely,
      well: 'large',
      course: ({ random }) => ({
        vibration: 1.8 + 0.3 * random(),
        motor_current: 1.12 + 0.03 * random(),
        motor_temperature: 1.04,
      }),
    },
    {
      name: 'noisy, five seconds, small',
      ...fine,
      intervalSeconds: 5,
      beforeSeconds: HOUR,
      well: 'small',
      noise: 0.01,
      course: ({ random, ramp }) => ({
        vibration: 1 + 2 * ramp(60) + 0.5 * random(),
        motor_current: 1 + 0.25 * ramp(240) + 0.05 * random(),
        flow_rate: 0.95,
      }),
    },
    {
      name: 'each quarter of an hour',
      ...quarterly,
      course: ({ random }) => ({
        vibration: 2.2 + 0.5 * random(),
        motor_current: 1.15 + 0.04 * random(),
      }),
    },
  ],
  overload: [
    {
      name: 'every channel',
      ...fine,
      course: ({ ramp }) => ({ motor_current: 1 + 0.35 * ramp(120), motor_temperature: 1 + 0.15 * ramp(900) }),
    },
    {
      name: 'no vibration gauge, each minute',
      ...minutely,
      without: ['vibration'],
      course: ({ ramp }) => ({ motor_current: 1.25, motor_temperature: 1 + 0.1 * ramp(1800) }),
    },
    {
      name: 'large, ten seconds',
      ...fine,
      intervalSeconds: 10,
      beforeSeconds: HOUR,
      well: 'large',
      course: () => ({ motor_current: 1.2, rpm: 0.995 }),
    },
  ],
  electrical: [
    {
      name: 'creeping',
      ...fine,
      duringSeconds: HOUR,
      course: ({ ramp }) => ({ leakage_current: 1 + 12 * ramp(1800) }),
    },
    { name: 'a step, each minute', ...minutely, well: 'small', course: () => ({ leakage_current: 40 }) },
    {
      name: 'large, each quarter',
      ...quarterly,
      well: 'large',
      course: ({ ramp }) => ({ leakage_current: 1 + 6 * ramp(6 * HOUR) }),
    },
  ],
  gauge_loss: [
    {
      name: 'all freeze',
      ...fine,
      course: () => ({
        temperature: 'stuck',
        vibration: 'stuck',
        intake_pressure: 'stuck',
        discharge_pressure: 'stuck',
        motor_temperature: 'stuck',
      }),
    },
    {
      name: 'all vanish, each minute',
      ...minutely,
      well: 'large',
      course: () => ({
        temperature: undefined,
        vibration: undefined,
        intake_pressure: undefined,
        discharge_pressure: undefined,
        motor_temperature: undefined,
      }),
    },
    {
      name: 'three channels freeze, ten seconds',
      ...fine,
      intervalSeconds: 10,
      beforeSeconds: HOUR,
      without: ['vibration', 'discharge_pressure'],
      course: () => ({ temperature: 'stuck', intake_pressure: 'stuck', motor_temperature: 'stuck' }),
    },
    {
      name: 'all vanish, each quarter',
      ...quarterly,
      course: () => ({
        temperature: undefined,
        vibration: undefined,
        intake_pressure: undefined,
        discharge_pressure: undefined,
        motor_temperature: undefined,
      }),
    },
  ],
  stuck_sensor: [
    { name: 'intake pressure', ...fine, course: () => ({ intake_pressure: 'stuck' }) },
    {
      name: 'flow meter, each minute',
      ...minutely,
      duringSeconds: 4 * HOUR,
      well: 'large',
      course: () => ({ flow_rate: 'stuck' }),
    },
    {
      name: 'vibration, ten seconds',
      ...fine,
      intervalSeconds: 10,
      beforeSeconds: HOUR,
      duringSeconds: HOUR,
      well: 'small',
      course: () => ({ vibration: 'stuck' }),
    },
  ],
};
