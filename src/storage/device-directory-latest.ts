/**
 * Last values by device number, in flat arrays: what a batch adds costs no allocation. Grows with the devices, of
 * which the pipeline bounds the number.
 */
import { CHANNEL_COUNT } from '../telemetry/channels.js';
import type { ReadingBatch } from '../telemetry/reading-batch.js';
import type { WriteResult } from './telemetry-sink.js';

/** Some devices with what had changed of each, in the order of their ids: to be encoded, or given back. */
export interface LatestSlice {
  readonly devices: readonly number[];
  readonly changes: readonly number[];
}

const INITIAL_DEVICES = 1024;
/** Beside the channels' bits: the device had a record at all; its newest row has changed. */
const SEEN = 1 << 30;
const NEWEST = 1 << 29;
/** In place of an operating state: the newest row is made of several reports, and what it says stands in the table only. */
const MERGED_STATE = 255;

export class LatestValues {
  readonly ids: string[] = [];
  firstUs = new Float64Array(0);
  lastUs = new Float64Array(0);
  /** By device × channel. */
  timestampUs = new Float64Array(0);
  value = new Float32Array(0);
  /** The verdict on the newest row that was stored or merged. */
  newestUs = new Float64Array(0);
  qualityScore = new Float32Array(0);
  isAnomaly = new Uint8Array(0);
  anomalyCause = new Int16Array(0);
  #operatingState = new Uint8Array(0);
  /** Bits of the channels whose last value is not written yet. */
  #changes = new Int32Array(0);
  /** Devices whose changes are not 0. */
  #changed: number[] = [];

  constructor() {
    this.#grow(INITIAL_DEVICES);
  }

  take(batch: ReadingBatch, { refused, mergedRows, duplicateRows }: WriteResult): void {
    const notWritten = refused.length === 0 ? undefined : new Set(refused.map(({ row }) => row));
    const merged = mergedRows.length === 0 ? undefined : new Set(mergedRows);
    // The row that is there already says more than a repetition of a part of it.
    const repeated = duplicateRows.length === 0 ? undefined : new Set(duplicateRows);
    for (let row = 0; row < batch.length; row++) {
      const device = batch.device[row] as number;
      if (device < 0 || (notWritten !== undefined && notWritten.has(row))) continue;
      if (device >= this.#changes.length) this.#grow(Math.max(device + 1, this.#changes.length * 2));
      this.ids[device] ??= batch.deviceId[row] as string;
      const timestampUs = batch.timestampUs[row] as number;
      let changes = SEEN | this.#takeChannels(batch.values, row, device, timestampUs);
      if (merged !== undefined && merged.has(row)) changes |= this.#takeMerged(device, timestampUs);
      else if (repeated === undefined || !repeated.has(row))
        changes |= this.#takeNewest(batch, row, device, timestampUs);
      if (timestampUs < (this.firstUs[device] as number)) this.firstUs[device] = timestampUs;
      if (timestampUs > (this.lastUs[device] as number)) this.lastUs[device] = timestampUs;
      this.#note(device, changes);
    }
  }

  #takeChannels(values: Float32Array, row: number, device: number, timestampUs: number): number {
    let changes = 0;
    for (let channel = 0; channel < CHANNEL_COUNT; channel++) {
      const value = values[row * CHANNEL_COUNT + channel] as number;
      const at = device * CHANNEL_COUNT + channel;
      if (value !== value || timestampUs < (this.timestampUs[at] as number)) continue;
      this.timestampUs[at] = timestampUs;
      this.value[at] = value;
      changes |= 1 << channel;
    }
    return changes;
  }

  #takeNewest(batch: ReadingBatch, row: number, device: number, timestampUs: number): number {
    if (timestampUs <= (this.newestUs[device] as number)) return 0;
    this.newestUs[device] = timestampUs;
    this.qualityScore[device] = batch.qualityScore[row] as number;
    this.isAnomaly[device] = batch.isAnomaly[row] as number;
    this.anomalyCause[device] = batch.anomalyCause[row] as number;
    this.#operatingState[device] = batch.operatingState[row] as number;
    return NEWEST;
  }

  #takeMerged(device: number, timestampUs: number): number {
    if (timestampUs < (this.newestUs[device] as number)) return 0;
    this.newestUs[device] = timestampUs;
    this.#operatingState[device] = MERGED_STATE;
    return NEWEST;
  }

  #note(device: number, changes: number): void {
    if (this.#changes[device] === 0) this.#changed.push(device);
    this.#changes[device] = (this.#changes[device] as number) | changes;
  }

  /** −1 where only the table knows: several reports were merged into the newest row. */
  operatingState(device: number): number {
    const state = this.#operatingState[device] as number;
    return state === MERGED_STATE ? -1 : state;
  }

  /** How many devices have something to write. */
  get changedDevices(): number {
    return this.#changed.length;
  }

  /** So many devices, those first that have waited longest; they count as written from now on. */
  takeChanged(maxDevices: number): LatestSlice {
    // By id, so that two processes lock the rows of the same devices in the same order.
    const devices = this.#changed
      .splice(0, maxDevices)
      .sort((a, b) => ((this.ids[a] as string) < (this.ids[b] as string) ? -1 : 1));
    const changes = devices.map((device) => this.#changes[device] as number);
    for (const device of devices) this.#changes[device] = 0;
    return { devices, changes };
  }

  /** A slice that could not be written counts as changed again. */
  giveBack({ devices, changes }: LatestSlice): void {
    for (const [index, device] of devices.entries()) this.#note(device, changes[index] as number);
  }

  #grow(capacity: number): void {
    const known = this.#changes.length;
    const enlarge = <A extends Float64Array | Float32Array | Int32Array | Int16Array | Uint8Array>(
      old: A,
      larger: A,
    ): A => {
      larger.set(old);
      return larger;
    };
    const before = Number.NEGATIVE_INFINITY;
    this.firstUs = enlarge(this.firstUs, new Float64Array(capacity)).fill(Number.POSITIVE_INFINITY, known);
    this.lastUs = enlarge(this.lastUs, new Float64Array(capacity)).fill(before, known);
    this.newestUs = enlarge(this.newestUs, new Float64Array(capacity)).fill(before, known);
    this.timestampUs = enlarge(this.timestampUs, new Float64Array(capacity * CHANNEL_COUNT)).fill(
      before,
      known * CHANNEL_COUNT,
    );
    this.value = enlarge(this.value, new Float32Array(capacity * CHANNEL_COUNT));
    this.qualityScore = enlarge(this.qualityScore, new Float32Array(capacity));
    this.isAnomaly = enlarge(this.isAnomaly, new Uint8Array(capacity));
    this.anomalyCause = enlarge(this.anomalyCause, new Int16Array(capacity));
    this.#operatingState = enlarge(this.#operatingState, new Uint8Array(capacity));
    this.#changes = enlarge(this.#changes, new Int32Array(capacity));
  }
}

export const hasChannel = (changes: number, channel: number): boolean => (changes & (1 << channel)) !== 0;
export const hasNewest = (changes: number): boolean => (changes & NEWEST) !== 0;
