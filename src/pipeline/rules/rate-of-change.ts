/**
 * Rate of change: a reading that moves faster than the process can is not believed at once. A single one is a spike of the
 * instrument, and the next is compared with the last that was believed; if the next is there too, it is the new value.
 */
import { CHANNEL_COUNT, type ChannelName } from '../../telemetry/channels.js';
import { MASKS, type ReadingMemory, SUSPECT } from './reading-memory.js';

/**
 * The fastest plausible change, canonical unit per second; Infinity: none. Above what faults do (a valve that shuts, a shaft that
 * breaks), so that these do not pass for broken instruments: what is left is what no process does.
 * Electrical quantities and flow may stop at once, which their limits allow. The frequency is set, and its steps are operation.
 */
export const RATE_LIMITS: Readonly<Record<ChannelName, number>> = {
  temperature: 2,
  vibration: 5,
  pressure: 1000,
  flow_rate: 10_000,
  motor_current: 300,
  rpm: 4000,
  intake_pressure: 300,
  discharge_pressure: 1000,
  motor_temperature: 3,
  drive_frequency: Number.POSITIVE_INFINITY,
  motor_voltage: 3000,
  leakage_current: 50,
  casing_pressure: 300,
  vibration_y: 5,
  vibration_z: 5,
};
/** A motor draws three times its rated current at most while it starts; what changes by more within a second is no current. */
export const RATED_CURRENTS_PER_SECOND = 3;
/** A two-pole shaft stops or starts within a second at best: rev/min per second and Hz of the rated frequency. */
export const RPM_PER_SECOND_AND_HZ = 60;

/** Differences are taken as if so long lay between the values at least: noise over a millisecond is no rate. */
const LEAST_SECONDS = 1;
/** After such a silence nothing is compared: anything may have happened. */
const GAP_SECONDS = 300;

export class RateOfChange {
  readonly #memory: ReadingMemory;

  constructor(memory: ReadingMemory) {
    this.#memory = memory;
  }

  /**
   * Judges a value that differs by more than one second allows, or follows one that did.
   * @param lastUs when `last`, the value before, was reported
   * @param limit canonical unit per second
   * @returns whether the value is not believed
   */
  isTooFast(
    device: number,
    index: number,
    timestampUs: number,
    value: number,
    last: number,
    lastUs: number,
    limit: number,
  ): boolean {
    const { masks, good, goodUs } = this.#memory;
    const maskAt = device * MASKS + SUSPECT;
    const bit = 1 << index;
    const at = device * CHANNEL_COUNT + index;
    const wasSuspect = ((masks[maskAt] as number) & bit) !== 0;
    const isFast = exceeds(value - last, timestampUs - lastUs, limit);
    const isBelieved =
      !isFast || (wasSuspect && !exceeds(value - (good[at] as number), timestampUs - (goodUs[at] as number), limit));
    if (isBelieved) {
      if (wasSuspect) masks[maskAt] = (masks[maskAt] as number) & ~bit;
      return false;
    }
    if (!wasSuspect) {
      masks[maskAt] = (masks[maskAt] as number) | bit;
      good[at] = last;
      goodUs[at] = lastUs;
    }
    return true;
  }
}

function exceeds(difference: number, elapsedUs: number, limit: number): boolean {
  const seconds = elapsedUs / 1e6;
  return seconds <= GAP_SECONDS && Math.abs(difference) > limit * Math.max(seconds, LEAST_SECONDS);
}
