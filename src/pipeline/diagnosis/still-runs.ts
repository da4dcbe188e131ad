/**
 * Which readings stand still: for how many buckets in a row a channel has not changed, against the longest such run that
 * it has ended before. A channel that stands still for most of the time (a set frequency, a pressure in whole psi) is never said to.
 */
import { CHANNEL_COUNT, channelMask, type ChannelName } from '../../telemetry/channels.js';
import type { StateReader, StateWriter } from '../state-bytes.js';

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

/** Changes after which it is known how often a channel changes; most of the buckets must have some. */
const LEAST_CHANGES = 5;
const LEAST_SHARE = 0.7;
/**
 * A reading that goes to and fro by its last digit does so while it is near the edge of one, and may then drift away and stand for
 * an hour. So it also has to have gone back by more than a digit (a trend does not do that either) in so many buckets.
 */
const LEAST_SWINGS = 5;
/** From so many buckets on a run is suspicious, and when it is so many times as long as the longest one: of a channel … */
const STILL = { buckets: 8, times: 4 } as const;
/** … of a temperature, which may well be the same for minutes … */
const TEMPERATURE_STILL = { buckets: 18, times: 6 } as const;
const TEMPERATURES = channelMask(['temperature', 'motor_temperature']);
/** … and of a whole gauge, which has many chances to move. */
const GAUGE_STILL = { buckets: 3, times: 2 } as const;
/**
 * … and when it is no chance, by what is known so far: a channel that has changed five times in six minutes may as well
 * change every other minute, and then stands for ten of them once a week.
 */
const UNLIKELY = 1e-7;

/** Per run: buckets of the present one, of the longest and of all that have ended, changes, and swings. */
const BUCKETS = 0;
const LONGEST = 1;
const ENDED = 2;
const CHANGES = 3;
const SWINGS = 4;
const FIELDS = 5;
/** Behind the channels stands the gauge as a whole. */
const GAUGE = CHANNEL_COUNT;
const RUNS = CHANNEL_COUNT + 1;

export class StillRuns {
  readonly #runs = new Float64Array(RUNS * FIELDS);

  /**
   * Takes the next bucket. @param isSteady the pump turned in all of it
   * @param present channels (bit = catalogue position) with readings in it, @param changed those whose reading changed, and
   * @param swung those whose reading went back by more than its last digit
   */
  add(isSteady: boolean, present: number, changed: number, swung: number): void {
    for (let run = 0; run < RUNS; run++) {
      const mask = run === GAUGE ? DOWNHOLE_MASK : 1 << run;
      // What a standing pump shows may well be the same for hours.
      if (!isSteady) this.#runs[run * FIELDS + BUCKETS] = 0;
      else if ((present & mask) !== 0) this.#note(run, (changed & mask) !== 0, (swung & mask) !== 0);
    }
  }

  /** Bit = catalogue position. */
  get mask(): number {
    let mask = this.#isTooLong(GAUGE) ? DOWNHOLE_MASK : 0;
    for (let index = 0; index < CHANNEL_COUNT; index++) if (this.#isTooLong(index)) mask |= 1 << index;
    return mask & ~SET_MASK;
  }

  save(writer: StateWriter): void {
    writer.numbers(this.#runs);
  }

  /** @throws StateMismatch */
  restore(reader: StateReader): void {
    this.#runs.set(reader.numbers(this.#runs.length));
  }

  #note(run: number, hasChanged: boolean, hasSwung: boolean): void {
    const at = run * FIELDS;
    const buckets = this.#of(run, BUCKETS);
    if (!hasChanged) {
      this.#runs[at + BUCKETS] = buckets + 1;
      return;
    }
    // A run that was an alarm is no example of what is normal.
    if (!this.#isTooLong(run)) {
      this.#runs[at + LONGEST] = Math.max(this.#of(run, LONGEST), buckets);
      this.#runs[at + ENDED] = this.#of(run, ENDED) + buckets;
    }
    this.#runs[at + BUCKETS] = 0;
    this.#runs[at + CHANGES] = this.#of(run, CHANGES) + 1;
    if (hasSwung) this.#runs[at + SWINGS] = this.#of(run, SWINGS) + 1;
  }

  #isTooLong(run: number): boolean {
    const { buckets, times } = limitsOf(run);
    const length = this.#of(run, BUCKETS);
    if (length < Math.max(buckets, times * this.#of(run, LONGEST) + 2) || !this.#isLively(run)) return false;
    return chanceOfRun(length, this.#of(run, CHANGES), this.#of(run, ENDED)) < UNLIKELY;
  }

  #isLively(run: number): boolean {
    const changes = this.#of(run, CHANGES);
    if (changes < LEAST_CHANGES || changes < LEAST_SHARE * (changes + this.#of(run, ENDED))) return false;
    return this.#of(run, SWINGS) >= LEAST_SWINGS;
  }

  #of(run: number, field: number): number {
    return this.#runs[run * FIELDS + field] as number;
  }
}

/**
 * The chance that a channel shows no change for `length` buckets, after `changed` buckets with and `still` ones without:
 * the Pólya–Eggenberger distribution, which is what an unknown share of changes (anything from 0 to 1 being as likely) leads to.
 */
function chanceOfRun(length: number, changed: number, still: number): number {
  let chance = 1;
  for (let number = 0; number < length && chance >= UNLIKELY; number++)
    chance *= (still + 1 + number) / (changed + still + 2 + number);
  return chance;
}

function limitsOf(run: number): { readonly buckets: number; readonly times: number } {
  if (run === GAUGE) return GAUGE_STILL;
  return (TEMPERATURES & (1 << run)) === 0 ? STILL : TEMPERATURE_STILL;
}
