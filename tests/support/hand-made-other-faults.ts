/** What takes days, wears, or lies in the motor and its instruments, each in at least three courses. */
import { DAY, fine, type HandMadeFault, HOUR, MINUTE, minutely, quarterly } from './hand-made-fault.js';

export const OTHER_FAULTS = {
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
    {
      name: 'and a gauge at the surface stands still later',
      ...fine,
      duringSeconds: HOUR,
      course: ({ t, ramp }) => ({
        motor_current: 1 + 0.3 * ramp(120),
        motor_temperature: 1 + 0.15 * ramp(900),
        casing_pressure: t > 600 ? 'stuck' : 1,
      }),
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
} as const satisfies Record<string, readonly HandMadeFault[]>;
