/**
 * The recent past of one device, coarse enough to be kept: buckets of at least ten seconds, and of at least a quarter of
 * an hour for what takes days. A record that comes every minute is a bucket of its own.
 */
import { CHANNEL_COUNT, channel } from '../../telemetry/channels.js';
import { OperatingState } from '../../telemetry/operating-state.js';
import type { StateReader, StateWriter } from '../state-bytes.js';
import { type Bucket, BucketRing } from './bucket-ring.js';
import { StillRuns } from './still-runs.js';

const FINE_US = 10e6;
const FINE_BUCKETS = 360;
const COARSE_US = 900e6;
/** So many fine buckets make a coarse one at least. */
const COARSE_OF_FINE = 4;
/** Seven and a half days of quarters of an hour. */
const COARSE_BUCKETS = 720;
/** A frequency within this of the last one is the same, Hz. */
const SAME_FREQUENCY_HZ = 0.6;
const FREQUENCY = channel('drive_frequency').index;

const STEADY: ReadonlySet<number> = new Set([OperatingState.running, OperatingState.unknown]);

/** What is being counted for the bucket that is not complete yet, by channel. */
const SUMS = 0;
const COUNTS = CHANNEL_COUNT;
const STEPS = 2 * CHANNEL_COUNT;
const STEP_COUNTS = 3 * CHANNEL_COUNT;
/** The last reading of each channel; it outlasts the bucket. */
const LAST = 4 * CHANNEL_COUNT;
/** The smallest step of each channel so far: the last digit that it is reported with; infinite before the first one. */
const DIGIT = 5 * CHANNEL_COUNT;
const FIGURES = 6 * CHANNEL_COUNT;
/** More than one digit: differences of float32 are not all the same to the bit. */
const DIGITS = 1.5;

export class BucketHistory {
  readonly fine = new BucketRing(FINE_BUCKETS);
  readonly coarse = new BucketRing(COARSE_BUCKETS);
  /** When the pump was last started, or changed its speed; −Infinity before it was. */
  operatedUs = Number.NEGATIVE_INFINITY;
  #fromUs = Number.NaN;
  #lastUs = Number.NaN;
  #records = 0;
  #isSteady = true;
  #changed = 0;
  #swung = 0;
  /** Channels whose last change was a rise; it outlasts the bucket. */
  #up = 0;
  #steadyHz = Number.NaN;
  /** The last frequency, which the next one has to confirm. */
  #pendingHz = Number.NaN;
  readonly #figures = new Float64Array(FIGURES).fill(Number.NaN, LAST).fill(Number.POSITIVE_INFINITY, DIGIT);
  /** Fine buckets that are not in a coarse one yet. */
  #notJoined = 0;
  readonly #still = new StillRuns();

  /** Channels (bit = catalogue position) that have shown the same reading for longer than they ever did. */
  get stillMask(): number {
    return this.#still.mask;
  }

