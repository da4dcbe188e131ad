/**
 * How restless a channel is, within its buckets and from one to the next. What swings slowly is not to be seen between
 * neighbours: it is looked for over several distances, each against the same distance before.
 */
import type { Bucket } from './bucket-ring.js';
import { median } from './median.js';

/** Distances in buckets; half of a swing is where it shows most. Of buckets of ten seconds: swings of seconds to some minutes. */
export const UNREST_LAGS = [1, 3, 9] as const;

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

/**
 * How far the means are from the line through the ones before and after: a trend is no unrest. NaN of too few.
 * @param lag buckets from one to those before and after
 */
export function unrestOf(means: readonly number[], lag: number): number {
  const deviations: number[] = [];
  for (let at = lag; at + lag < means.length; at++)
    deviations.push((means[at] as number) - ((means[at - lag] as number) + (means[at + lag] as number)) / 2);
  if (deviations.length < 3 * lag) return Number.NaN;
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
