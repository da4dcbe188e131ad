/**
 * Frozen: a lively channel that repeats one value 120 times. Most channels are reported in steps, and one whose noise does not
 * reach over a step may stand for hours; so a channel has to show first that it is lively: by going to and fro by more than one
 * step, time and again, and by never standing for long.
 */
import { CHANNEL_COUNT } from '../../telemetry/channels.js';
import { FROZEN, MASKS, PROVEN, type ReadingMemory, STANDING, STILL, UP } from './reading-memory.js';

/** Equal values in a row (domain: a stuck or frozen sensor is to be found within 120 samples). */
export const FROZEN_RUN = 120;
/** … and so many times the longest run of its lively time: a gauge may be slower than the records that carry it. */
const LONGEST_RUNS = 8;
/** A run below this makes no difference, and is not noted. */
const SHORT_RUN = 15;
/** Signs that prove a channel lively, and the run that proves the contrary. */
const LEAST_SIGNS = 8;
const STANDING_RUN = 60;
/** More than one step: steps in float32 are not all the same to the bit. */
const STEPS = 1.5;
/** The smallest step seen is forgotten slowly: instruments are replaced. */
const STEP_GROWTH = 1.001;
const MOST_RUN = 1e9;

export class FrozenValue {
  readonly #memory: ReadingMemory;

  constructor(memory: ReadingMemory) {
    this.#memory = memory;
  }

  /**
   * Counts equal values.
   * @param equal channels of the record whose value is the one before, and `ended` those that differ after many equal ones
   * @param frozenRuns by channel
   */
  count(
    device: number,
    equal: number,
    ended: number,
    values: Float32Array,
    base: number,
    frozenRuns: Int32Array,
  ): void {
    const { masks, run: runs } = this.#memory;
    const first = device * CHANNEL_COUNT;
    const still = masks[device * MASKS + STILL] as number;
    for (let rest = equal; rest !== 0; rest &= rest - 1) {
      const index = 31 - Math.clz32(rest & -rest);
      const run = (still & (1 << index)) === 0 ? 1 : Math.min((runs[first + index] as number) + 1, MOST_RUN);
      runs[first + index] = run;
      if (run < SHORT_RUN) continue;
      masks[device * MASKS + STANDING] = (masks[device * MASKS + STANDING] as number) | (1 << index);
      if (run >= (frozenRuns[index] as number)) this.#stand(device, index, values[base + index] as number, run);
    }
    for (let rest = ended; rest !== 0; rest &= rest - 1) this.#endRun(device, 31 - Math.clz32(rest & -rest));
  }

  /** The channel has repeated its value often enough to be looked at. */
  #stand(device: number, index: number, value: number, run: number): void {
    const { masks, longest } = this.#memory;
    const isLively = ((masks[device * MASKS + PROVEN] as number) & (1 << index)) !== 0;
    // What is at zero stands there: a flow behind a closed valve, a current that is off.
    if (!isLively || value === 0) return;
    if (run < LONGEST_RUNS * (longest[device * CHANNEL_COUNT + index] as number)) return;
    masks[device * MASKS + FROZEN] = (masks[device * MASKS + FROZEN] as number) | (1 << index);
  }

  /** A value that differs has come after equal ones, which were not few. */
  #endRun(device: number, index: number): void {
    const { masks, longest, signs, run: runs } = this.#memory;
    const at = device * CHANNEL_COUNT + index;
    const bit = 1 << index;
    const run = runs[at] as number;
    for (const mask of [FROZEN, STANDING])
      masks[device * MASKS + mask] = (masks[device * MASKS + mask] as number) & ~bit;
    if (run < STANDING_RUN) {
      longest[at] = Math.max(run, longest[at] as number);
      return;
    }
    // It stands by itself, or was frozen, which is no habit of its own: it has to prove itself anew.
    masks[device * MASKS + PROVEN] = (masks[device * MASKS + PROVEN] as number) & ~bit;
    signs[at] = longest[at] = 0;
  }

  /** Looks for signs of life in a change of a channel that is not proven yet. */
  learn(device: number, index: number, value: number, last: number): void {
    const { masks, step, signs } = this.#memory;
    const at = device * CHANNEL_COUNT + index;
    const bit = 1 << index;
    if (((masks[device * MASKS + PROVEN] as number) & bit) !== 0) return;
    const change = Math.abs(value - last);
    const upAt = device * MASKS + UP;
    const isUp = value > last;
    const hasTurned = (((masks[upAt] as number) & bit) !== 0) !== isUp;
    if (hasTurned) masks[upAt] = (masks[upAt] as number) ^ bit;
    const least = (step[at] as number) * STEP_GROWTH;
    step[at] = least === 0 || change < least ? change : least;
    if (!hasTurned || change <= STEPS * step[at]) return;
    signs[at] = (signs[at] as number) + 1;
    if (signs[at] < LEAST_SIGNS) return;
    masks[device * MASKS + PROVEN] = (masks[device * MASKS + PROVEN] as number) | bit;
  }
}
