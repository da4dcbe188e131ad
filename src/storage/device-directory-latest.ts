/**
 * Last values by device number, in flat arrays: what a batch adds costs no allocation. Grows with the devices, of
 * which the pipeline bounds the number.
 */
import { CHANNEL_COUNT, CHANNEL_NAMES } from '../telemetry/channels.js';
import type { ReadingBatch } from '../telemetry/reading-batch.js';

/** Changes of some devices as columns of parameters. */
export interface LatestSlice {
  /** Device numbers, and what had changed of each: to give the slice back. */
  readonly devices: readonly number[];
  readonly changes: readonly number[];
  readonly latest: {
    readonly deviceIds: string[];
    readonly channels: string[];
    readonly values: number[];
    readonly timestampsUs: number[];
  };
  readonly seen: { readonly deviceIds: string[]; readonly firstUs: number[]; readonly lastUs: number[] };
}

const INITIAL_DEVICES = 1024;
/** Beside the channels' bits: the device had a record at all. */
const SEEN = 1 << 30;

export class LatestValues {
  readonly #ids: string[] = [];
  #firstUs = new Float64Array(0);
  #lastUs = new Float64Array(0);
  /** By device × channel. */
  #timestampUs = new Float64Array(0);
  #value = new Float32Array(0);
  /** Bits of the channels whose last value is not written yet. */
  #changes = new Int32Array(0);
  /** Devices whose changes are not 0. */
  #changed: number[] = [];

  constructor() {
    this.#grow(INITIAL_DEVICES);
  }

  /** @param except rows that were not written */
  take(batch: ReadingBatch, except?: ReadonlySet<number>): void {
    for (let row = 0; row < batch.length; row++) {
      const device = batch.device[row] as number;
      if (device < 0 || (except !== undefined && except.has(row))) continue;
      if (device >= this.#changes.length) this.#grow(Math.max(device + 1, this.#changes.length * 2));
      this.#ids[device] ??= batch.deviceId[row] as string;
      const timestampUs = batch.timestampUs[row] as number;
      const changes = SEEN | this.#takeChannels(batch.values, row, device, timestampUs);
      if (timestampUs < (this.#firstUs[device] as number)) this.#firstUs[device] = timestampUs;
      if (timestampUs > (this.#lastUs[device] as number)) this.#lastUs[device] = timestampUs;
      if (this.#changes[device] === 0) this.#changed.push(device);
      this.#changes[device] = (this.#changes[device] as number) | changes;
    }
  }

  #takeChannels(values: Float32Array, row: number, device: number, timestampUs: number): number {
    let changes = 0;
    for (let channel = 0; channel < CHANNEL_COUNT; channel++) {
      const value = values[row * CHANNEL_COUNT + channel] as number;
      const at = device * CHANNEL_COUNT + channel;
      if (value !== value || timestampUs < (this.#timestampUs[at] as number)) continue;
      this.#timestampUs[at] = timestampUs;
      this.#value[at] = value;
      changes |= 1 << channel;
    }
    return changes;
  }

  /** How many devices have something to write. */
  get changedDevices(): number {
    return this.#changed.length;
  }

  /** The changes of so many devices, those first that have waited longest; they count as written from now on. */
  takeChanged(maxDevices: number): LatestSlice {
    const idOf = (device: number): string => this.#ids[device] as string;
    // By id, so that two processes lock the rows of the same devices in the same order.
    const devices = this.#changed.splice(0, maxDevices).sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
    const slice: LatestSlice = {
      devices,
      changes: devices.map((device) => this.#changes[device] as number),
      latest: { deviceIds: [], channels: [], values: [], timestampsUs: [] },
      seen: {
        deviceIds: devices.map(idOf),
        firstUs: devices.map((device) => this.#firstUs[device] as number),
        lastUs: devices.map((device) => this.#lastUs[device] as number),
      },
    };
    for (const device of devices) {
      this.#addLatest(slice, device);
      this.#changes[device] = 0;
    }
    return slice;
  }

  #addLatest({ latest }: LatestSlice, device: number): void {
    for (let channel = 0; channel < CHANNEL_COUNT; channel++) {
      if (((this.#changes[device] as number) & (1 << channel)) === 0) continue;
      latest.deviceIds.push(this.#ids[device] as string);
      latest.channels.push(CHANNEL_NAMES[channel] as string);
      latest.values.push(this.#value[device * CHANNEL_COUNT + channel] as number);
      latest.timestampsUs.push(this.#timestampUs[device * CHANNEL_COUNT + channel] as number);
    }
  }

  /** A slice that could not be written counts as changed again. */
  giveBack(slice: LatestSlice): void {
    for (const [index, device] of slice.devices.entries()) {
      if (this.#changes[device] === 0) this.#changed.push(device);
      this.#changes[device] = (this.#changes[device] as number) | (slice.changes[index] as number);
    }
  }

  #grow(capacity: number): void {
    const known = this.#changes.length;
    const enlarge = <A extends Float64Array | Float32Array | Int32Array>(old: A, larger: A): A => {
      larger.set(old);
      return larger;
    };
    this.#firstUs = enlarge(this.#firstUs, new Float64Array(capacity)).fill(Number.POSITIVE_INFINITY, known);
    this.#lastUs = enlarge(this.#lastUs, new Float64Array(capacity)).fill(Number.NEGATIVE_INFINITY, known);
    this.#timestampUs = enlarge(this.#timestampUs, new Float64Array(capacity * CHANNEL_COUNT)).fill(
      Number.NEGATIVE_INFINITY,
      known * CHANNEL_COUNT,
    );
    this.#value = enlarge(this.#value, new Float32Array(capacity * CHANNEL_COUNT));
    this.#changes = enlarge(this.#changes, new Int32Array(capacity));
  }
}
