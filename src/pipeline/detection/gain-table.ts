/**
 * The gains of the exponential means for a time that has passed: 1 − exp(−Δt/τ). A handful of different Δt make up nearly
 * all telemetry, so they are kept in a small table; what it holds depends on Δt and the usual interval alone, and so does
 * every result, whatever was asked before.
 */
import type { LevelShiftParameters } from './level-shift-parameters.js';

/** Offsets within an entry of the table. */
export const FAST = 0;
export const MEDIUM = 1;
export const SLOW = 2;
export const SCALE = 3;
/** Noise of the fast and the medium mean as a share of the noise of a value: sqrt(a / (2 − a)). */
export const FAST_NOISE = 4;
export const MEDIUM_NOISE = 5;
/** Factors of the scale where the distance is larger, where it is not, and where it is larger and suspect. */
export const SCALE_UP = 6;
export const SCALE_DOWN = 7;
export const SCALE_UP_SUSPECT = 8;
const ENTRY = 9;

/** The means average over so many of a device's usual intervals at least: two values are no level. */
const FAST_INTERVALS = 3;
const MEDIUM_INTERVALS = 10;
const SCALE_INTERVALS = 100;
const SLOW_INTERVALS = 300;
/** A step counts for this much at most, or for three intervals: silence teaches nothing. */
const LONGEST_STEP_SECONDS = 30;
const LONGEST_STEP_INTERVALS = 3;
/** Pace of the quantile tracker, as a multiple of the gain. */
export const QUANTILE_PACE = 2;

const ENTRIES = 256;

/** Usual intervals are told apart by octaves: 0 below 1 s, 1 below 2 s, 2 below 4 s … */
export const octaveOf = (intervalSeconds: number): number => 32 - Math.clz32(intervalSeconds);
/** The shortest interval of an octave, seconds. */
const shortestOf = (octave: number): number => (octave === 0 ? 0 : 2 ** (octave - 1));

export class GainTable {
  readonly values = new Float64Array(ENTRIES * ENTRY);
  readonly #stepMs = new Float64Array(ENTRIES).fill(-1);
  readonly #octave = new Int32Array(ENTRIES);
  readonly #parameters: LevelShiftParameters;

  constructor(parameters: LevelShiftParameters) {
    this.#parameters = parameters;
  }

  /** Where in `values` the gains for this step begin. They stand there until the next call. @param stepMs whole milliseconds */
  find(stepMs: number, octave: number): number {
    const entry = (stepMs + octave * 89) & (ENTRIES - 1);
    if (this.#stepMs[entry] !== stepMs || this.#octave[entry] !== octave) this.#fill(entry, stepMs, octave);
    return entry * ENTRY;
  }

  #fill(entry: number, stepMs: number, octave: number): void {
    const { fastSeconds, mediumSeconds, slowSeconds, scaleSeconds, scaleQuantile, suspectLearning } = this.#parameters;
    const interval = shortestOf(octave);
    const step = Math.min(stepMs / 1000, Math.max(LONGEST_STEP_SECONDS, LONGEST_STEP_INTERVALS * interval));
    const gain = (seconds: number, intervals: number): number =>
      1 - Math.exp(-step / Math.max(seconds, intervals * interval));
    const fast = gain(fastSeconds, FAST_INTERVALS);
    const medium = gain(mediumSeconds, MEDIUM_INTERVALS);
    const scale = gain(scaleSeconds, SCALE_INTERVALS);
    const at = entry * ENTRY;
    this.values[at + FAST] = fast;
    this.values[at + MEDIUM] = medium;
    this.values[at + SLOW] = gain(slowSeconds, SLOW_INTERVALS);
    this.values[at + SCALE] = scale;
    this.values[at + FAST_NOISE] = Math.sqrt(fast / (2 - fast));
    this.values[at + MEDIUM_NOISE] = Math.sqrt(medium / (2 - medium));
    this.values[at + SCALE_UP] = Math.exp(QUANTILE_PACE * scale * scaleQuantile);
    this.values[at + SCALE_DOWN] = Math.exp(-QUANTILE_PACE * scale * (1 - scaleQuantile));
    this.values[at + SCALE_UP_SUSPECT] = Math.exp(QUANTILE_PACE * scale * scaleQuantile * suspectLearning);
    this.#stepMs[entry] = stepMs;
    this.#octave[entry] = octave;
  }
}
