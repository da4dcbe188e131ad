/**
 * What is normal for a device: the middle, the spread and the unrest of each channel before something happened, brought to
 * the frequency of now by the affinity laws, so that a change of speed does not look like a fault.
 */
import { CHANNEL_COUNT, channel } from '../../telemetry/channels.js';
import type { Bucket } from './bucket-ring.js';

export interface Reference {
  /** Buckets that it rests on. */
  readonly buckets: number;
  /** Drive frequency of those, Hz; NaN where it is not known. */
  readonly frequencyHz: number;
  /** Whether the affinity laws were used: then it is an approximation. */
  readonly isConverted: boolean;
  /** By catalogue position; NaN = the channel was not there. */
  readonly middle: Float64Array;
  /** Robust standard deviation of the buckets' means. */
  readonly spread: Float64Array;
  /** Median difference between successive readings. */
  readonly roughness: Float64Array;
  /** How much the buckets' means swing from one to the next. */
  readonly unrest: Float64Array;
}

const FREQUENCY = channel('drive_frequency').index;
const INTAKE = channel('intake_pressure').index;
const DISCHARGE = channel('discharge_pressure').index;
/** Powers of the frequency ratio that a channel follows. */
const AFFINITY: ReadonlyMap<number, number> = new Map([
  [channel('flow_rate').index, 1],
  [channel('rpm').index, 1],
  [channel('motor_voltage').index, 1],
  [FREQUENCY, 1],
  // Power goes with the third power, voltage with the first.
  [channel('motor_current').index, 2],
  [channel('vibration').index, 2],
  [channel('vibration_y').index, 2],
  [channel('vibration_z').index, 2],
]);

/** Frequencies nearer than this need no conversion, Hz. */
const SAME_HZ = 0.4;
/** More buckets would make it slower and hardly better. */
const MOST_BUCKETS = 120;
const LEAST_SAME = 8;
const DEVIATION_OF_MEDIAN = 1.4826;

/** One for all: medians are what the watch spends its time with, and sorting numbers in place is the fastest. */
let scratch = new Float64Array(1024);

/** The median of the values that are numbers; NaN of none. */
export function median(values: readonly number[] | Float64Array): number {
  if (values.length > scratch.length) scratch = new Float64Array(values.length * 2);
  let count = 0;
  for (let at = 0; at < values.length; at++) {
    const value = values[at] as number;
    if (value === value) scratch[count++] = value;
  }
  if (count === 0) return Number.NaN;
  const sorted = scratch.subarray(0, count).sort();
  const middle = count >> 1;
  return count % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

/** Median frequency of some buckets, Hz; NaN where none knows it. */
export function frequencyOf(buckets: readonly Bucket[]): number {
  return median(
    buckets.map(({ means }) => ((means[FREQUENCY] as number) > 1 ? (means[FREQUENCY] as number) : Number.NaN)),
  );
}

/** The reference of the buckets for comparing with a time at `frequencyHz` (NaN: not known, nothing is converted). */
export function createReference(buckets: readonly Bucket[], frequencyHz: number): Reference {
  const same = buckets.filter(
    ({ means }) => !(Math.abs((means[FREQUENCY] as number) - frequencyHz) > SAME_HZ), // unknown counts as the same
  );
  const isConverted = same.length < Math.min(LEAST_SAME, buckets.length);
  const used = thinned(isConverted ? buckets : same);
  const reference: Reference = {
    buckets: used.length,
    frequencyHz: frequencyOf(used),
    isConverted,
    middle: new Float64Array(CHANNEL_COUNT),
    spread: new Float64Array(CHANNEL_COUNT),
    roughness: new Float64Array(CHANNEL_COUNT),
    unrest: new Float64Array(CHANNEL_COUNT),
  };
  for (let index = 0; index < CHANNEL_COUNT; index++) {
    const means = used.map((bucket) => convertedMean(bucket, index, frequencyHz));
    const present = means.reduce((count, value) => (value === value ? count + 1 : count), 0);
    if (present * 2 < used.length || present === 0) {
      for (const figures of [reference.middle, reference.spread, reference.roughness, reference.unrest])
        figures[index] = Number.NaN;
      continue;
    }
    const middle = median(means);
    reference.middle[index] = middle;
    reference.spread[index] = DEVIATION_OF_MEDIAN * median(means.map((value) => Math.abs(value - middle)));
    reference.roughness[index] = roughnessOf(used, index);
    reference.unrest[index] = unrestOf(means);
  }
  return reference;
}

/** A mean as it would be at another frequency. */
function convertedMean({ means }: Bucket, index: number, frequencyHz: number): number {
  const value = means[index] as number;
  const from = means[FREQUENCY] as number;
  if (!(from > 1) || !(frequencyHz > 1) || Math.abs(from - frequencyHz) <= SAME_HZ) return value;
  const ratio = frequencyHz / from;
  if (index === DISCHARGE) {
    const intake = means[INTAKE] as number;
    return intake === intake ? intake + (value - intake) * ratio * ratio : value;
  }
  const power = AFFINITY.get(index);
  return power === undefined ? value : value * ratio ** power;
}

/** Median difference between successive readings, less what a trend of the whole makes of it. */
export function roughnessOf(buckets: readonly Bucket[], index: number): number {
  const rough = median(buckets.map(({ roughness }) => roughness[index] as number));
  const trend = median(
    buckets
      .slice(1)
      .map(({ means }, at) => (means[index] as number) - ((buckets[at] as Bucket).means[index] as number)),
  );
  const records = median(buckets.map((bucket) => bucket.records));
  return Number.isNaN(trend) ? rough : Math.max(0, rough - Math.abs(trend) / records);
}

/** In a window shorter than this a bend of the curve would pass for unrest. */
const LONG_WINDOW = 14;
/** What swings of pure noise have to be multiplied by to be as large as its deviations. */
const SWINGS_AS_DEVIATIONS = 1.8;

/** How far the means are from the line through their neighbours: a trend is no unrest. NaN of fewer than five. */
export function unrestOf(means: readonly number[]): number {
  const deviations: number[] = [];
  for (let at = 1; at + 1 < means.length; at++)
    deviations.push((means[at] as number) - ((means[at - 1] as number) + (means[at + 1] as number)) / 2);
  if (deviations.length < 3) return Number.NaN;
  return means.length >= LONG_WINDOW ? median(deviations.map(Math.abs)) : SWINGS_AS_DEVIATIONS * swingsOf(deviations);
}

/** Deviations that are followed by one in the opposite direction: a bend and a step are no swings. The largest is left out. */
function swingsOf(deviations: readonly number[]): number {
  const swings = deviations
    .slice(1)
    .map((value, at) =>
      value * (deviations[at] as number) < 0 ? Math.min(Math.abs(value), Math.abs(deviations[at] as number)) : 0,
    )
    .toSorted((a, b) => a - b)
    .slice(0, -1);
  return swings.reduce((sum, value) => sum + value, 0) / Math.max(1, swings.length);
}

/** The newest buckets, or every so many of them: neighbours stay neighbours, since unrest looks at those. */
function thinned(buckets: readonly Bucket[]): readonly Bucket[] {
  if (buckets.length <= MOST_BUCKETS) return buckets;
  const half = MOST_BUCKETS / 2;
  const older = buckets.slice(0, -half);
  const step = Math.ceil(older.length / half);
  return [...older.filter((_, at) => at % step === 0), ...buckets.slice(-half)];
}
