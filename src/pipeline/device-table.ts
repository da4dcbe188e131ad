/**
 * The devices that this process knows, numbered: per-device state lives in flat arrays indexed by that number.
 * Everything that keeps such arrays is told when they have to grow.
 */
import type { DeviceProfile } from '../storage/device-registry.js';
import { CHANNEL_COUNT, CHANNELS, channelIndex, channelMask, type ChannelName } from '../telemetry/channels.js';

/** Channel bounds of a device: [minimum, maximum] by catalogue position. */
export interface WellLimits {
  readonly minimum: Float64Array;
  readonly maximum: Float64Array;
}

const INITIAL_CAPACITY = 1024;

/** A copy of `array` with room for `capacity` elements. */
export function grown<A extends Float64Array | Float32Array | Int32Array | Uint8Array>(array: A, capacity: number): A {
  const Kind = array.constructor as new (length: number) => A;
  const larger = new Kind(capacity);
  larger.set(array);
  return larger;
}

export class DeviceTable {
  readonly maxDevices: number;
  readonly ids: string[] = [];
  /** Bit mask of the channels that a device is expected to report. */
  expectedMask = new Int32Array(INITIAL_CAPACITY);
  /** Epoch microseconds of the newest record evaluated; −Infinity before the first. */
  lastUs = new Float64Array(INITIAL_CAPACITY).fill(Number.NEGATIVE_INFINITY);
  /** Present only where the well narrows the physical limits. */
  readonly limits: (WellLimits | undefined)[] = [];
  /** Added, and not yet met: profile and state are still to be loaded. */
  readonly unmet = new Set<string>();
  readonly #numbers = new Map<string, number>();
  readonly #defaultMask: number;

  constructor(options: { maxDevices: number; expectedChannels: readonly ChannelName[] }) {
    this.maxDevices = options.maxDevices;
    this.#defaultMask = channelMask(options.expectedChannels);
  }

  get size(): number {
    return this.ids.length;
  }

  /** The number of a known device, −1 for an unknown one. */
  find(id: string): number {
    return this.#numbers.get(id) ?? -1;
  }

  /** Numbers a device; undefined when the limit is reached. A device that is known keeps its number. */
  add(id: string): number | undefined {
    const known = this.#numbers.get(id);
    if (known !== undefined) return known;
    if (this.ids.length >= this.maxDevices) return undefined;
    const number = this.ids.length;
    if (number >= this.lastUs.length) {
      this.expectedMask = grown(this.expectedMask, number * 2);
      this.lastUs = grown(this.lastUs, number * 2).fill(Number.NEGATIVE_INFINITY, number);
    }
    this.#numbers.set(id, number);
    this.ids.push(id);
    this.unmet.add(id);
    this.expectedMask[number] = this.#defaultMask;
    this.limits.push(undefined);
    return number;
  }

  /** Takes over what the device's row says. */
  setProfile(number: number, profile: DeviceProfile): void {
    this.expectedMask[number] =
      profile.expectedChannels === null ? this.#defaultMask : channelMask(profile.expectedChannels);
    this.limits[number] = wellLimits(profile.limits);
  }
}

function wellLimits(limits: DeviceProfile['limits']): WellLimits | undefined {
  const entries = Object.entries(limits);
  if (entries.length === 0) return undefined;
  const minimum = new Float64Array(CHANNEL_COUNT);
  const maximum = new Float64Array(CHANNEL_COUNT);
  for (const channel of CHANNELS) {
    minimum[channel.index] = channel.minimum;
    maximum[channel.index] = channel.maximum;
  }
  for (const [name, bounds] of entries) {
    const index = channelIndex(name);
    if (index === undefined || bounds === undefined) continue; // a channel of a newer catalogue
    minimum[index] = Math.max(minimum[index] as number, bounds.min ?? Number.NEGATIVE_INFINITY);
    maximum[index] = Math.min(maximum[index] as number, bounds.max ?? Number.POSITIVE_INFINITY);
  }
  return { minimum, maximum };
}
