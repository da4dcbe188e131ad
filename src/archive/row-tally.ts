/**
 * What is counted of rows on their way into a part, and again of the rows that are read back: it is equal if the rows
 * are, in whatever order. Engine-independent: it is computed from values, not from bytes of a file or of a database.
 *
 * The checksum of a column is the sum, modulo 2³² in each of two lanes, of a hash of each value together with the key of
 * its row (device and time): two values that change places do not go unnoticed, rows in another order do.
 */
import type { ArchivedColumn, ArchivedValue, ColumnType } from './column-types.js';

export interface ColumnTally {
  readonly name: string;
  readonly type: ColumnType;
  readonly nulls: number;
  /** 16 hexadecimal digits. */
  readonly checksum: string;
}

export interface TallyResult {
  readonly rows: number;
  /** Epoch microseconds of the earliest and the latest row; null without rows. */
  readonly minTimeUs: number | null;
  readonly maxTimeUs: number | null;
  readonly columns: readonly ColumnTally[];
}

/** A group of rows, a column an array. */
export type ColumnValues = readonly ArrayLike<ArchivedValue | undefined>[];

const NULL_WORD = 0x6e756c6c;
const bits = new DataView(new ArrayBuffer(8));

/** The finalizer of MurmurHash3 (A. Appleby): every bit of the word changes half of the result's. */
function mix(word: number): number {
  let mixed = word ^ (word >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

/** Two words that stand for a value; -0 and 0 are two values, as they are to Parquet. */
let low = 0;
let high = 0;

function setWords(type: ColumnType, value: ArchivedValue | undefined): void {
  if (value === null || value === undefined) {
    low = NULL_WORD;
    high = ~NULL_WORD;
  } else if (typeof value === 'string') {
    setTextWords(value);
  } else if (typeof value === 'bigint') {
    bits.setBigInt64(0, value, true);
    low = bits.getInt32(0, true);
    high = bits.getInt32(4, true);
  } else if (typeof value === 'boolean') {
    low = value ? 1 : 2;
    high = 0;
  } else if (type === 'float') {
    bits.setFloat32(0, value, true);
    low = bits.getInt32(0, true);
    high = 0;
  } else {
    bits.setFloat64(0, value, true);
    low = bits.getInt32(0, true);
    high = bits.getInt32(4, true);
  }
}

function setTextWords(text: string): void {
  let one = text.length;
  let other = ~text.length;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    one = Math.imul(one ^ unit, 0x01000193) + (one >>> 15);
    other = Math.imul(other, 31) + mix(unit + at);
  }
  low = one;
  high = other;
}

export class RowTally {
  readonly #columns: readonly ArchivedColumn[];
  readonly #nulls: number[];
  readonly #firstLane: Uint32Array;
  readonly #secondLane: Uint32Array;
  readonly #device: number;
  readonly #time: number;
  #rows = 0;
  #minTimeUs: bigint | null = null;
  #maxTimeUs: bigint | null = null;

  constructor(columns: readonly ArchivedColumn[]) {
    this.#columns = columns;
    this.#nulls = columns.map(() => 0);
    this.#firstLane = new Uint32Array(columns.length);
    this.#secondLane = new Uint32Array(columns.length);
    this.#device = columns.findIndex(({ name }) => name === 'device_id');
    this.#time = columns.findIndex(({ name }) => name === 'timestamp');
  }

  /** @param values of all columns, in their order, each of `rows` values */
  add(values: ColumnValues, rows: number): void {
    const [firstKeys, secondKeys] = this.#keys(values, rows);
    for (const [index, { type }] of this.#columns.entries()) {
      const column = values[index] as ArrayLike<ArchivedValue | undefined>;
      let first = 0;
      let second = 0;
      let nulls = 0;
      for (let row = 0; row < rows; row++) {
        const value = column[row];
        if (value === null || value === undefined) nulls++;
        setWords(type, value);
        const firstKey = firstKeys[row] as number;
        const secondKey = secondKeys[row] as number;
        first = (first + mix(mix(firstKey ^ low) + high)) | 0;
        second = (second + mix(mix(secondKey ^ high) + Math.imul(low, 0x9e3779b1))) | 0;
      }
      this.#nulls[index] = (this.#nulls[index] as number) + nulls;
      this.#firstLane[index] = (this.#firstLane[index] as number) + first;
      this.#secondLane[index] = (this.#secondLane[index] as number) + second;
    }
    this.#rows += rows;
  }

  result(): TallyResult {
    const hex = (word: number): string => word.toString(16).padStart(8, '0');
    return {
      rows: this.#rows,
      minTimeUs: this.#minTimeUs === null ? null : Number(this.#minTimeUs),
      maxTimeUs: this.#maxTimeUs === null ? null : Number(this.#maxTimeUs),
      columns: this.#columns.map(({ name, type }, index) => ({
        name,
        type,
        nulls: this.#nulls[index] as number,
        checksum: hex(this.#firstLane[index] as number) + hex(this.#secondLane[index] as number),
      })),
    };
  }

  #keys(values: ColumnValues, rows: number): [Int32Array, Int32Array] {
    const firstKeys = new Int32Array(rows);
    const secondKeys = new Int32Array(rows);
    const devices = values[this.#device] as ArrayLike<string>;
    const times = values[this.#time] as ArrayLike<bigint>;
    let device: string | undefined;
    let deviceLow = 0;
    let deviceHigh = 0;
    for (let row = 0; row < rows; row++) {
      // Rows come sorted by device: its hash is computed once.
      if (devices[row] !== device) {
        device = devices[row] as string;
        setTextWords(device);
        deviceLow = low;
        deviceHigh = high;
      }
      const time = times[row] as bigint;
      if (this.#minTimeUs === null || time < this.#minTimeUs) this.#minTimeUs = time;
      if (this.#maxTimeUs === null || time > this.#maxTimeUs) this.#maxTimeUs = time;
      setWords('timestamp', time);
      firstKeys[row] = mix(mix(deviceLow ^ low) + high);
      secondKeys[row] = mix(mix(deviceHigh ^ high) + low);
    }
    return [firstKeys, secondKeys];
  }
}

/** Where two tallies differ, as words for a person; undefined where they do not. */
export function tallyDifference(expected: TallyResult, found: TallyResult): string | undefined {
  if (expected.rows !== found.rows) return `${found.rows} rows instead of ${expected.rows}`;
  if (expected.minTimeUs !== found.minTimeUs || expected.maxTimeUs !== found.maxTimeUs) return 'another range of time';
  const wrong = expected.columns.filter((column, index) => {
    const other = found.columns[index];
    return (
      other === undefined ||
      other.name !== column.name ||
      other.type !== column.type ||
      other.nulls !== column.nulls ||
      other.checksum !== column.checksum
    );
  });
  if (expected.columns.length !== found.columns.length) return 'other columns';
  return wrong.length === 0 ? undefined : `other values in ${wrong.map(({ name }) => name).join(', ')}`;
}
