/** The values of a column: which are there, which are alike, and how each lies in Parquet. Everything is compared bit by bit. */
import { wordsOf, type GroupColumn, type GroupValues } from './row-group.js';

type Numbers = Exclude<GroupValues, string[] | Uint8Array>;

/** Values that are alike, by the row in which each is first. */
export interface Distinct {
  readonly firstRows: Int32Array;
  /** Of each value that is there: which of `firstRows`. */
  readonly indexes: Int32Array;
}

/** A dictionary with more entries than this share of the values costs more than it saves. */
const MOST_DISTINCT = 0.5;
/** So many values are looked at before the dictionary is given up early. */
const SAMPLE = 4096;
const SAMPLE_DISTINCT = 0.9;

/** Rows without a NULL, in order. */
export function presentRows({ isNull, nulls }: GroupColumn, rows: number): Int32Array {
  const present = new Int32Array(rows - nulls);
  let count = 0;
  for (let row = 0; row < rows; row++) if (isNull[row] === 0) present[count++] = row;
  return present;
}

const tooMany = (distinct: number, looked: number, all: number): boolean =>
  distinct > all * MOST_DISTINCT || (looked === SAMPLE && distinct > SAMPLE * SAMPLE_DISTINCT);

/** @returns undefined where a dictionary would not pay */
export function distinctNumbers(values: Numbers, present: Int32Array): Distinct | undefined {
  const words = wordsOf(values);
  const wide = words.length > values.length;
  const { length } = present;
  const size = 2 ** (32 - Math.clz32(Math.max(8, length)));
  /** Open addressing: one more than the place in `firstRows`, 0 for empty. */
  const table = new Int32Array(size);
  const firstRows = new Int32Array(length);
  const indexes = new Int32Array(length);
  let distinct = 0;
  for (let index = 0; index < length; index++) {
    const row = present[index] as number;
    const low = words[wide ? 2 * row : row] as number;
    const high = wide ? (words[2 * row + 1] as number) : 0;
    let slot = hash(low, high) & (size - 1);
    for (;;) {
      const entry = (table[slot] as number) - 1;
      if (entry < 0) {
        table[slot] = distinct + 1;
        firstRows[distinct] = row;
        indexes[index] = distinct++;
        break;
      }
      const other = firstRows[entry] as number;
      if (words[wide ? 2 * other : other] === low && (!wide || words[2 * other + 1] === high)) {
        indexes[index] = entry;
        break;
      }
      slot = (slot + 1) & (size - 1);
    }
    if (tooMany(distinct, index + 1, length)) return undefined;
  }
  return { firstRows: firstRows.subarray(0, distinct), indexes };
}

function hash(low: number, high: number): number {
  let mixed = Math.imul(low, 0x85ebca6b) ^ Math.imul(high, 0xc2b2ae35);
  mixed ^= mixed >>> 15;
  mixed = Math.imul(mixed, 0x27d4eb2f);
  return mixed ^ (mixed >>> 13);
}

/** @returns undefined where a dictionary would not pay */
export function distinctTexts(values: readonly string[], present: Int32Array): Distinct | undefined {
  const places = new Map<string, number>();
  const firstRows: number[] = [];
  const indexes = new Int32Array(present.length);
  let last: string | undefined;
  let lastPlace = 0;
  for (let index = 0; index < present.length; index++) {
    const row = present[index] as number;
    const text = values[row] as string;
    if (text !== last) {
      last = text;
      const place = places.get(text);
      lastPlace = place ?? firstRows.length;
      if (place === undefined) {
        places.set(text, lastPlace);
        firstRows.push(row);
      }
    }
    indexes[index] = lastPlace;
    if (tooMany(firstRows.length, index + 1, present.length)) return undefined;
  }
  return { firstRows: Int32Array.from(firstRows), indexes };
}

/** The bytes of numbers, as they lie in memory: Parquet has the lower byte first too. */
export function plainNumbers(values: Numbers, rows: Int32Array): Uint8Array {
  const words = wordsOf(values);
  const wide = words.length > values.length;
  const plain = new Int32Array(rows.length * (wide ? 2 : 1));
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index] as number;
    if (wide) {
      plain[2 * index] = words[2 * row] as number;
      plain[2 * index + 1] = words[2 * row + 1] as number;
    } else plain[index] = words[row] as number;
  }
  return new Uint8Array(plain.buffer);
}

/** UTF-8, each text behind its length. */
export function plainTexts(values: readonly string[], rows: Int32Array): Uint8Array {
  const texts = Array.from(rows, (row) => Buffer.from(values[row] as string, 'utf8'));
  const plain = Buffer.alloc(texts.reduce((sum, text) => sum + 4 + text.length, 0));
  let at = 0;
  for (const text of texts) {
    plain.writeUInt32LE(text.length, at);
    plain.set(text, at + 4);
    at += 4 + text.length;
  }
  return plain;
}
