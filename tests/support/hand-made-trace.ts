/**
 * Traces written by hand from the signatures, without the simulator: what a channel does is said in multiples of its level,
 * and nothing ties the channels together but the hand that wrote it.
 */
import type { ChannelName } from '../../src/telemetry/channels.js';
import { CHANNEL_COUNT, channel } from '../../src/telemetry/channels.js';
import { ReadingBatch } from '../../src/telemetry/reading-batch.js';

/** Levels of three quite different wells. */
export const WELLS = {
  middling: {
    temperature: 78,
    vibration: 0.12,
    pressure: 250,
    flow_rate: 1800,
    motor_current: 48,
    rpm: 3050,
    intake_pressure: 900,
    discharge_pressure: 3200,
    motor_temperature: 96,
    drive_frequency: 52,
    motor_voltage: 1150,
    leakage_current: 0.4,
    casing_pressure: 120,
  },
  large: {
    temperature: 110,
    vibration: 0.4,
    pressure: 410,
    flow_rate: 12_500,
    motor_current: 122,
    rpm: 3480,
    intake_pressure: 1650,
    discharge_pressure: 4300,
    motor_temperature: 141,
    drive_frequency: 60,
    motor_voltage: 2900,
    leakage_current: 0.9,
    casing_pressure: 300,
  },
  small: {
    temperature: 52,
    vibration: 0.05,
    pressure: 95,
    flow_rate: 310,
    motor_current: 19,
    rpm: 2590,
    intake_pressure: 320,
    discharge_pressure: 1450,
    motor_temperature: 67,
    drive_frequency: 45,
    motor_voltage: 890,
    leakage_current: 0.1,
    casing_pressure: 40,
  },
} as const satisfies Record<string, Partial<Record<ChannelName, number>>>;

export interface Moment {
  /** Seconds since the onset. */
  readonly t: number;
  /** Mean 0, deviation 1: another number each time. */
  readonly random: () => number;
  /** 0 at the onset, 1 after so many seconds. */
  readonly ramp: (seconds: number) => number;
}

/** A multiple of the level; `undefined` = no reading; `'stuck'` = the last one before. */
export type Course = Partial<Record<ChannelName, number | undefined | 'stuck'>>;

export interface TraceSpec {
  readonly well?: keyof typeof WELLS;
  readonly intervalSeconds: number;
  readonly beforeSeconds: number;
  readonly duringSeconds: number;
  readonly afterSeconds?: number;
  /** Deviation of every reading as a share of its level; temperatures have a tenth of it. */
  readonly noise?: number;
  readonly without?: readonly ChannelName[];
  readonly seed?: number;
  /** Share of the readings of a channel that are missing, before, during and after. */
  readonly lost?: Partial<Record<ChannelName, number>>;
  /** Readings of a channel that are this multiple of what they should be, one of so many. */
  readonly spikes?: { readonly channel: ChannelName; readonly multiple: number; readonly every: number };
  readonly course: (moment: Moment) => Course;
}

export const ONSET_US = 1_767_225_600e6;

/** mulberry32: small, seeded, and good enough for noise. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let word = Math.imul(state ^ (state >>> 15), state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const REPORTED = new Set(['drive_frequency']);

/** Rows of a device named `hand-made`: normal, the course from `ONSET_US` on, normal again. */
export function handMadeTrace(spec: TraceSpec): ReadingBatch {
  const { intervalSeconds, beforeSeconds, duringSeconds, afterSeconds = 0, noise = 0.004 } = spec;
  const uniform = seededRandom(spec.seed ?? 7);
  const random = (): number => uniform() + uniform() + uniform() + uniform() - 2 + (uniform() + uniform() - 1) * 0.7;
  const rows = Math.floor((beforeSeconds + duringSeconds + afterSeconds) / intervalSeconds);
  const batch = new ReadingBatch(rows);
  const last = new Map<string, number>();
  for (let at = 0; at < rows; at++) {
    const t = at * intervalSeconds - beforeSeconds;
    const isOn = t >= 0 && t < duringSeconds;
    const course = isOn ? spec.course({ t, random, ramp: (seconds) => Math.min(1, t / seconds) }) : {};
    const row = batch.open();
    batch.timestampUs[row] = ONSET_US + t * 1e6;
    batch.receivedUs[row] = ONSET_US + t * 1e6;
    batch.deviceId[row] = 'hand-made';
    batch.device[row] = 0;
    for (const [name, level] of Object.entries(WELLS[spec.well ?? 'middling']) as [ChannelName, number][]) {
      if (spec.without?.includes(name) === true) continue;
      const multiple = name in course ? course[name] : 1;
      const share = channel(name).quantity === 'temperature' ? noise / 10 : noise;
      const drawn = REPORTED.has(name) ? 0 : random() * share * level;
      if (multiple === undefined || isLost(spec.lost?.[name], at)) continue;
      const value =
        multiple === 'stuck' ? last.get(name) : Math.max(0, level * multiple + (multiple === 0 ? 0 : drawn));
      if (value === undefined) continue;
      last.set(name, value);
      const { spikes } = spec;
      const isSpike = spikes?.channel === name && at % spikes.every === spikes.every - 1;
      batch.values[row * CHANNEL_COUNT + channel(name).index] = isSpike ? value * spikes.multiple : value;
    }
  }
  return batch;
}

/** Whether row `at` has lost its reading, spread without a pattern and without drawing on the noise. */
function isLost(share: number | undefined, at: number): boolean {
  return share !== undefined && (Math.imul(at + 1, 0x9e37_79b1) >>> 0) / 4_294_967_296 < share;
}
