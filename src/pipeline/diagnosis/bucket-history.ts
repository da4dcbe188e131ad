/**
 * The recent past of one device, coarse enough to be kept: buckets of at least ten seconds, and of at least a quarter of
 * an hour for what takes days. A record that comes every minute is a bucket of its own.
 */
import { CHANNEL_COUNT, channel } from '../../telemetry/channels.js';
import { OperatingState } from '../../telemetry/operating-state.js';
import { StillRuns } from './still-runs.js';

export interface Bucket {
  /** Times of its first and its last record, epoch microseconds. */
  readonly fromUs: number;
  readonly toUs: number;
  readonly records: number;
  /** The pump turned in every record, and neither started nor changed its speed. */
  readonly isSteady: boolean;
  /** Mean by catalogue position; NaN = no reading. */
  readonly means: Float64Array;
  /** Mean absolute difference between successive readings; NaN = fewer than two. */
  readonly roughness: Float64Array;
  /** Bit = catalogue position: the reading changed. */
  readonly changed: number;
  /** Part of an episode: no measure of what is normal. */
  isExcluded: boolean;
}

const FINE_US = 10e6;
const FINE_BUCKETS = 360;
const COARSE_US = 900e6;
/** So many fine buckets make a coarse one at least. */
const COARSE_OF_FINE = 4;
/** Seven and a half days of quarters of an hour. */
const COARSE_BUCKETS = 720;
/** Old buckets are cut off so many at a time. */
const SLACK = 64;
/** A frequency within this of the last one is the same, Hz. */
const SAME_FREQUENCY_HZ = 0.6;
const FREQUENCY = channel('drive_frequency').index;

const STEADY: ReadonlySet<number> = new Set([OperatingState.running, OperatingState.unknown]);

export class BucketHistory {
  readonly fine: Bucket[] = [];
  readonly coarse: Bucket[] = [];
  /** When the pump was last started, or changed its speed; −Infinity before it was. */
  operatedUs = Number.NEGATIVE_INFINITY;
  #fromUs = Number.NaN;
  #lastUs = Number.NaN;
  #records = 0;
  #isSteady = true;
  #changed = 0;
  #steadyHz = Number.NaN;
  readonly #sums = new Float64Array(CHANNEL_COUNT);
  readonly #counts = new Float64Array(CHANNEL_COUNT);
  readonly #steps = new Float64Array(CHANNEL_COUNT);
  readonly #stepCounts = new Float64Array(CHANNEL_COUNT);
  readonly #last = new Float64Array(CHANNEL_COUNT).fill(Number.NaN);
  #coarseFrom = 0;
  readonly #still = new StillRuns();

  /** Channels (bit = catalogue position) that have shown the same reading for longer than they ever did. */
  get stillMask(): number {
    return this.#still.mask;
  }

