/**
 * What the rules that look back keep of each device: flat arrays, some 650 bytes a device whatever it reports, and their
 * saved form, which restores them bit by bit.
 */
import { CHANNEL_COUNT } from '../../telemetry/channels.js';
import { grown } from '../device-table.js';
import { packNumbers, unpackNumbers } from '../packed-numbers.js';

/** Per device, in `masks`; the first eight are bit masks by channel. */
/** Channels of the records of the last instant. */
export const PRESENT = 0;
/** The last value came too fast, and is not believed yet. */
export const SUSPECT = 1;
/** The channel was seen to be lively: it does not stand still by itself. */
export const PROVEN = 2;
/** The last change went up. */
export const UP = 3;
export const FROZEN = 4;
/** The last value was equal to the one before; so were more than a few. */
export const STILL = 5;
export const STANDING = 6;
/** Channels of the downhole gauge that were ever heard. */
export const KNOWN = 7;
/** Reports in which the gauge was heard, as far as they count; records without it since, and how many of those are usual. */
export const HEARD = 8;
export const MISSES = 9;
export const USUAL_MISSES = 10;
/** 1: the gauge is lost. */
export const LOST = 11;
/** 1: the gauge is heard with every record; the pump stands. */
export const SETTLED = 12;
export const RESTING = 13;
export const MASKS = 14;

/** Per device, in `times`, epoch microseconds: the last instant, and the first record without the gauge. */
export const SEEN_US = 0;
export const MISSING_SINCE_US = 1;
export const TIMES = 2;

const INITIAL_CAPACITY = 64;
/** Of the saved form: state of another version is not taken over. */
const VERSION = 1;
/** Numbers saved of a channel. */
const SAVED_OF_CHANNEL = 8;
const NEVER = Number.NEGATIVE_INFINITY;

export class ReadingMemory {
  masks = new Int32Array(INITIAL_CAPACITY * MASKS);
  times = new Float64Array(INITIAL_CAPACITY * TIMES).fill(NEVER);
  // What follows has CHANNEL_COUNT elements a device.
  /** The last value; NaN before the first. */
  last = new Float32Array(INITIAL_CAPACITY * CHANNEL_COUNT).fill(Number.NaN);
  /** Values equal to the one before, in a row. */
  run = new Int32Array(INITIAL_CAPACITY * CHANNEL_COUNT);
  /** When the channel was last reported, where that was not at the last instant of the device. */
  lastUs = new Float64Array(INITIAL_CAPACITY * CHANNEL_COUNT).fill(NEVER);
  /** The last value that was believed, and when; only while the last one is suspect. */
  good = new Float32Array(INITIAL_CAPACITY * CHANNEL_COUNT);
  goodUs = new Float64Array(INITIAL_CAPACITY * CHANNEL_COUNT);
  /** The longest run of its lively time, where it was not short. */
  longest = new Int32Array(INITIAL_CAPACITY * CHANNEL_COUNT);
  /** Smallest step between two values that differ; 0 = not known. */
  step = new Float32Array(INITIAL_CAPACITY * CHANNEL_COUNT);
  /** Signs of a lively channel, counted until it is proven. */
  signs = new Uint8Array(INITIAL_CAPACITY * CHANNEL_COUNT);
  #capacity = INITIAL_CAPACITY;

  /** Makes room for devices 0 … count − 1. */
  reserve(count: number): void {
    const before = this.#capacity;
    if (count <= before) return;
    const capacity = Math.max(count, before * 2);
    const channels = capacity * CHANNEL_COUNT;
    this.#capacity = capacity;
    this.masks = grown(this.masks, capacity * MASKS);
    this.times = grown(this.times, capacity * TIMES).fill(NEVER, before * TIMES);
    this.last = grown(this.last, channels).fill(Number.NaN, before * CHANNEL_COUNT);
    this.lastUs = grown(this.lastUs, channels).fill(NEVER, before * CHANNEL_COUNT);
    this.run = grown(this.run, channels);
    this.good = grown(this.good, channels);
    this.goodUs = grown(this.goodUs, channels);
    this.longest = grown(this.longest, channels);
    this.step = grown(this.step, channels);
    this.signs = grown(this.signs, channels);
  }

