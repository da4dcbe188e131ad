/**
 * Gauge loss: all downhole channels together fall silent, or show nothing but the values of a lost gauge, while the surface goes
 * on reporting and the pump runs. A gauge that reports less often than the drive has its own usual silence.
 */
import { CHANNEL_COUNT, channelMask } from '../../telemetry/channels.js';
import { OperatingState } from '../../telemetry/operating-state.js';
import { DOWNHOLE } from '../diagnosis/still-runs.js';
import { HEARD, KNOWN, LOST, MASKS, MISSES, MISSING_SINCE_US, SETTLED, TIMES, USUAL_MISSES } from './reading-memory.js';
import type { ReadingMemory } from './reading-memory.js';

const GAUGE = channelMask(DOWNHOLE);
/** Of the 60 s within which a lost gauge is to be found half are for the loss, half for whoever asks for more than one record. */
const LOST_SECONDS = 30;
const LOST_RECORDS = 3;
/** … and so many times the records without the gauge that are usual between two with it. */
const USUAL_TIMES = 4;
/** … which is forgotten within so many reports of the gauge. */
const USUAL_REPORTS = 16;
/** Reports after which it is known how the gauge reports. */
const LEAST_HEARD = 8;
/** A single channel is a sensor, no gauge. */
const LEAST_CHANNELS = 2;
const MOST_MISSES = 1e6;

/** Full scale of a 16-bit register, signed and not, at the scales in use: what a gauge that is gone may show instead of nothing. */
const FULL_SCALES: ReadonlySet<number> = new Set(
  [65_535, 32_767].flatMap((full) => [1, 10, 100, 1000].map((scale) => Math.fround(full / scale))),
);

export class GaugeLoss {
  readonly #memory: ReadingMemory;

  constructor(memory: ReadingMemory) {
    this.#memory = memory;
  }

  /** Whether there is something to note: not in a record like all the others, with a gauge that has moved. */
  isUnsettled(device: number, changed: number): boolean {
    return (changed & GAUGE) === 0 || this.#memory.masks[device * MASKS + SETTLED] === 0;
  }

  /**
   * Takes a record of a pump that does not stand; one without news changes nothing.
   * @param present channels that it has, and `changed` those of them whose value differs from the one before
   * @returns whether the gauge is lost
   */
  take(
    device: number,
    timestampUs: number,
    state: OperatingState,
    present: number,
    changed: number,
    values: Float32Array,
    base: number,
  ): boolean {
    if (present === 0) return this.#memory.masks[device * MASKS + LOST] === 1;
    if ((changed & GAUGE) !== 0 || isHeard(present & GAUGE, values, base)) {
      this.#hear(device, present & GAUGE);
      return false;
    }
    const { masks } = this.#memory;
    const at = device * MASKS;
    const isRunning = state === OperatingState.running || state === OperatingState.transient;
    if (!isRunning) {
      masks[at + MISSES] = masks[at + LOST] = 0;
      return false;
    }
    if ((present & ~GAUGE) !== 0) this.#miss(device, timestampUs);
    return masks[at + LOST] === 1;
  }

  #hear(device: number, channels: number): void {
    const { masks } = this.#memory;
    const at = device * MASKS;
    const heard = masks[at + HEARD] as number;
    const misses = masks[at + MISSES] as number;
    const usual = masks[at + USUAL_MISSES] as number;
    masks[at + KNOWN] = (masks[at + KNOWN] as number) | channels;
    if (heard < LEAST_HEARD) masks[at + HEARD] = heard + 1;
    masks[at + USUAL_MISSES] = misses > usual ? misses : usual - Math.ceil(usual / USUAL_REPORTS);
    masks[at + MISSES] = masks[at + LOST] = 0;
    masks[at + SETTLED] = heard === LEAST_HEARD && misses === 0 && usual === 0 ? 1 : 0;
  }

  /** A record of the surface has come without the gauge. */
  #miss(device: number, timestampUs: number): void {
    const { masks, times } = this.#memory;
    const at = device * MASKS;
    const misses = Math.min((masks[at + MISSES] as number) + 1, MOST_MISSES);
    masks[at + MISSES] = misses;
    masks[at + SETTLED] = 0;
    if (misses === 1) times[device * TIMES + MISSING_SINCE_US] = timestampUs;
    if (misses < LOST_RECORDS || masks[at + LOST] === 1 || masks[at + HEARD] !== LEAST_HEARD) return;
    const seconds = (timestampUs - (times[device * TIMES + MISSING_SINCE_US] as number)) / 1e6;
    const isUnusual = misses >= USUAL_TIMES * (masks[at + USUAL_MISSES] as number);
    if (seconds < LOST_SECONDS || !isUnusual || channelCount(masks[at + KNOWN] as number) < LEAST_CHANNELS) return;
    masks[at + LOST] = 1;
  }
}

/** Whether one of the channels shows something that a gauge measures. */
function isHeard(channels: number, values: Float32Array, base: number): boolean {
  for (let rest = channels; rest !== 0; rest &= rest - 1) {
    const value = values[base + 31 - Math.clz32(rest & -rest)] as number;
    if (value !== 0 && !FULL_SCALES.has(value)) return true;
  }
  return false;
}

function channelCount(mask: number): number {
  let count = 0;
  for (let index = 0; index < CHANNEL_COUNT; index++) count += (mask >>> index) & 1;
  return count;
}