  /**
   * Takes the next record of the device, in time order.
   * @returns the bucket that it completes
   */
  add(timestampUs: number, values: Float32Array, base: number, state: OperatingState): Bucket | undefined {
    let closed: Bucket | undefined;
    const intervalUs = timestampUs - this.#lastUs;
    if (this.#records > 0 && timestampUs - this.#fromUs >= FINE_US) closed = this.#close();
    if (this.#records === 0) this.#fromUs = timestampUs;
    this.#take(timestampUs, values, base, state);
    // Where records are far apart, the next one would only tell that this bucket was over.
    if (closed === undefined && timestampUs + intervalUs - this.#fromUs >= FINE_US) closed = this.#close();
    return closed;
  }

  #take(timestampUs: number, values: Float32Array, base: number, state: OperatingState): void {
    this.#records++;
    this.#lastUs = timestampUs;
    const isSteady = STEADY.has(state);
    this.#isSteady &&= isSteady;
    this.#noteFrequency(values[base + FREQUENCY] as number, isSteady, timestampUs);
    for (let index = 0; index < CHANNEL_COUNT; index++) {
      const value = values[base + index] as number;
      if (value !== value) continue;
      this.#sums[index] = (this.#sums[index] as number) + value;
      this.#counts[index] = (this.#counts[index] as number) + 1;
      const step = Math.abs(value - (this.#last[index] as number));
      this.#last[index] = value;
      if (!(step >= 0)) continue;
      this.#steps[index] = (this.#steps[index] as number) + step;
      this.#stepCounts[index] = (this.#stepCounts[index] as number) + 1;
      if (step > 0) this.#changed |= 1 << index;
    }
  }

  #noteFrequency(frequency: number, isSteady: boolean, timestampUs: number): void {
    if (!isSteady) this.operatedUs = timestampUs;
    if (!(frequency > 1)) return;
    if (Math.abs(frequency - this.#steadyHz) > SAME_FREQUENCY_HZ) this.operatedUs = timestampUs;
    if (!(Math.abs(frequency - this.#steadyHz) <= SAME_FREQUENCY_HZ)) this.#steadyHz = frequency;
  }

  #close(): Bucket {
    const means = new Float64Array(CHANNEL_COUNT);
    const roughness = new Float64Array(CHANNEL_COUNT);
    for (let index = 0; index < CHANNEL_COUNT; index++) {
      means[index] = (this.#sums[index] as number) / (this.#counts[index] as number); // 0 / 0 = NaN: none
      roughness[index] = (this.#steps[index] as number) / (this.#stepCounts[index] as number);
    }
    const bucket: Bucket = {
      fromUs: this.#fromUs,
      toUs: this.#lastUs,
      records: this.#records,
      isSteady: this.#isSteady,
      means,
      roughness,
      changed: this.#changed,
      isExcluded: false,
    };
    this.#records = 0;
    this.#isSteady = true;
    this.#changed = 0;
    for (const sums of [this.#sums, this.#counts, this.#steps, this.#stepCounts]) sums.fill(0);
    this.fine.push(bucket);
    this.#still.add(bucket);
    this.#closeCoarse(bucket);
    if (this.fine.length > FINE_BUCKETS + SLACK) {
      const cut = this.fine.length - FINE_BUCKETS;
      this.fine.splice(0, cut);
      this.#coarseFrom -= cut;
    }
    return bucket;
  }

  #closeCoarse(last: Bucket): void {
    const parts = this.fine.slice(Math.max(0, this.#coarseFrom));
    const first = parts[0] as Bucket;
    if (parts.length < COARSE_OF_FINE || last.toUs - first.fromUs < COARSE_US * 0.95) return;
    this.#coarseFrom = this.fine.length;
    this.coarse.push(joined(parts));
    if (this.coarse.length > COARSE_BUCKETS + SLACK) this.coarse.splice(0, this.coarse.length - COARSE_BUCKETS);
  }
}

/** Several buckets as one: only its steady parts count, where there are some. */
function joined(parts: readonly Bucket[]): Bucket {
  const steady = parts.filter(({ isSteady }) => isSteady);
  const used = steady.length * 2 >= parts.length ? steady : parts;
  const average = (of: (bucket: Bucket) => Float64Array): Float64Array =>
    Float64Array.from({ length: CHANNEL_COUNT }, (_, index) => {
      const present = used.map((bucket) => of(bucket)[index] as number).filter((value) => !Number.isNaN(value));
      return present.reduce((sum, value) => sum + value, 0) / present.length;
    });
  return {
    fromUs: (parts[0] as Bucket).fromUs,
    toUs: (parts.at(-1) as Bucket).toUs,
    records: parts.reduce((sum, { records }) => sum + records, 0),
    isSteady: used === steady,
    means: average(({ means }) => means),
    roughness: average(({ roughness }) => roughness),
    changed: parts.reduce((mask, { changed }) => mask | changed, 0),
    isExcluded: parts.some(({ isExcluded }) => isExcluded),
  };
}
