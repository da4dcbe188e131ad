/**
 * What is different: each channel now against its reference, as figures that mean the same for every channel. Whether a
 * difference is larger than the channel's own noise is part of it, so that more noise never makes anything look surer.
 */
import { CHANNEL_COUNT, CHANNEL_NAMES, channelMask, type ChannelName } from '../../telemetry/channels.js';
import type { Bucket } from './bucket-ring.js';
import { median } from './median.js';
import { convertedMean, frequencyAtEnd, lastThird, type Reference } from './reference.js';
import { UNREST_LAGS, roughnessOf, unrestOf } from './unrest.js';

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

/** What the buckets alone do not tell. */
export interface Circumstances {
  /** Bit = catalogue position: readings that have stood still, or have been missing, for too long. */
  readonly stillMask: number;
  readonly goneMask: number;
  /** When the pump was last started, or changed its speed, epoch microseconds; −Infinity: not in living memory. */
  readonly operatedUs: number;
}

export interface Symptoms {
  readonly channels: ReadonlyMap<ChannelName, ChannelSymptoms>;
  readonly reference: Reference;
  readonly buckets: number;
  /** From the beginning of what is compared to its end, seconds. */
  readonly lastsSeconds: number;
  /** Median time from one bucket to the next, seconds. */
  readonly bucketSeconds: number;
  /** Since the pump was last started, or changed its speed; Infinity where that is not known. */
  readonly settledSeconds: number;
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
/** Unrest below these shares of the scale is nothing that a process does: from one bucket to another, and within them. */
const LEAST_UNREST = 0.003;
const LEAST_ROUGHNESS = 0.001;
/** Spread and resolution below this share of the scale count as this much. */
const LEAST_NOISE = 0.002;
/** At or below this share of its level a reading is zero. */
const STOPPED_SHARE = 0.01;
/** Channels whose unrest is asked for: medians are what costs. */
const UNREST_MASK = channelMask(['motor_current', 'intake_pressure', 'flow_rate', 'vibration']);
/** Buckets from which unrest is looked for between them, and so many times the distance for the longer ones. */
const LEAST_BETWEEN = 5;
const WINDOW_OF_LAG = 8;
/** What swings more slowly is operation, seconds. */
const LONGEST_HALF_SWING_S = 100;
/** A change that loses so much of itself from the first third of a window to the last is on its way back, as after a start. */
const GOES_AWAY = [0.15, 0.6] as const;
const DOUBTFUL_DEVIATIONS = 2.5;
const CERTAIN_DEVIATIONS = 6;

/** 0 below `from`, 1 above `to`, straight in between. */
export function ramp(value: number, from: number, to: number): number {
  return Math.min(1, Math.max(0, (value - from) / (to - from)));
}

/**
 * Compares the buckets of now, at least one, with the reference.
 */
export function symptomsOf(reference: Reference, during: readonly Bucket[], circumstances: Circumstances): Symptoms {
  const first = during[0] as Bucket;
  const last = during.at(-1) as Bucket;
  const spanUs = last.toUs - first.fromUs;
  const frequencyHz = frequencyAtEnd(during);
  const channels = new Map<ChannelName, ChannelSymptoms>();
  for (let index = 0; index < CHANNEL_COUNT; index++) {
    const name = CHANNEL_NAMES[index] as ChannelName;
    channels.set(name, channelSymptoms(name, index, { reference, during, frequencyHz, ...circumstances }));
  }
  return {
    channels,
    reference,
    buckets: during.length,
    lastsSeconds: spanUs / 1e6,
    bucketSeconds: bucketSecondsOf(during),
    settledSeconds: (last.toUs - circumstances.operatedUs) / 1e6,
    isOtherSpeed: Math.abs(frequencyHz - reference.frequencyHz) > 0.6,
  };
}

/** From one bucket to the next, seconds. */
function bucketSecondsOf(during: readonly Bucket[]): number {
  const seconds = ((during.at(-1) as Bucket).toUs - (during[0] as Bucket).fromUs) / 1e6;
  return during.length > 1 ? seconds / (during.length - 1) : Math.max(10, seconds);
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

/** What one channel is looked at with. */
interface Comparison extends Circumstances {
  readonly reference: Reference;
  readonly during: readonly Bucket[];
  /** At the end of what is compared, Hz. */
  readonly frequencyHz: number;
}

function channelSymptoms(name: ChannelName, index: number, comparison: Comparison): ChannelSymptoms {
  const { reference, during, frequencyHz } = comparison;
  const before = reference.middle[index] as number;
  // Like with like: a window may hold a change of speed.
  const means = during.map((bucket) => convertedMean(bucket, index, frequencyHz));
  const presence = presenceOf(index, means, comparison);
  if (presence === 'absent') return { ...ABSENT, channel: name };
  const recent = lastThird(means);
  const now = median(recent);
  const scale = FIXED_SCALE.get(name) ?? Math.max(Math.abs(before), LEAST_SCALE.get(name) ?? 1);
  const noise = Math.max((reference.spread[index] as number) || 0, scale * LEAST_NOISE);
  const unsteadiness = median(recent.map((value) => Math.abs(value - now)));
  const error = noise + unsteadiness / Math.sqrt(recent.length);
  const conversion = reference.isConverted ? 0.02 * scale : 0;
  const stillGrowing = (now - median(means.slice(0, recent.length))) / (now - before);
  return {
    channel: name,
    presence,
    before,
    now,
    change: (now - before) / scale,
    certainty:
      ramp(Math.abs(now - before) / (error + conversion), DOUBTFUL_DEVIATIONS, CERTAIN_DEVIATIONS) *
      (1 - ramp(-stillGrowing, ...GOES_AWAY)),
    unrest: unrestRatio(index, comparison, means, scale),
    riseBuckets: riseOf(before, now, means),
    stillGrowing,
  };
}

function presenceOf(index: number, means: readonly number[], { reference, stillMask, goneMask }: Comparison): Presence {
  if (Number.isNaN(reference.middle[index])) return 'absent';
  const tail = means.slice(-Math.max(1, Math.ceil(means.length / 2)));
  // Single readings are lost on any line: then there is nothing to be said, neither for nor against.
  if (tail.every((value) => Number.isNaN(value))) return (goneMask & (1 << index)) === 0 ? 'absent' : 'gone';
  // A flow that has stopped is 0 for as long as it has.
  if (tail.every((value) => !(Math.abs(value) > STOPPED_SHARE * Math.abs(reference.middle[index] as number))))
    return 'present';
  return (stillMask & (1 << index)) === 0 ? 'present' : 'still';
}

function unrestRatio(
  index: number,
  { reference, during }: Comparison,
  means: readonly number[],
  scale: number,
): number {
  if ((UNREST_MASK & (1 << index)) === 0) return Number.NaN;
  const least = LEAST_UNREST * scale;
  // Within the buckets, where they have several readings; between them, where there are enough of them.
  const hasRecords = during.reduce((sum, { records }) => sum + records, 0) >= 2 * during.length;
  // One reading and the next are as far apart as one bucket and the next where those are single ones.
  const leastRough = hasRecords ? LEAST_ROUGHNESS * scale : least;
  const rough = roughnessOf(during, index) / Math.max(reference.roughness[index] as number, leastRough);
  if (means.length < LEAST_BETWEEN) return rough;
  const seconds = bucketSecondsOf(during);
  let most = hasRecords ? rough : Number.NaN;
  for (const [at, lag] of UNREST_LAGS.entries()) {
    if (lag > 1 && (means.length < WINDOW_OF_LAG * lag || lag * seconds > LONGEST_HALF_SWING_S)) continue;
    const ratio = unrestOf(means, lag) / Math.max((reference.unrest[at] as Float64Array)[index] as number, least);
    if (!(ratio <= most)) most = Number.isNaN(ratio) ? most : ratio;
  }
  return most;
}

/** How long the change took, in buckets, from a quarter to three quarters of it; a step takes none. NaN where it began earlier. */
function riseOf(before: number, now: number, means: readonly number[]): number {
  const share = (value: number): number => (value - before) / (now - before);
  const from = means.findIndex((value) => share(value) > 0.25);
  const to = means.findIndex((value) => share(value) > 0.75);
  return from <= 0 || to < 0 ? Number.NaN : to - from;
}
