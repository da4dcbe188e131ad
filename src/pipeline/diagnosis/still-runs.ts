/**
 * Which readings stand still: for how many buckets in a row a channel has not changed, against the longest such run that
 * it has ended before. A channel that stands still for most of the time (a set frequency, a pressure in whole psi) is never said to.
 */
import { CHANNEL_COUNT, channelMask, type ChannelName } from '../../telemetry/channels.js';
import type { Bucket } from './bucket-history.js';

/** Sent up by the gauge below the motor: lost together with it. */
export const DOWNHOLE: readonly ChannelName[] = [
  'temperature',
  'vibration',
  'intake_pressure',
  'discharge_pressure',
  'motor_temperature',
  'vibration_y',
  'vibration_z',
];
const DOWNHOLE_MASK = channelMask(DOWNHOLE);
/** What is set, not measured, stands still by itself. */
const SET_MASK = channelMask(['drive_frequency']);

/** The run of one channel, or of several that stand still together. */
class StillRun {
  #buckets = 0;
  #longest = 0;
  #changes = 0;
  #stillBuckets = 0;
  readonly #least: number;
  readonly #times: number;

  /** @param least buckets, and @param times the longest run so far, from which a run is too long */
  constructor(least: number, times: number) {
    this.#least = least;
    this.#times = times;
  }

  add(hasChanged: boolean): void {
    if (!hasChanged) {
      this.#buckets++;
      return;
    }
    // A run that was an alarm is no example of what is normal.
    if (!this.isTooLong) {
      this.#longest = Math.max(this.#longest, this.#buckets);
      this.#stillBuckets += this.#buckets;
    }
    this.#buckets = 0;
    this.#changes++;
  }

  interrupt(): void {
    this.#buckets = 0;
  }

  get isTooLong(): boolean {
    const isLively =
      this.#changes >= LEAST_CHANGES && this.#changes >= LEAST_SHARE * (this.#changes + this.#stillBuckets);
    return isLively && this.#buckets >= Math.max(this.#least, this.#times * this.#longest + 2);
  }
}

/** Changes after which it is known how often a channel changes; most of the buckets must have some. */
const LEAST_CHANGES = 5;
const LEAST_SHARE = 0.7;
/** Buckets that are suspicious for one channel, and for a whole gauge, which has many chances to move. */
const LEAST_STILL = 8;
const LEAST_GAUGE_STILL = 3;

export class StillRuns {
  readonly #channels = Array.from({ length: CHANNEL_COUNT }, () => new StillRun(LEAST_STILL, 4));
  readonly #gauge = new StillRun(LEAST_GAUGE_STILL, 2);

  add({ isSteady, changed, means }: Bucket): void {
    // What a standing pump shows may well be the same for hours.
    if (!isSteady) {
      for (const run of [...this.#channels, this.#gauge]) run.interrupt();
      return;
    }
    let present = 0;
    for (const [index, run] of this.#channels.entries()) {
      if (Number.isNaN(means[index])) continue;
      present |= 1 << index;
      run.add((changed & (1 << index)) !== 0);
    }
    if ((present & DOWNHOLE_MASK) !== 0) this.#gauge.add((changed & DOWNHOLE_MASK) !== 0);
  }

  /** Bit = catalogue position. */
  get mask(): number {
    let mask = this.#gauge.isTooLong ? DOWNHOLE_MASK : 0;
    for (const [index, run] of this.#channels.entries()) if (run.isTooLong) mask |= 1 << index;
    return mask & ~SET_MASK;
  }
}