  /** Notes when channels that are not in the record at hand were reported last. */
  noteLeft(device: number, channels: number, timestampUs: number): void {
    for (let rest = channels; rest !== 0; rest &= rest - 1)
      this.lastUs[device * CHANNEL_COUNT + 31 - Math.clz32(rest & -rest)] = timestampUs;
  }

  /** The pump stands: what comes afterwards is compared with nothing from before. */
  rest(device: number): void {
    const { masks } = this;
    const at = device * MASKS;
    if (masks[at + RESTING] === 1) return;
    for (const index of [PRESENT, SUSPECT, FROZEN, STILL, STANDING, MISSES, LOST]) masks[at + index] = 0;
    masks[at + RESTING] = 1;
    this.times.fill(NEVER, device * TIMES, (device + 1) * TIMES);
    this.run.fill(0, device * CHANNEL_COUNT, (device + 1) * CHANNEL_COUNT);
    this.lastUs.fill(NEVER, device * CHANNEL_COUNT, (device + 1) * CHANNEL_COUNT);
  }

  /** The state to save, channels that were ever seen only; undefined while there is none. */
  snapshot(device: number): string | undefined {
    const seen = this.#seen(device);
    if (seen.length === 0) return undefined;
    const numbers = [VERSION, seen.reduce((mask, index) => mask | (1 << index), 0)];
    numbers.push(...this.masks.subarray(device * MASKS, (device + 1) * MASKS));
    numbers.push(...this.times.subarray(device * TIMES, (device + 1) * TIMES));
    for (const index of seen) {
      const at = device * CHANNEL_COUNT + index;
      for (const array of this.#ofChannels()) numbers.push(array[at] as number);
    }
    return packNumbers(numbers);
  }

  /** Takes saved state over; where there is none, of another version or broken, the device begins anew. */
  restore(device: number, saved: unknown): void {
    this.forget(device);
    const numbers = typeof saved === 'string' ? unpackNumbers(saved) : undefined;
    if (numbers === undefined || numbers[0] !== VERSION) return;
    const mask = numbers[1] ?? 0;
    const seen = Array.from({ length: CHANNEL_COUNT }, (_, index) => index).filter((index) => mask & (1 << index));
    let from = 2 + MASKS + TIMES;
    if (numbers.length !== from + seen.length * SAVED_OF_CHANNEL) return;
    this.masks.set(numbers.subarray(2, 2 + MASKS), device * MASKS);
    this.times.set(numbers.subarray(2 + MASKS, from), device * TIMES);
    for (const index of seen) {
      const at = device * CHANNEL_COUNT + index;
      for (const array of this.#ofChannels()) array[at] = numbers[from++] as number;
    }
  }

  /** Takes the device back to where it was before its first record. */
  forget(device: number): void {
    this.masks.fill(0, device * MASKS, (device + 1) * MASKS);
    this.times.fill(NEVER, device * TIMES, (device + 1) * TIMES);
    const [from, to] = [device * CHANNEL_COUNT, (device + 1) * CHANNEL_COUNT];
    for (const array of this.#ofChannels()) array.fill(0, from, to);
    this.last.fill(Number.NaN, from, to);
    this.lastUs.fill(NEVER, from, to);
  }

  /** In the order in which they are saved. */
  #ofChannels(): (Float64Array | Float32Array | Int32Array | Uint8Array)[] {
    const { last, run, lastUs, good, goodUs, longest, step, signs } = this;
    return [last, run, lastUs, good, goodUs, longest, step, signs];
  }

  #seen(device: number): number[] {
    const first = device * CHANNEL_COUNT;
    return Array.from({ length: CHANNEL_COUNT }, (_, index) => index).filter(
      (index) => !Number.isNaN(this.last[first + index]),
    );
  }
}
