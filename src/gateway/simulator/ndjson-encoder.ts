/**
 * Simulated records as NDJSON, written into one buffer: `JSON.stringify` on fresh objects would cost more than the
 * whole model and keep the collector busy at load-test rates.
 */
import { CHANNEL_COUNT, CHANNELS } from '../../telemetry/channels.js';
import { formatTimestamp } from '../../telemetry/timestamp.js';
import { SIMULATOR_SOURCE, type SimulatedRecord } from './fleet.js';

const KEYS = CHANNELS.map((channel) => Buffer.from(`,"${channel.name}":`));
const BEFORE_DEVICE = Buffer.from('{"device_id":"');
const BEFORE_TIME = Buffer.from('","timestamp":"');
const AFTER_TIME = Buffer.from(`Z","source_system":"${SIMULATOR_SOURCE}"`);
/** A record of all channels, generously. */
const MAX_RECORD_BYTES = 1024;
const ZERO = 48;
const THOUSANDTHS = 1000;

export class NdjsonEncoder {
  readonly capacity: number;
  length = 0;
  readonly #buffer: Buffer;
  readonly #deviceIds = new Map<string, Buffer>();
  #at = 0;
  #second = Number.NaN;
  readonly #secondText = Buffer.alloc(19);

  /** @param capacity records it takes before it must be cleared */
  constructor(capacity: number) {
    this.capacity = capacity;
    this.#buffer = Buffer.allocUnsafe(capacity * MAX_RECORD_BYTES);
  }

  clear(): void {
    this.length = 0;
    this.#at = 0;
  }

  /** The encoded records; valid until the next `clear`. */
  body(): Uint8Array {
    return this.#buffer.subarray(0, this.#at);
  }

  /** Appends a record. The caller has checked `length < capacity`. */
  add(record: SimulatedRecord): void {
    this.#bytes(BEFORE_DEVICE);
    this.#bytes(this.#deviceId(record.deviceId));
    this.#bytes(BEFORE_TIME);
    this.#time(record.timestampUs);
    this.#bytes(AFTER_TIME);
    const values = record.values;
    for (let index = 0; index < CHANNEL_COUNT; index++) {
      const value = values[index] as number;
      if (value !== value) continue; // NaN: no such instrument
      this.#bytes(KEYS[index] as Buffer);
      this.#number(value);
    }
    this.#buffer[this.#at++] = 0x7d; // }
    this.#buffer[this.#at++] = 0x0a;
    this.length++;
  }

  #deviceId(id: string): Buffer {
    let bytes = this.#deviceIds.get(id);
    if (bytes === undefined) {
      bytes = Buffer.from(id);
      this.#deviceIds.set(id, bytes);
    }
    return bytes;
  }

  #bytes(bytes: Buffer): void {
    this.#buffer.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** `2026-11-23T18:22:08.125`; neighbouring records mostly share their second. */
  #time(timestampUs: number): void {
    const second = Math.floor(timestampUs / 1e6);
    if (second !== this.#second) {
      this.#second = second;
      this.#secondText.write(formatTimestamp(second * 1e6).slice(0, 19), 'latin1');
    }
    this.#bytes(this.#secondText);
    const milliseconds = Math.floor((timestampUs - second * 1e6) / 1000);
    if (milliseconds === 0) return;
    this.#buffer[this.#at++] = 0x2e; // .
    this.#padded(milliseconds);
  }

  /** A non-negative number with at most three decimals, which is all that the simulated instruments resolve. */
  #number(value: number): void {
    const scaled = Math.round(value * THOUSANDTHS);
    const whole = Math.floor(scaled / THOUSANDTHS);
    const thousandths = scaled - whole * THOUSANDTHS;
    this.#whole(whole);
    if (thousandths === 0) return;
    this.#buffer[this.#at++] = 0x2e;
    this.#padded(thousandths);
    while (this.#buffer[this.#at - 1] === ZERO) this.#at--;
  }

  #padded(threeDigits: number): void {
    const buffer = this.#buffer;
    buffer[this.#at++] = ZERO + ((threeDigits / 100) | 0);
    buffer[this.#at++] = ZERO + (((threeDigits / 10) | 0) % 10);
    buffer[this.#at++] = ZERO + (threeDigits % 10);
  }

  #whole(value: number): void {
    let digits = 1;
    for (let limit = 10; value >= limit; limit *= 10) digits++;
    let rest = value;
    for (let at = this.#at + digits - 1; at >= this.#at; at--) {
      const quotient = (rest / 10) | 0;
      this.#buffer[at] = ZERO + rest - quotient * 10;
      rest = quotient;
    }
    this.#at += digits;
  }
}
