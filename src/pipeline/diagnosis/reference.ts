/**
 * What is normal for a device: the middle, the spread and the unrest of each channel before something happened, brought to
 * the frequency of now by the affinity laws, so that a change of speed does not look like a fault.
 */
import { CHANNEL_COUNT, channel } from '../../telemetry/channels.js';
import type { Bucket } from './bucket-ring.js';
import { median } from './median.js';
import { UNREST_LAGS, roughnessOf, unrestOf } from './unrest.js';

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
  /** How much the buckets' means swing, for each of `UNREST_LAGS`. */
  readonly unrest: readonly Float64Array[];
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
/** So many of the newest are one beside the other (`thinned`). */
const NEIGHBOURS = MOST_BUCKETS / 2;
const DEVIATION_OF_MEDIAN = 1.4826;

/** Median frequency of some buckets, Hz; NaN where none knows it. */
export function frequencyOf(buckets: readonly Bucket[]): number {
  return median(
    buckets.map(({ means }) => ((means[FREQUENCY] as number) > 1 ? (means[FREQUENCY] as number) : Number.NaN)),
  );
}

/** Frequency at the end of a window, in its last third, Hz: what is seen now is seen there. */
export function frequencyAtEnd(buckets: readonly Bucket[]): number {
  return frequencyOf(lastThird(buckets));
}

/** The last third, two at least. */
export function lastThird<T>(items: readonly T[]): readonly T[] {
  return items.slice(-Math.max(2, Math.ceil(items.length / 3)));
}

/** The reference of the buckets for comparing with a time at `frequencyHz` (NaN: not known, nothing is converted). */
export function createReference(buckets: readonly Bucket[], frequencyHz: number): Reference {
  // A frequency that is missing now and then says nothing about the speed; one that always is, that it is not known.
  const known = buckets.filter(({ means }) => !Number.isNaN(means[FREQUENCY]));
  const usable = known.length * 2 >= buckets.length ? known : buckets;
  const same = usable.filter(
    ({ means }) => !(Math.abs((means[FREQUENCY] as number) - frequencyHz) > SAME_HZ), // unknown counts as the same
  );
  const isConverted = same.length < Math.min(LEAST_SAME, usable.length);
  const used = thinned(isConverted ? usable : same);
  const reference: Reference = {
    buckets: used.length,
    frequencyHz: frequencyOf(used),
    isConverted,
    middle: new Float64Array(CHANNEL_COUNT),
    spread: new Float64Array(CHANNEL_COUNT),
    roughness: new Float64Array(CHANNEL_COUNT),
    unrest: UNREST_LAGS.map(() => new Float64Array(CHANNEL_COUNT)),
  };
  for (let index = 0; index < CHANNEL_COUNT; index++) {
    const means = used.map((bucket) => convertedMean(bucket, index, frequencyHz));
    const present = means.reduce((count, value) => (value === value ? count + 1 : count), 0);
    if (present * 2 < used.length || present === 0) {
      for (const figures of [reference.middle, reference.spread, reference.roughness, ...reference.unrest])
        figures[index] = Number.NaN;
      continue;
    }
    const middle = median(means);
    reference.middle[index] = middle;
    reference.spread[index] = DEVIATION_OF_MEDIAN * median(means.map((value) => Math.abs(value - middle)));
    reference.roughness[index] = roughnessOf(used, index);
    for (const [at, lag] of UNREST_LAGS.entries())
      (reference.unrest[at] as Float64Array)[index] = unrestOf(lag === 1 ? means : means.slice(-NEIGHBOURS), lag);
  }
  return reference;
}

/** A mean as it would be at another frequency. */
export function convertedMean({ means }: Bucket, index: number, frequencyHz: number): number {
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

/** The newest buckets, or every so many of them: neighbours stay neighbours, since unrest looks at those. */
function thinned(buckets: readonly Bucket[]): readonly Bucket[] {
  if (buckets.length <= MOST_BUCKETS) return buckets;
  const older = buckets.slice(0, -NEIGHBOURS);
  const step = Math.ceil(older.length / NEIGHBOURS);
  return [...older.filter((_, at) => at % step === 0), ...buckets.slice(-NEIGHBOURS)];
}