  /** Takes the next record of the device, in time order. @returns whether it completes a bucket */
  add(timestampUs: number, values: Float32Array, base: number, state: OperatingState): boolean {
    let isClosed = false;
    const intervalUs = timestampUs - this.#lastUs;
    if (this.#records > 0 && timestampUs - this.#fromUs >= FINE_US) isClosed = this.#close();
    if (this.#records === 0) this.#fromUs = timestampUs;
    this.#take(timestampUs, values, base, state);
    // Where records are far apart, the next one would only tell that this bucket was over.
    if (!isClosed && timestampUs + intervalUs - this.#fromUs >= FINE_US) isClosed = this.#close();
    return isClosed;
  }

  save(writer: StateWriter): void {
    writer.numbers([this.operatedUs, this.#fromUs, this.#lastUs, this.#records, this.#steadyHz, this.#pendingHz]);
    writer.count(this.#notJoined);
    writer.count(this.#isSteady ? 1 : 0);
    writer.count(this.#changed);
    writer.count(this.#swung);
    writer.count(this.#up);
    writer.numbers(this.#figures);
    this.#still.save(writer);
    this.fine.save(writer);
    this.coarse.save(writer);
  }

  /** Takes what was saved; to be called once, on a new one. @throws StateMismatch */
  restore(reader: StateReader): void {
    const [operatedUs, fromUs, lastUs, records, steadyHz, pendingHz] = reader.numbers(6) as unknown as SavedNumbers;
    this.operatedUs = operatedUs;
    this.#fromUs = fromUs;
    this.#lastUs = lastUs;
    this.#records = records;
    this.#steadyHz = steadyHz;
    this.#pendingHz = pendingHz;
    this.#notJoined = reader.count();
    this.#isSteady = reader.count() === 1;
    this.#changed = reader.count();
    this.#swung = reader.count();
    this.#up = reader.count();
    this.#figures.set(reader.numbers(FIGURES));
    this.#still.restore(reader);
    this.fine.restore(reader);
    this.coarse.restore(reader);
  }

  #take(timestampUs: number, values: Float32Array, base: number, state: OperatingState): void {
    this.#records++;
    this.#lastUs = timestampUs;
    const isSteady = STEADY.has(state);
    this.#isSteady &&= isSteady;
    this.#noteFrequency(values[base + FREQUENCY] as number, state, timestampUs);
    for (let index = 0; index < CHANNEL_COUNT; index++) {
      const value = values[base + index] as number;
      if (value !== value) continue;
      this.#count(SUMS + index, value);
      this.#count(COUNTS + index, 1);
      const change = value - (this.#figures[LAST + index] as number);
      const step = Math.abs(change);
      this.#figures[LAST + index] = value;
      if (!(step >= 0)) continue;
      this.#count(STEPS + index, step);
      this.#count(STEP_COUNTS + index, 1);
      if (step > 0) this.#noteChange(index, change > 0, step);
    }
  }

  #noteChange(index: number, isUp: boolean, step: number): void {
    const bit = 1 << index;
    this.#changed |= bit;
    const hasTurned = ((this.#up & bit) !== 0) !== isUp;
    if (hasTurned) this.#up ^= bit;
    const digit = this.#figures[DIGIT + index] as number;
    if (step < digit) this.#figures[DIGIT + index] = step;
    else if (hasTurned && step > DIGITS * digit) this.#swung |= bit;
  }

  #count(at: number, amount: number): void {
    this.#figures[at] = (this.#figures[at] as number) + amount;
  }

  #noteFrequency(frequency: number, state: OperatingState, timestampUs: number): void {
    if (state === OperatingState.off || state === OperatingState.starting) this.operatedUs = timestampUs;
    if (!(frequency > 1)) return;
    // Twice in a row: a single reading may be a spike.
    const isConfirmed = Math.abs(frequency - this.#pendingHz) <= SAME_FREQUENCY_HZ;
    this.#pendingHz = frequency;
    if (!isConfirmed || Math.abs(frequency - this.#steadyHz) <= SAME_FREQUENCY_HZ) return;
    if (!Number.isNaN(this.#steadyHz)) this.operatedUs = timestampUs;
    this.#steadyHz = frequency;
  }

  #close(): true {
    const means = new Float64Array(CHANNEL_COUNT);
    const roughness = new Float64Array(CHANNEL_COUNT);
    const figures = this.#figures;
    let present = 0;
    for (let index = 0; index < CHANNEL_COUNT; index++) {
      means[index] = (figures[SUMS + index] as number) / (figures[COUNTS + index] as number); // 0 / 0 = NaN: none
      roughness[index] = (figures[STEPS + index] as number) / (figures[STEP_COUNTS + index] as number);
      if (figures[COUNTS + index] !== 0) present |= 1 << index;
    }
    this.fine.push({
      fromUs: this.#fromUs,
      toUs: this.#lastUs,
      records: this.#records,
      isSteady: this.#isSteady,
      means,
      roughness,
      isExcluded: false,
    });
    this.#still.add(this.#isSteady, present, this.#changed, this.#swung);
    this.#closeCoarse();
    this.#records = 0;
    this.#isSteady = true;
    this.#changed = this.#swung = 0;
    figures.fill(0, 0, LAST);
    return true;
  }

  #closeCoarse(): void {
    const { length } = this.fine;
    this.#notJoined = Math.min(this.#notJoined + 1, length);
    const from = length - this.#notJoined;
    if (this.#notJoined < COARSE_OF_FINE) return;
    if (this.fine.toUs(length - 1) - this.fine.fromUs(from) < COARSE_US * 0.95) return;
    this.coarse.push(joined(this.fine.select(from, length)));
    this.#notJoined = 0;
  }
}

type SavedNumbers = [number, number, number, number, number, number];

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
    isExcluded: parts.some(({ isExcluded }) => isExcluded),
  };
}
