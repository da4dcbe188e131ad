/**
 * State as bytes, to be stored and read back bit by bit: a version, a checksum, and one value after another, little-endian.
 * Whoever reads asks for the values in the order in which they were written; nothing in the bytes says what they are.
 */
import { endianness } from 'node:os';
import { crc32 } from 'node:zlib';

type Block = Float64Array | Float32Array | Uint16Array | Uint8Array;
const IS_BIG_ENDIAN = endianness() === 'BE';

/** u16 version, u32 checksum of what follows. */
const HEAD_BYTES = 6;
const INITIAL_BYTES = 4096;

/** Why saved bytes cannot be read. */
export type StateFault = 'version' | 'damaged';

/** The bytes are whole, and yet not what was expected. */
export class StateMismatch extends Error {
  override readonly name = 'StateMismatch';
}

export class StateWriter {
  #bytes = Buffer.allocUnsafe(INITIAL_BYTES);
  #at = HEAD_BYTES;

  number(value: number): void {
    this.#at = this.#reserve(8).writeDoubleLE(value, this.#at);
  }

  /** A count, a mask or a flag: 0 … 2³² − 1. */
  count(value: number): void {
    this.#at = this.#reserve(4).writeUInt32LE(value, this.#at);
  }

  numbers(values: Float64Array | readonly number[]): void {
    const block = values instanceof Float64Array ? values : Float64Array.from(values);
    this.#block(block, (bytes) => bytes.swap64());
  }

  floats(values: Float32Array): void {
    this.#block(values, (bytes) => bytes.swap32());
  }

  shorts(values: Uint16Array): void {
    this.#block(values, (bytes) => bytes.swap16());
  }

  octets(values: Uint8Array): void {
    this.#block(values);
  }

  /** Anything that JSON keeps as it is: no NaN, no infinity. */
  json(value: unknown): void {
    this.octets(Buffer.from(JSON.stringify(value)));
  }

  /** The finished bytes. @param version of the order and meaning of what was written */
  finish(version: number): Uint8Array {
    const bytes = this.#bytes.subarray(0, this.#at);
    bytes.writeUInt16LE(version, 0);
    bytes.writeUInt32LE(crc32(bytes.subarray(HEAD_BYTES), version), 2);
    return new Uint8Array(bytes);
  }

  #block(values: Block, swap?: (bytes: Buffer) => void): void {
    this.count(values.length);
    const { byteLength } = values;
    this.#reserve(byteLength).set(new Uint8Array(values.buffer, values.byteOffset, byteLength), this.#at);
    if (IS_BIG_ENDIAN) swap?.(this.#bytes.subarray(this.#at, this.#at + byteLength));
    this.#at += byteLength;
  }

  #reserve(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#at + length));
      this.#bytes.copy(grown, 0, 0, this.#at);
      this.#bytes = grown;
    }
    return this.#bytes;
  }
}

export class StateReader {
  readonly #bytes: Buffer;
  #at = HEAD_BYTES;

  private constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** @returns the fault where the bytes are of another version, or not those that were written */
  static open(saved: Uint8Array, version: number): StateReader | StateFault {
    const bytes = Buffer.from(saved.buffer, saved.byteOffset, saved.byteLength);
    if (bytes.length < HEAD_BYTES) return 'damaged';
    const found = bytes.readUInt16LE(0);
    if (bytes.readUInt32LE(2) !== crc32(bytes.subarray(HEAD_BYTES), found)) return 'damaged';
    return found === version ? new StateReader(bytes) : 'version';
  }

  number(): number {
    return this.#bytes.readDoubleLE(this.#take(8));
  }

  count(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  numbers(length?: number): Float64Array<ArrayBuffer> {
    return new Float64Array(this.#block(8, length, (bytes) => bytes.swap64()));
  }

  floats(length?: number): Float32Array<ArrayBuffer> {
    return new Float32Array(this.#block(4, length, (bytes) => bytes.swap32()));
  }

  shorts(length?: number): Uint16Array<ArrayBuffer> {
    return new Uint16Array(this.#block(2, length, (bytes) => bytes.swap16()));
  }

  octets(length?: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#block(1, length));
  }

  json(): unknown {
    const text = Buffer.from(this.octets()).toString('utf8');
    try {
      return JSON.parse(text) as unknown;
    } catch (cause) {
      throw new StateMismatch('no JSON where there should be some', { cause });
    }
  }

  /** To be called when all was read. @throws StateMismatch when something is left */
  end(): void {
    if (this.#at !== this.#bytes.length) throw new StateMismatch(`${this.#bytes.length - this.#at} bytes are left`);
  }

  /** A copy of the next run of values. @param length how many there have to be; undefined: as many as there are */
  #block(size: number, length: number | undefined, swap?: (bytes: Buffer) => void): ArrayBuffer {
    const count = this.count();
    if (length !== undefined && count !== length) throw new StateMismatch(`${count} values in the place of ${length}`);
    const from = this.#take(count * size);
    const values = new Uint8Array(this.#bytes.subarray(from, this.#at)).buffer;
    if (IS_BIG_ENDIAN) swap?.(Buffer.from(values));
    return values;
  }

  #take(length: number): number {
    const from = this.#at;
    if (from + length > this.#bytes.length) throw new StateMismatch('the bytes end too early');
    this.#at = from + length;
    return from;
  }
}
