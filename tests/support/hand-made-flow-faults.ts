/** Faults of the stream through the pump and the tubing, each in at least three courses. */
import { fine, type HandMadeFault, HOUR, MINUTE, minutely, quarterly } from './hand-made-fault.js';

export const FLOW_FAULTS = {
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
      name: 'swings of three minutes, without flow meter',
      ...fine,
      beforeSeconds: 2 * HOUR,
      duringSeconds: HOUR,
      without: ['flow_rate'],
      course: ({ t, ramp }) => ({
        motor_current: 1 - ramp(300) * (0.13 + 0.05 * Math.sin(t / 28.6)),
        intake_pressure: 1 + 0.04 * ramp(300) * Math.sin(t / 31),
        motor_temperature: 1 + 0.04 * ramp(1200),
      }),
    },
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
      name: 'in an hour and a half, with spikes of the frequency',
      foundWithinSeconds: 20 * MINUTE,
      ...fine,
      beforeSeconds: 1.5 * HOUR,
      duringSeconds: 1.5 * HOUR,
      spikes: { channel: 'drive_frequency', multiple: 1.4, every: 600 },
      course: ({ t }) => ({
        intake_pressure: 1 - 0.75 * (1 - Math.exp(-t / 2100)),
        motor_current: 1 - Math.max(0, t - 2700) / 12_000,
        flow_rate: 1 - Math.max(0, t - 2700) / 6000,
      }),
    },
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
} as const satisfies Record<string, readonly HandMadeFault[]>;
