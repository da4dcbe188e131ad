/**
 * What is different: each channel now against its reference, as figures that mean the same for every channel. Whether a
 * difference is larger than the channel's own noise is part of it, so that more noise never makes anything look surer.
 */
import { CHANNEL_COUNT, CHANNEL_NAMES, type ChannelName } from '../../telemetry/channels.js';
import type { Bucket } from './bucket-ring.js';
import { frequencyOf, median, type Reference, roughnessOf, unrestOf } from './reference.js';

/** `gone`: there were readings before, and are none now. `still`: the same reading for too long. */
export type Presence = 'absent' | 'present' | 'gone' | 'still';

export interface ChannelSymptoms {
  readonly channel: ChannelName;
  readonly presence: Presence;
  readonly before: number;
  readonly now: number;
  /** Change in units of what is a change for this channel: its level, or a fixed scale for temperatures and the like. */
  readonly change: number;
  /** 0 … 1: whether the change is more than noise. */
  readonly certainty: number;
  /** Unrest now as a multiple of that before; small unrest counts as none. NaN = not to be told. */
  readonly unrest: number;
  /** Buckets that the change took from a quarter to three quarters; NaN where there is none. */
  readonly riseBuckets: number;
  /** Share of the change that came between the first and the last third of the buckets: a step that is long over has none. */
  readonly stillGrowing: number;
}

export interface Symptoms {
  readonly channels: ReadonlyMap<ChannelName, ChannelSymptoms>;
  readonly reference: Reference;
  readonly buckets: number;
  /** From the beginning of what is compared to its end, seconds. */
  readonly lastsSeconds: number;
  /** Median time from one bucket to the next, seconds. */
  readonly bucketSeconds: number;
  /** The speed is another one than in the reference. */
  readonly isOtherSpeed: boolean;
}

/** A change of so much is 1; the others are measured by their own level. */
const FIXED_SCALE: ReadonlyMap<ChannelName, number> = new Map([
  ['temperature', 20],
  ['motor_temperature', 20],
]);
/** Below this level a channel's own level is no measure, canonical unit. */
const LEAST_SCALE: ReadonlyMap<ChannelName, number> = new Map([
  ['leakage_current', 0.5],
  ['vibration', 0.05],
  ['vibration_y', 0.05],
  ['vibration_z', 0.05],
  ['pressure', 20],
  ['intake_pressure', 20],
  ['discharge_pressure', 20],
  ['casing_pressure', 20],
  ['flow_rate', 20],
  ['motor_current', 2],
]);
/** Unrest below this share of the scale is nothing that a process does. */
const LEAST_UNREST = 0.003;
/** Spread and resolution below this share of the scale count as this much. */
const LEAST_NOISE = 0.002;
/** At or below this share of its level a reading is zero. */
const STOPPED_SHARE = 0.01;
const DOUBTFUL_DEVIATIONS = 2.5;
const CERTAIN_DEVIATIONS = 6;

/** 0 below `from`, 1 above `to`, straight in between. */
export function ramp(value: number, from: number, to: number): number {
  return Math.min(1, Math.max(0, (value - from) / (to - from)));
}

/**
 * Compares the buckets of now, at least one, with the reference.
 * @param stillMask channels (bit = catalogue position) whose reading has stood still for too long
 */
export function symptomsOf(reference: Reference, during: readonly Bucket[], stillMask: number): Symptoms {
  const first = during[0] as Bucket;
  const last = during.at(-1) as Bucket;
  const spanUs = last.toUs - first.fromUs;
  const frequencyHz = frequencyOf(during);
  const channels = new Map<ChannelName, ChannelSymptoms>();
  for (let index = 0; index < CHANNEL_COUNT; index++) {
    const name = CHANNEL_NAMES[index] as ChannelName;
    channels.set(name, channelSymptoms(name, index, reference, during, stillMask));
  }
  return {
    channels,
    reference,
    buckets: during.length,
    lastsSeconds: spanUs / 1e6,
    bucketSeconds: during.length > 1 ? spanUs / 1e6 / (during.length - 1) : Math.max(10, spanUs / 1e6),
    isOtherSpeed: Math.abs(frequencyHz - reference.frequencyHz) > 0.6,
  };
}

const ABSENT = {
  presence: 'absent',
  before: Number.NaN,
  now: Number.NaN,
  change: Number.NaN,
  certainty: 0,
  unrest: Number.NaN,
  riseBuckets: Number.NaN,
  stillGrowing: Number.NaN,
} as const;

function channelSymptoms(
  name: ChannelName,
  index: number,
  reference: Reference,
  during: readonly Bucket[],
  stillMask: number,
): ChannelSymptoms {
  const before = reference.middle[index] as number;
  const means = during.map((bucket) => bucket.means[index] as number);
  const presence = presenceOf(index, reference, means, stillMask);
  if (presence === 'absent') return { ...ABSENT, channel: name };
  const recent = means.slice(-Math.max(2, Math.ceil(means.length / 3)));
  const now = median(recent);
  const scale = FIXED_SCALE.get(name) ?? Math.max(Math.abs(before), LEAST_SCALE.get(name) ?? 1);
  const change = (now - before) / scale;
  const noise = Math.max((reference.spread[index] as number) || 0, scale * LEAST_NOISE);
  const unsteadiness = median(recent.map((value) => Math.abs(value - now)));
  const error = noise + unsteadiness / Math.sqrt(recent.length);
  const conversion = reference.isConverted ? 0.02 * scale : 0;
  return {
    channel: name,
    presence,
    before,
    now,
    change,
    certainty: ramp(Math.abs(now - before) / (error + conversion), DOUBTFUL_DEVIATIONS, CERTAIN_DEVIATIONS),
    unrest: unrestRatio(index, reference, during, means, scale),
    riseBuckets: riseOf(before, now, means),
    stillGrowing: (now - median(means.slice(0, recent.length))) / (now - before),
  };
}

function presenceOf(index: number, reference: Reference, means: readonly number[], stillMask: number): Presence {
  if (Number.isNaN(reference.middle[index])) return 'absent';
  const tail = means.slice(-Math.max(1, Math.ceil(means.length / 2)));
  if (tail.every((value) => Number.isNaN(value))) return 'gone';
  // A flow that has stopped is 0 for as long as it has.
  if (tail.every((value) => !(Math.abs(value) > STOPPED_SHARE * Math.abs(reference.middle[index] as number))))
    return 'present';
  return (stillMask & (1 << index)) === 0 ? 'present' : 'still';
}

function unrestRatio(
  index: number,
  reference: Reference,
  during: readonly Bucket[],
  means: readonly number[],
  scale: number,
): number {
  const least = LEAST_UNREST * scale;
  // Within the buckets, where they have several readings; between them, where there are enough of them.
  const rough = roughnessOf(during, index) / Math.max(reference.roughness[index] as number, least);
  const between = means.length < 5 ? Number.NaN : unrestOf(means) / Math.max(reference.unrest[index] as number, least);
  const hasRecords = during.reduce((sum, { records }) => sum + records, 0) >= 2 * during.length;
  if (!hasRecords) return between;
  return Number.isNaN(between) ? rough : Math.max(rough, between);
}

/** How long the change took, in buckets, from a quarter to three quarters of it; a step takes none. NaN where it began earlier. */
function riseOf(before: number, now: number, means: readonly number[]): number {
  const share = (value: number): number => (value - before) / (now - before);
  const from = means.findIndex((value) => share(value) > 0.25);
  const to = means.findIndex((value) => share(value) > 0.75);
  return from <= 0 || to < 0 ? Number.NaN : to - from;
}
