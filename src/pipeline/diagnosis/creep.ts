/**
 * What creeps, without what was done: the quarters of an hour with the steps taken out. A start, another speed and another
 * choke shift the levels at once, and the affinity laws foresee that only roughly (they know pump and motor, not the well);
 * what takes days goes on from wherever the step has left it. So each stretch between two steps is moved to where the
 * one before it ended.
 */
import { CHANNEL_COUNT, channel } from '../../telemetry/channels.js';
import type { Bucket } from './bucket-ring.js';
import { median } from './median.js';
import { convertedMean, frequencyOf } from './reference.js';

/** Channels that show a step. */
const TELLTALES = (['pressure', 'flow_rate', 'motor_current', 'discharge_pressure'] as const).map(
  (name) => channel(name).index,
);
const FREQUENCY = channel('drive_frequency').index;
const SAME_FREQUENCY_HZ = 0.4;
/** A step is so many times what lies between neighbours as a rule, and this share of the level. */
const STEP_TIMES = 8;
const STEP_SHARE = 0.025;
/** After a step the well settles: so much of a stretch is left out, as long as so many buckets are left of it. */
const SETTLES_US = 3600e6;
const LEAST_STRETCH = 3;
/** Buckets at the ends of two stretches that are held against each other. */
const JOINT = 6;

/** The steady buckets, oldest first, on the level and at the frequency of the first. */
export function creepOf(coarse: readonly Bucket[]): readonly Bucket[] {
  const steady = coarse.filter(({ isSteady }) => isSteady);
  if (steady.length === 0) return steady;
  const stretches = stretchesOf(coarse);
  const frequencyHz = frequencyOf(stretches[0] ?? steady);
  const joined: Bucket[] = [];
  const offsets = new Float64Array(CHANNEL_COUNT);
  let last: readonly Bucket[] = [];
  for (const stretch of stretches) {
    const own = stretch.map((bucket) => ({
      ...bucket,
      means: Float64Array.from(bucket.means, (_, index) => convertedMean(bucket, index, frequencyHz)),
    }));
    if (last.length > 0)
      for (let index = 0; index < CHANNEL_COUNT; index++) {
        const step = levelOf(last.slice(-JOINT), index) - levelOf(own.slice(0, JOINT), index);
        // A channel that was not there on both sides has no step.
        offsets[index] = Number.isNaN(step) ? 0 : step;
      }
    for (const { means } of own) for (let index = 0; index < CHANNEL_COUNT; index++) addTo(means, index, offsets);
    joined.push(...own);
    last = own;
  }
  return joined;
}

function addTo(means: Float64Array, index: number, offsets: Float64Array): void {
  means[index] = (means[index] as number) + (offsets[index] as number);
}

const levelOf = (buckets: readonly Bucket[], index: number): number =>
  median(buckets.map(({ means }) => means[index] as number));

/** Runs of steady buckets at one speed and without a step, less what settles at their beginnings. */
function stretchesOf(coarse: readonly Bucket[]): readonly (readonly Bucket[])[] {
  const limits = TELLTALES.map((index) => stepLimit(coarse, index));
  const stretches: Bucket[][] = [];
  let current: Bucket[] = [];
  const close = (): void => {
    const fromUs = current[0]?.fromUs ?? 0;
    const settled = stretches.length === 0 ? current : current.filter((bucket) => bucket.fromUs - fromUs >= SETTLES_US);
    if (settled.length >= LEAST_STRETCH) stretches.push(settled);
    current = [];
  };
  for (const bucket of coarse) {
    const last = current.at(-1);
    if (!bucket.isSteady) close();
    else if (last !== undefined && isStep(last, bucket, limits)) close();
    if (bucket.isSteady) current.push(bucket);
  }
  close();
  return stretches;
}

function isStep(last: Bucket, next: Bucket, limits: readonly number[]): boolean {
  if (Math.abs((next.means[FREQUENCY] as number) - (last.means[FREQUENCY] as number)) > SAME_FREQUENCY_HZ) return true;
  return TELLTALES.some(
    (index, at) => Math.abs((next.means[index] as number) - (last.means[index] as number)) > (limits[at] as number),
  );
}

function stepLimit(coarse: readonly Bucket[], index: number): number {
  const values = coarse.map(({ means, isSteady }) => (isSteady ? (means[index] as number) : Number.NaN));
  const between = median(values.slice(1).map((value, at) => Math.abs(value - (values[at] as number))));
  return Math.max(STEP_TIMES * between, STEP_SHARE * Math.abs(median(values)));
}
