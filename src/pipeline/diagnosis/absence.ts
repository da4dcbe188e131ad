/**
 * Which readings are gone: missing for longer than they ever were, and than chance would have it. Single values are lost on
 * any line, and one that is missing each twentieth time is missing three times in a row every day.
 */
import { CHANNEL_COUNT, channelMask } from '../../telemetry/channels.js';
import type { Bucket, BucketRing } from './bucket-ring.js';
import { DOWNHOLE } from './still-runs.js';

const DOWNHOLE_MASK = channelMask(DOWNHOLE);
/** A run of missing readings that chance would bring so seldom is none of chance. */
const SELDOM = Math.log(1e-4);
/** So many times the longest run before, and this many more. */
const TIMES_LONGEST = 3;
const MORE_THAN_LONGEST = 2;
/** So many buckets at least: a single channel has time, and a line may just have become worse. */
const LEAST_CHANNEL = 6;
const LEAST_GAUGE = 2;

/** Bit = catalogue position: the channel is gone at the end of the buckets, by itself or with all that is downhole. */
export function goneMask(ring: BucketRing): number {
  const [last] = ring.select(ring.length - 1, ring.length);
  if (last === undefined) return 0;
  const missing = range().filter((index) => ring.hasHad(index) && Number.isNaN(last.means[index]));
  if (missing.length === 0) return 0;
  const buckets = ring.select(0, ring.length);
  let mask = 0;
  for (const index of missing) if (isGone(buckets, [index], LEAST_CHANNEL)) mask |= 1 << index;
  // A gauge is lost as a whole: that several are missing at the same time is rarer than that one is.
  const downhole = range().filter((index) => (DOWNHOLE_MASK & (1 << index)) !== 0 && ring.hasHad(index));
  const isWholeMissing = downhole.length > 1 && downhole.every((index) => missing.includes(index));
  if (isWholeMissing && isGone(buckets, downhole, LEAST_GAUGE)) for (const index of downhole) mask |= 1 << index;
  return mask;
}

const range = (): number[] => Array.from({ length: CHANNEL_COUNT }, (_, index) => index);

/** Whether all of some channels have been missing together for too long. */
function isGone(buckets: readonly Bucket[], indices: readonly number[], least: number): boolean {
  const isMissing = ({ means }: Bucket): boolean => indices.every((index) => Number.isNaN(means[index]));
  let at = buckets.length;
  while (at > 0 && isMissing(buckets[at - 1] as Bucket)) at--;
  const run = buckets.length - at;
  if (run < least) return false;
  let longest = 0;
  let present = 0;
  let missing = 0;
  let current = 0;
  for (const bucket of buckets.slice(0, at)) {
    // What was gone before is no example of what is normal.
    if (isMissing(bucket) && !bucket.isExcluded) {
      missing++;
      longest = Math.max(longest, ++current);
    } else {
      present++;
      current = 0;
    }
  }
  const chance = Math.log((missing + 1) / (present + missing + 2));
  return run * chance <= SELDOM && run >= TIMES_LONGEST * longest + MORE_THAN_LONGEST;
}
