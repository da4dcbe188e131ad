/** Small numbers as Parquet packs them: runs of one value, and groups of eight bit by bit ("RLE/Bit-Packing Hybrid"). */

/** Bits that hold the numbers below `count`. */
export const bitWidthOf = (count: number): number => (count <= 1 ? 0 : 32 - Math.clz32(count - 1));

/** Definition levels of an optional column: 0 where it is NULL, 1 elsewhere; without the length in front, as pages of version 2. */
export function encodeLevels(isNull: Uint8Array, rows: number, nulls: number): Uint8Array {
  if (nulls === 0 || nulls === rows) {
    const run = new HybridWriter(1, 0);
    run.run(nulls === 0 ? 1 : 0, rows);
    return run.bytes();
  }
  const levels = new Uint8Array(rows);
  for (let row = 0; row < rows; row++) levels[row] = 1 - (isNull[row] as number);
  const writer = new HybridWriter(1, rows);
  writer.all(levels);
  return writer.bytes();
}

/** Indexes into a dictionary, behind the byte that says how many bits each has. */
export function encodeIndexes(indexes: Int32Array, bitWidth: number): Uint8Array {
  const writer = new HybridWriter(bitWidth, indexes.length);
  writer.byte(bitWidth);
  writer.all(indexes);
  return writer.bytes();
}

/** Booleans, a bit each. */
export function encodeBits(values: Uint8Array, rows: Int32Array): Uint8Array {
  const bits = new Uint8Array(Math.ceil(rows.length / 8));
  for (let index = 0; index < rows.length; index++) {
    if (values[rows[index] as number] === 1) bits[index >> 3] = (bits[index >> 3] as number) | (1 << (index & 7));
  }
  return bits;
}

/** Shorter runs cost more than the bits of their values. */
const LEAST_RUN = 8;

class HybridWriter {
  readonly #bitWidth: number;
  readonly #bytes: Uint8Array;
  #at = 0;

  /** @param values how many there are at most: groups of eight, each behind a header of its own at worst */
  constructor(bitWidth: number, values: number) {
    this.#bitWidth = bitWidth;
    this.#bytes = new Uint8Array(32 + Math.ceil(values / 8) * (bitWidth + 10));
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  byte(value: number): void {
    this.#bytes[this.#at++] = value;
  }

  all(values: ArrayLike<number>): void {
    const { length } = values;
    let packedFrom = 0;
    for (let at = 0; at < length;) {
      let end = at + 1;
      const first = values[at];
      while (end < length && values[end] === first) end++;
      if (end - at >= LEAST_RUN) {
        this.#pack(values, packedFrom, at);
        this.run(first as number, end - at);
        at = packedFrom = end;
      } else at += 8; // the last group is filled up with zeros
    }
    this.#pack(values, packedFrom, length);
  }

  run(value: number, count: number): void {
    this.#varint(count * 2);
    for (let shift = 0; shift < this.#bitWidth; shift += 8) this.byte((value >>> shift) & 0xff);
  }

  #pack(values: ArrayLike<number>, from: number, to: number): void {
    if (from >= to) return;
    const groups = Math.ceil((to - from) / 8);
    this.#varint(groups * 2 + 1);
    const width = this.#bitWidth;
    let bits = 0;
    let used = 0;
    for (let at = from; at < from + groups * 8; at++) {
      bits |= (at < to ? (values[at] as number) : 0) << used;
      used += width;
      for (; used >= 8; used -= 8) {
        this.byte(bits & 0xff);
        bits >>>= 8;
      }
    }
  }

  #varint(value: number): void {
    let rest = value;
    for (; rest >= 0x80; rest >>>= 7) this.byte((rest & 0x7f) | 0x80);
    this.byte(rest);
  }
}
