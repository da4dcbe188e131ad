/**
 * What is counted of rows on their way into a part, and again of the rows that are read back: it is equal if the rows
 * are, in whatever order. Engine-independent: it is computed from values, not from bytes of a file or of a database.
 *
 * The checksum of a column is the sum, modulo 2³² in each of two lanes, of a hash of each value together with the key of
 * its row (device and time): two values that change places do not go unnoticed, rows in another order do.
 */
import type { ArchivedColumn, ArchivedValue, ColumnType } from './column-types.js';
import { wordsOf, type GroupColumn, type RowGroup } from './row-group.js';

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
/** The finalizer of MurmurHash3 (A. Appleby): every bit of the word changes half of the result's. */
function mix(word: number): number {
  let mixed = word ^ (word >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

/**
 * Two words that stand for each value of the column in hand: set by loops of one kind each, and read by one, before anybody
 * else has his turn. -0 and 0 are two values, as they are to Parquet.
 */
let lows = new Int32Array(0);
let highs = new Int32Array(0);

function makeRoom(rows: number): void {
  if (lows.length >= rows) return;
  lows = new Int32Array(rows);
  highs = new Int32Array(rows);
}

const float = new Float32Array(1);
const floatBits = new Int32Array(float.buffer);
const double = new Float64Array(1);
const doubleBits = new Int32Array(double.buffer);
const big = new BigInt64Array(1);
const bigBits = new Int32Array(big.buffer);

/** Sets the words of a column of values. @returns how many are NULL */
function setValues(type: ColumnType, values: ArrayLike<ArchivedValue | undefined>, rows: number): number {
  makeRoom(rows);
  let nulls = 0;
  for (let row = 0; row < rows; row++) {
    const value = values[row];
    if (value === null || value === undefined) {
      nulls++;
      lows[row] = NULL_WORD;
      highs[row] = ~NULL_WORD;
    } else if (typeof value === 'number') {
      if (type === 'float') {
        float[0] = value;
        lows[row] = floatBits[0] as number;
        highs[row] = 0;
      } else {
        double[0] = value;
        lows[row] = doubleBits[0] as number;
        highs[row] = doubleBits[1] as number;
      }
    } else if (typeof value === 'bigint') {
      big[0] = value;
      lows[row] = bigBits[0] as number;
      highs[row] = bigBits[1] as number;
    } else if (typeof value === 'string') {
      if (row === 0 || value !== values[row - 1]) setTextWords(value);
      lows[row] = textLow;
      highs[row] = textHigh;
    } else {
      lows[row] = value ? 1 : 2;
      highs[row] = 0;
    }
  }
  return nulls;
}

/** The same of a column of a row group. */
function setColumn({ values, isNull, nulls }: GroupColumn, rows: number): void {
  makeRoom(rows);
  if (nulls === rows) {
    lows.fill(NULL_WORD, 0, rows);
    highs.fill(~NULL_WORD, 0, rows);
    return;
  }
  if (Array.isArray(values) || values instanceof Uint8Array || values instanceof Int32Array) setFew(values, rows);
  else {
    const words = wordsOf(values);
    if (values instanceof Float32Array) {
      lows.set(words.subarray(0, rows));
      highs.fill(0, 0, rows);
    } else {
      for (let row = 0; row < rows; row++) {
        lows[row] = words[2 * row] as number;
        highs[row] = words[2 * row + 1] as number;
      }
    }
  }
  if (nulls === 0) return;
  for (let row = 0; row < rows; row++) {
    if (isNull[row] === 0) continue;
    lows[row] = NULL_WORD;
    highs[row] = ~NULL_WORD;
  }
}

function setFew(values: string[] | Uint8Array | Int32Array, rows: number): void {
  let last: string | undefined;
  for (let row = 0; row < rows; row++) {
    const value = values[row] as string | number;
    if (typeof value === 'string') {
      // The same text as in the row before, most of the time.
      if (value !== last) setTextWords(value);
      last = value;
      lows[row] = textLow;
      highs[row] = textHigh;
    } else if (values instanceof Uint8Array) {
      lows[row] = value === 1 ? 1 : 2;
      highs[row] = 0;
    } else {
      double[0] = value;
      lows[row] = doubleBits[0] as number;
      highs[row] = doubleBits[1] as number;
    }
  }
}

let textLow = 0;
let textHigh = 0;

function setTextWords(text: string): void {
  let one = text.length;
  let other = ~text.length;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    one = Math.imul(one ^ unit, 0x01000193) + (one >>> 15);
    other = Math.imul(other, 31) + mix(unit + at);
  }
  textLow = one;
  textHigh = other;
}

export class RowTally {
  readonly #columns: readonly ArchivedColumn[];
  readonly #nulls: number[];
  readonly #firstLane: Uint32Array;
  readonly #secondLane: Uint32Array;
  readonly #device: number;
  readonly #time: number;
  /** Of the rows in hand. */
  #firstKeys = new Int32Array(0);
  #secondKeys = new Int32Array(0);
  #rows = 0;
  #minTimeUs: number | null = null;
  #maxTimeUs: number | null = null;

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
    setValues('timestamp', values[this.#time] ?? [], rows);
    this.#addKeys(rows, values[this.#device] as ArrayLike<string>);
    for (const [index, { type }] of this.#columns.entries())
      this.#addColumn(index, rows, setValues(type, values[index] ?? [], rows));
    this.#rows += rows;
  }

  /** The same, with no more in memory than one column and the devices. @param read the values of a column */
  async addByColumn(
    rows: number,
    read: (column: ArchivedColumn) => Promise<ArrayLike<ArchivedValue | undefined>>,
  ): Promise<void> {
    const devices = (await read(this.#columns[this.#device] as ArchivedColumn)) as ArrayLike<string>;
    setValues('timestamp', await read(this.#columns[this.#time] as ArchivedColumn), rows);
    this.#addKeys(rows, devices);
    for (const [index, column] of this.#columns.entries()) {
      const values = await read(column);
      this.#addColumn(index, rows, setValues(column.type, values, rows));
    }
    this.#rows += rows;
  }

  /** The same of rows on their way out of the database. */
  addGroup({ columns, rows }: RowGroup): void {
    setColumn(columns[this.#time] as GroupColumn, rows);
    this.#addKeys(rows, (columns[this.#device] as GroupColumn).values as string[]);
    for (const [index, column] of columns.entries()) {
      setColumn(column, rows);
      this.#addColumn(index, rows, column.nulls);
    }
    this.#rows += rows;
  }

  result(): TallyResult {
    const hex = (word: number): string => word.toString(16).padStart(8, '0');
    return {
      rows: this.#rows,
      minTimeUs: this.#minTimeUs,
      maxTimeUs: this.#maxTimeUs,
      columns: this.#columns.map(({ name, type }, index) => ({
        name,
        type,
        nulls: this.#nulls[index] as number,
        checksum: hex(this.#firstLane[index] as number) + hex(this.#secondLane[index] as number),
      })),
    };
  }

  /** What the words stand for at present. */
  #addColumn(index: number, rows: number, nulls: number): void {
    const [firstKeys, secondKeys] = [this.#firstKeys, this.#secondKeys];
    let first = 0;
    let second = 0;
    for (let row = 0; row < rows; row++) {
      const low = lows[row] as number;
      const high = highs[row] as number;
      first = (first + mix(mix((firstKeys[row] as number) ^ low) + high)) | 0;
      second = (second + mix(mix((secondKeys[row] as number) ^ high) + Math.imul(low, 0x9e3779b1))) | 0;
    }
    this.#nulls[index] = (this.#nulls[index] as number) + nulls;
    this.#firstLane[index] = (this.#firstLane[index] as number) + first;
    this.#secondLane[index] = (this.#secondLane[index] as number) + second;
  }

  /** Makes the keys of the rows, and takes note of their times, whose words are set. */
  #addKeys(rows: number, devices: ArrayLike<string>): void {
    if (this.#firstKeys.length < rows) {
      this.#firstKeys = new Int32Array(rows);
      this.#secondKeys = new Int32Array(rows);
    }
    const [firstKeys, secondKeys] = [this.#firstKeys, this.#secondKeys];
    let device: string | undefined;
    let deviceLow = 0;
    let deviceHigh = 0;
    let [min, max] = [this.#minTimeUs, this.#maxTimeUs];
    for (let row = 0; row < rows; row++) {
      // Rows come sorted by device: its hash is computed once.
      if (devices[row] !== device) {
        device = devices[row] as string;
        setTextWords(device);
        deviceLow = textLow;
        deviceHigh = textHigh;
      }
      const low = lows[row] as number;
      const high = highs[row] as number;
      const time = high * 4_294_967_296 + (low >>> 0);
      if (min === null || time < min) min = time;
      if (max === null || time > max) max = time;
      firstKeys[row] = mix(mix(deviceLow ^ low) + high);
      secondKeys[row] = mix(mix(deviceHigh ^ high) + low);
    }
    this.#minTimeUs = min;
    this.#maxTimeUs = max;
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
