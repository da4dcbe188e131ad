/**
 * Per device, the exponentially weighted mean and variance of the temperature: what the quality score and the
 * z-score compare with. O(1) state, irregular sampling: the weight of a value follows from the time since the last.
 *
 * Source of the recursion: T. Finch, "Incremental calculation of weighted mean and variance" (2009), section 9.
 */
import { grown } from '../device-table.js';

/** The fields of the hash `device:{device_id}:stats`, as the installed base names them, with count and time. */
export interface BaselineState {
  readonly temp_mean: number;
  readonly temp_std: number;
  /** What `temp_std` is the root of: kept beside it, so that restoring is exact to the bit. */
  readonly temp_variance: number;
  /** Values learned. */
  readonly temp_count: number;
  /** Epoch microseconds of the last value learned. */
  readonly temp_time_us: number;
}

export interface BaselineOptions {
  readonly timeConstantHours: number;
  /** Values before the baseline is used. */
  readonly warmUpRecords: number;
}

const INITIAL_CAPACITY = 1024;
/** Longest step that a gap may count for: a week of silence must not hand the whole baseline to one value. */
const MAX_STEP_US = 3600 * 1e6;
/** Values further away are learned as if they were this many deviations away: a spike moves the baseline little, a lasting change still does. */
const LEARNING_CLIP = 3;
/** Least standard deviation, °C: the resolution of a gauge. A channel that never moved would make any change infinite. */
const STD_FLOOR = 0.1;

export class TemperatureBaseline {
  readonly #timeConstantUs: number;
  readonly #warmUp: number;
  #mean = new Float64Array(INITIAL_CAPACITY);
  #variance = new Float64Array(INITIAL_CAPACITY);
  #count = new Float64Array(INITIAL_CAPACITY);
  /** The last step, and what it weighs: devices mostly report at the same interval, and the exponential function is dear. */
  #stepUs = 0;
  #stepWeight = 0;
  #timeUs = new Float64Array(INITIAL_CAPACITY).fill(Number.NEGATIVE_INFINITY);

  constructor(options: BaselineOptions) {
    this.#timeConstantUs = options.timeConstantHours * 3600 * 1e6;
    this.#warmUp = options.warmUpRecords;
  }

  /** Makes room for devices 0 … count − 1. */
  reserve(count: number): void {
    const before = this.#mean.length;
    if (count <= before) return;
    const capacity = Math.max(count, before * 2);
    this.#mean = grown(this.#mean, capacity);
    this.#variance = grown(this.#variance, capacity);
    this.#count = grown(this.#count, capacity);
    this.#timeUs = grown(this.#timeUs, capacity).fill(Number.NEGATIVE_INFINITY, before);
  }

  isWarm(device: number): boolean {
    return (this.#count[device] as number) >= this.#warmUp;
  }

  mean(device: number): number {
    return this.#mean[device] as number;
  }

  /** Standard deviation, °C, never below the resolution of a gauge. */
  std(device: number): number {
    return Math.max(Math.sqrt(this.#variance[device] as number), STD_FLOOR);
  }

  /** Learns a value, unless it is not newer than the last one learned: a redelivery teaches nothing twice. */
  learn(device: number, timestampUs: number, value: number): void {
    const elapsedUs = timestampUs - (this.#timeUs[device] as number);
    if (!(elapsedUs > 0)) return;
    const count = (this.#count[device] as number) + 1;
    this.#count[device] = count;
    this.#timeUs[device] = timestampUs;
    if (count === 1) {
      this.#mean[device] = value;
      return;
    }
    if (elapsedUs !== this.#stepUs) {
      this.#stepUs = elapsedUs;
      this.#stepWeight = 1 - Math.exp(-Math.min(elapsedUs, MAX_STEP_US) / this.#timeConstantUs);
    }
    const weight = Math.max(this.#stepWeight, 1 / count);
    const mean = this.#mean[device] as number;
    let delta = value - mean;
    if (count > this.#warmUp) {
      const clip = LEARNING_CLIP * this.std(device);
      delta = delta > clip ? clip : delta < -clip ? -clip : delta;
    }
    this.#mean[device] = mean + weight * delta;
    this.#variance[device] = (1 - weight) * ((this.#variance[device] as number) + weight * delta * delta);
  }

  /** The state to save; undefined while nothing was learned. */
  snapshot(device: number): BaselineState | undefined {
    if (this.#count[device] === 0) return undefined;
    return {
      temp_mean: this.#mean[device] as number,
      temp_std: Math.sqrt(this.#variance[device] as number),
      temp_variance: this.#variance[device] as number,
      temp_count: this.#count[device] as number,
      temp_time_us: this.#timeUs[device] as number,
    };
  }

  /** Begins anew. */
  forget(device: number): void {
    this.restore(device, { temp_mean: 0, temp_std: 0, temp_variance: 0, temp_count: 0, temp_time_us: -Infinity });
  }

  restore(device: number, state: BaselineState): void {
    this.#mean[device] = state.temp_mean;
    this.#variance[device] = state.temp_variance;
    this.#count[device] = state.temp_count;
    this.#timeUs[device] = state.temp_time_us;
  }
}
