/**
 * The newest buckets of one device, in flat arrays: only for the channels that it has, and no larger than its past. Means are
 * kept as float32, as the readings are, and differences with eight bits of precision: they are compared as multiples.
 */
import { CHANNEL_COUNT } from '../../telemetry/channels.js';
import { type StateReader, StateMismatch, type StateWriter } from '../state-bytes.js';

export interface Bucket {
  /** Times of its first and its last record, epoch microseconds. */
  readonly fromUs: number;
  readonly toUs: number;
  readonly records: number;
  /** The pump turned in every record, and neither started nor changed its speed. */
  readonly isSteady: boolean;
  /** Mean by catalogue position; NaN = no reading. */
  readonly means: Float64Array;
  /** Mean absolute difference between successive readings; NaN = fewer than two. */
  readonly roughness: Float64Array;
  /** Part of an episode: no measure of what is normal. */
  readonly isExcluded: boolean;
}

const INITIAL_CAPACITY = 16;
const MOST_RECORDS = 0xff_ff;
const STEADY = 1;
const EXCLUDED = 2;
const NO_SLOT = -1;

export class BucketRing {
  readonly #most: number;
  #capacity = 0;
  /** Place of the oldest. */
  #first = 0;
  #length = 0;
  /** First and last time of each bucket. */
  #times = new Float64Array(0);
  #records = new Uint16Array(0);
  #flags = new Uint8Array(0);
  /** By bucket and slot; a channel gets its slot with its first reading. */
  #means = new Float32Array(0);
  #roughness = new Uint16Array(0);
  readonly #slots = new Int8Array(CHANNEL_COUNT).fill(NO_SLOT);
  #slotCount = 0;

  /** @param most buckets that are kept */
  constructor(most: number) {
    this.#most = most;
  }

  get length(): number {
    return this.#length;
  }

  fromUs(at: number): number {
    return this.#times[2 * this.#place(at)] as number;
  }

  toUs(at: number): number {
    return this.#times[2 * this.#place(at) + 1] as number;
  }

  records(at: number): number {
    return this.#records[this.#place(at)] as number;
  }

