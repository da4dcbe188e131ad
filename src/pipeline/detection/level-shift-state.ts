/**
 * What the level-shift detector keeps of each device: flat arrays, about 1.6 kB a device whatever it reports, and their
 * saved form, which restores them bit by bit.
 */
import { CHANNEL_COUNT } from '../../telemetry/channels.js';
import { grown } from '../device-table.js';
import type { DetectorState } from './detector.js';

/** Per channel, in `levels`. */
export const FAST = 0;
export const MEDIUM = 1;
export const SLOW = 2;
/** The usual distance of the fast and the medium mean from the slow one. */
export const FAST_SCALE = 3;
export const MEDIUM_SCALE = 4;
/** Standard deviation of a value around its level, from successive differences. */
export const NOISE = 5;
/** The last value as it came, and when, epoch microseconds. */
export const LAST = 6;
export const LAST_US = 7;
/** Smallest step between two values that differ; 0 = not known. */
export const STEP = 8;
/** What the means took last: the value at reference speed, or what stood in for a spike. */
export const TAKEN = 9;
/** The level before the present one, and until when a return to it is expected, epoch microseconds; 0: there is none. */
export const FORMER = 10;
export const FORMER_UNTIL_US = 11;
export const LEVELS = 12;

/** Per channel, in `counts`: values learned, as far as they still count. */
export const COUNT = 0;
export const COUNTS = 1;

/** Per device, in `status`. */
export const SEEN_US = 0;
export const INTERVAL_SECONDS = 1;
export const KNOWN_SECONDS = 2;
export const KNOWN_RECORDS = 3;
export const ALARM = 4;
export const FAST_PEAK = 5;
export const MEDIUM_PEAK = 6;
/** Records in a row that would end the alarm. */
export const CALM_RECORDS = 7;
export const ALARM_SECONDS = 8;
export const SETTLE_SECONDS = 9;
export const MUTE_SECONDS = 10;
export const OPERATING_STATE = 11;
export const SPEED_HZ = 12;
export const SPEED_SOURCE = 13;
/** Bit mask by channel: the last value was set aside as a spike. */
export const SPIKES = 14;
/** 1 + the position of the channel that goes back to the level it had before; 0: none does. */
export const RETURNING = 15;
export const STATUS = 16;

const LEVELS_A_DEVICE = CHANNEL_COUNT * LEVELS;
const COUNTS_A_DEVICE = CHANNEL_COUNT * COUNTS;
const INITIAL_CAPACITY = 64;
/** Of the saved form: state of another version is not taken over. */
const VERSION = 3;

export class LevelShiftState {
  levels = new Float64Array(INITIAL_CAPACITY * LEVELS_A_DEVICE);
  counts = new Int32Array(INITIAL_CAPACITY * COUNTS_A_DEVICE);
  status = new Float64Array(INITIAL_CAPACITY * STATUS);
  #capacity = INITIAL_CAPACITY;
  readonly #configHash: number;

  /** @param configHash saved state with another one is not taken over */
  constructor(configHash: number) {
    this.#configHash = configHash;
  }

  /** Makes room for devices 0 … count − 1. */
  reserve(count: number): void {
    if (count <= this.#capacity) return;
    this.#capacity = Math.max(count, this.#capacity * 2);
    this.levels = grown(this.levels, this.#capacity * LEVELS_A_DEVICE);
    this.counts = grown(this.counts, this.#capacity * COUNTS_A_DEVICE);
    this.status = grown(this.status, this.#capacity * STATUS);
  }

  /** Only channels that were ever seen are saved: a mask says which, and their numbers follow as little-endian bytes. */
  snapshot(device: number): DetectorState | undefined {
    const { status, levels, counts } = this;
    const last = status[device * STATUS + SEEN_US] as number;
    if (last === 0) return undefined;
    const mask = this.#seen(device);
    const numbers = Array.from(status.subarray(device * STATUS, (device + 1) * STATUS));
    for (let index = 0; index < CHANNEL_COUNT; index++) {
      if ((mask & (1 << index)) === 0) continue;
      const channel = device * CHANNEL_COUNT + index;
      numbers.push(...levels.subarray(channel * LEVELS, (channel + 1) * LEVELS));
      numbers.push(...counts.subarray(channel * COUNTS, (channel + 1) * COUNTS));
    }
    return { version: VERSION, config: this.#configHash, last_us: last, channels: mask, numbers: encode(numbers) };
  }

  /** Takes saved state over, unless it is of another version or of other parameters, or broken: then it begins anew. */
  restore(device: number, saved: DetectorState): void {
    this.forget(device);
    const { version, config, channels: mask, numbers: text } = saved;
    if (version !== VERSION || config !== this.#configHash) return;
    if (typeof mask !== 'number' || typeof text !== 'string') return;
    const numbers = decode(text);
    const seen = Array.from({ length: CHANNEL_COUNT }, (_, index) => index).filter(
      (index) => (mask & (1 << index)) !== 0,
    );
    if (numbers?.length !== STATUS + seen.length * (LEVELS + COUNTS)) return;
    this.status.set(numbers.subarray(0, STATUS), device * STATUS);
    let at = STATUS;
    for (const index of seen) {
      const channel = device * CHANNEL_COUNT + index;
      this.levels.set(numbers.subarray(at, at + LEVELS), channel * LEVELS);
      this.counts.set(numbers.subarray(at + LEVELS, at + LEVELS + COUNTS), channel * COUNTS);
      at += LEVELS + COUNTS;
    }
  }

  forget(device: number): void {
    this.levels.fill(0, device * LEVELS_A_DEVICE, (device + 1) * LEVELS_A_DEVICE);
    this.counts.fill(0, device * COUNTS_A_DEVICE, (device + 1) * COUNTS_A_DEVICE);
    this.status.fill(0, device * STATUS, (device + 1) * STATUS);
  }

  #seen(device: number): number {
    let mask = 0;
    for (let index = 0; index < CHANNEL_COUNT; index++) {
      if (this.counts[(device * CHANNEL_COUNT + index) * COUNTS + COUNT] !== 0) mask |= 1 << index;
    }
    return mask;
  }
}

function encode(numbers: readonly number[]): string {
  const bytes = Buffer.alloc(numbers.length * 8);
  numbers.forEach((number, index) => bytes.writeDoubleLE(number, index * 8));
  return bytes.toString('base64');
}

function decode(text: string): Float64Array | undefined {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length % 8 !== 0) return undefined;
  const numbers = new Float64Array(bytes.length / 8);
  for (let index = 0; index < numbers.length; index++) numbers[index] = bytes.readDoubleLE(index * 8);
  return numbers;
}