  isSteady(at: number): boolean {
    return ((this.#flags[this.#place(at)] as number) & STEADY) !== 0;
  }

  isExcluded(at: number): boolean {
    return ((this.#flags[this.#place(at)] as number) & EXCLUDED) !== 0;
  }

  /** Whether there ever was a reading of the channel at a catalogue position. */
  hasHad(index: number): boolean {
    return this.#slots[index] !== NO_SLOT;
  }

  exclude(at: number): void {
    const place = this.#place(at);
    this.#flags[place] = (this.#flags[place] as number) | EXCLUDED;
  }

  /** Adds the newest one; beyond the bound the oldest goes. */
  push(bucket: Bucket): void {
    for (let index = 0; index < CHANNEL_COUNT; index++)
      if (this.#slots[index] === NO_SLOT && !Number.isNaN(bucket.means[index])) this.#giveSlot(index);
    if (this.#length === this.#capacity && this.#capacity < this.#most)
      this.#resize(Math.min(this.#most, Math.max(INITIAL_CAPACITY, this.#capacity * 2)), this.#slotCount);
    if (this.#length === this.#most) this.#first = (this.#first + 1) % this.#capacity;
    else this.#length++;
    this.#write(this.#place(this.#length - 1), bucket);
  }

  /** Those from `from` to before `to` that are wanted, oldest first. */
  select(from: number, to: number, isWanted: (at: number) => boolean = () => true): Bucket[] {
    const wanted: number[] = [];
    for (let at = Math.max(0, from); at < Math.min(to, this.#length); at++) if (isWanted(at)) wanted.push(at);
    // One allocation for all: a hundred small ones would cost more than what is looked at with them.
    const figures = new Float64Array(wanted.length * 2 * CHANNEL_COUNT).fill(Number.NaN);
    return wanted.map((at, index) => this.#read(at, figures, index * 2 * CHANNEL_COUNT));
  }

  save(writer: StateWriter): void {
    const order = Array.from({ length: this.#length }, (_, at) => this.#place(at));
    const slots = this.#slotCount;
    writer.octets(Uint8Array.from(this.#slots, (slot) => slot + 1));
    writer.numbers(inOrder(new Float64Array(order.length * 2), this.#times, order, 2));
    writer.shorts(inOrder(new Uint16Array(order.length), this.#records, order, 1));
    writer.octets(inOrder(new Uint8Array(order.length), this.#flags, order, 1));
    writer.floats(inOrder(new Float32Array(order.length * slots), this.#means, order, slots));
    writer.shorts(inOrder(new Uint16Array(order.length * slots), this.#roughness, order, slots));
  }

  /** Takes what was saved; to be called once, on a new one. @throws StateMismatch */
  restore(reader: StateReader): void {
    const slots = reader.octets(CHANNEL_COUNT);
    this.#slotCount = slots.reduce((most, slot) => Math.max(most, slot), 0);
    if (this.#slotCount > CHANNEL_COUNT) throw new StateMismatch(`${this.#slotCount} channels`);
    this.#slots.set(slots.map((slot) => slot - 1));
    const times = reader.numbers();
    const length = times.length / 2;
    if (!Number.isInteger(length) || length > this.#most) throw new StateMismatch(`${length} buckets`);
    this.#times = times;
    this.#records = reader.shorts(length);
    this.#flags = reader.octets(length);
    this.#means = reader.floats(length * this.#slotCount);
    this.#roughness = reader.shorts(length * this.#slotCount);
    this.#capacity = this.#length = length;
    this.#first = 0;
  }

  #place(at: number): number {
    const place = this.#first + at;
    return place < this.#capacity ? place : place - this.#capacity;
  }

  #write(place: number, bucket: Bucket): void {
    this.#times[2 * place] = bucket.fromUs;
    this.#times[2 * place + 1] = bucket.toUs;
    this.#records[place] = Math.min(bucket.records, MOST_RECORDS);
    this.#flags[place] = (bucket.isSteady ? STEADY : 0) | (bucket.isExcluded ? EXCLUDED : 0);
    for (let index = 0; index < CHANNEL_COUNT; index++) {
      const slot = this.#slots[index] as number;
      if (slot === NO_SLOT) continue;
      this.#means[place * this.#slotCount + slot] = bucket.means[index] as number;
      this.#roughness[place * this.#slotCount + slot] = upperHalf(bucket.roughness[index] as number);
    }
  }

  #read(at: number, figures: Float64Array, from: number): Bucket {
    const place = this.#place(at);
    const means = figures.subarray(from, from + CHANNEL_COUNT);
    const roughness = figures.subarray(from + CHANNEL_COUNT, from + 2 * CHANNEL_COUNT);
    for (let index = 0; index < CHANNEL_COUNT; index++) {
      const slot = this.#slots[index] as number;
      if (slot === NO_SLOT) continue;
      means[index] = this.#means[place * this.#slotCount + slot] as number;
      roughness[index] = fromUpperHalf(this.#roughness[place * this.#slotCount + slot] as number);
    }
    return {
      fromUs: this.fromUs(at),
      toUs: this.toUs(at),
      records: this.records(at),
      isSteady: this.isSteady(at),
      isExcluded: this.isExcluded(at),
      means,
      roughness,
    };
  }

  #giveSlot(index: number): void {
    this.#resize(this.#capacity, this.#slotCount + 1);
    this.#slots[index] = this.#slotCount - 1;
  }

  /** Lays everything out anew, oldest first; a new slot has no readings. */
  #resize(capacity: number, slotCount: number): void {
    const before = this.#slotCount;
    const order = Array.from({ length: this.#length }, (_, at) => this.#place(at));
    const means = new Float32Array(capacity * slotCount).fill(Number.NaN);
    const roughness = new Uint16Array(capacity * slotCount).fill(upperHalf(Number.NaN));
    for (const [at, place] of order.entries()) {
      means.set(this.#means.subarray(place * before, (place + 1) * before), at * slotCount);
      roughness.set(this.#roughness.subarray(place * before, (place + 1) * before), at * slotCount);
    }
    this.#means = means;
    this.#roughness = roughness;
    this.#times = inOrder(new Float64Array(capacity * 2), this.#times, order, 2);
    this.#records = inOrder(new Uint16Array(capacity), this.#records, order, 1);
    this.#flags = inOrder(new Uint8Array(capacity), this.#flags, order, 1);
    this.#capacity = capacity;
    this.#slotCount = slotCount;
    this.#first = 0;
  }
}

/** Some of the buckets of another ring, in a ring that is as large as that. */
export function ringOf(buckets: readonly Bucket[]): BucketRing {
  const ring = new BucketRing(buckets.length);
  for (const bucket of buckets) ring.push(bucket);
  return ring;
}

function inOrder<T extends Float64Array | Float32Array | Uint16Array | Uint8Array>(
  into: T,
  from: T,
  order: readonly number[],
  size: number,
): T {
  for (const [at, place] of order.entries()) into.set(from.subarray(place * size, (place + 1) * size), at * size);
  return into;
}

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);
const NOT_A_NUMBER = 0x7f_c0;

/** The upper half of a float32, rounded: all of its range, three decimal digits fewer. */
function upperHalf(value: number): number {
  if (Number.isNaN(value)) return NOT_A_NUMBER;
  float[0] = value;
  const whole = bits[0] as number;
  return (whole + 0x7f_ff + ((whole >>> 16) & 1)) >>> 16;
}

function fromUpperHalf(half: number): number {
  bits[0] = half << 16;
  return float[0] as number;
}
