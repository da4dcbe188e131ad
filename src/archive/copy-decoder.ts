/**
 * PostgreSQL's binary COPY format → row groups. The format as its documentation has it ("COPY", section "Binary Format"), the
 * types as their `…send` functions write them. The last field of every row is its hash.
 */
import { OperationalError } from '../telemetry/operational-error.js';
import type { ColumnType } from './column-types.js';
import { emptyRowGroup, wordsOf, type GroupColumn, type RowGroup } from './row-group.js';

/** Signature, flags, length of the extension, which PostgreSQL leaves empty. */
const HEADER_BYTES = 19;
/** From 1970 to 2000, where PostgreSQL's time begins, microseconds. */
const EPOCH_US = 946_684_800_000_000;
const EPOCH_HIGH = Math.floor(EPOCH_US / 4_294_967_296);
const EPOCH_LOW = EPOCH_US % 4_294_967_296;
const QUIET_NAN = 0x7fc00000;

/** Thrown by no one: what tells that a row is not there as a whole yet. */
const INCOMPLETE = -1;

type Reader = (decoder: CopyDecoder, at: number, length: number, row: number) => void;

export class CopyDecoder {
  readonly group: RowGroup;
  readonly #readers: readonly Reader[];
  #bytes: Buffer = Buffer.alloc(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
  #at = 0;
  #needsHeader = true;
  /** Read so far, by whatever group. */
  #rows = 0;
  #lastRow = 0;
  readonly #times: BigInt64Array | undefined;
  /** Of the hashes in the group: sums of their halves, exact in a double. */
  #hashHigh = 0;
  #hashLow = 0;

  /** @param group is filled, and used again after each time that it was full */
  constructor(group: RowGroup) {
    this.group = group;
    this.#readers = group.columns.map(readerOf);
    const times = group.columns.find(({ name }) => name === 'timestamp')?.values;
    this.#times = times instanceof BigInt64Array ? times : undefined;
  }

  get view(): DataView {
    return this.#view;
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Rows read since the beginning. */
  get rows(): number {
    return this.#rows;
  }

  /** Of the last of them, epoch microseconds. */
  get lastTimeUs(): number {
    return Number(this.#times?.[this.#lastRow]);
  }

  /** Another stream of the same columns begins. */
  restart(): void {
    this.#needsHeader = true;
    this.#bytes = Buffer.alloc(0);
    this.#at = 0;
  }

  /** Takes a chunk of the stream, and yields the group each time that it is full; it is emptied behind. */
  *push(chunk: Uint8Array): Generator<RowGroup> {
    this.#take(chunk);
    if (this.#needsHeader) {
      if (this.#bytes.length < HEADER_BYTES) return;
      this.#at = HEADER_BYTES;
      this.#needsHeader = false;
    }
    const capacity = this.group.columns[0]?.isNull.length ?? 0;
    for (;;) {
      const end = this.#readRow(this.#at);
      if (end === INCOMPLETE) break;
      this.#at = end;
      this.#rows++;
      this.#lastRow = this.group.rows;
      if (++this.group.rows === capacity) yield* this.flush();
    }
  }

  /** What is in the group, if anything. */
  *flush(): Generator<RowGroup> {
    const { group } = this;
    if (group.rows === 0) return;
    group.hash = BigInt(this.#hashHigh) * 4_294_967_296n + BigInt(this.#hashLow);
    this.#hashHigh = this.#hashLow = 0;
    yield group;
    emptyRowGroup(group);
  }

  #take(chunk: Uint8Array): void {
    const left = this.#bytes.length - this.#at;
    this.#bytes =
      left > 0
        ? Buffer.concat([this.#bytes.subarray(this.#at), chunk])
        : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    this.#at = 0;
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);
  }

  /** @returns where the row ends; INCOMPLETE where it does not end in what is there, or where the stream does */
  #readRow(from: number): number {
    const view = this.#view;
    const end = view.byteLength;
    const { columns, rows: row } = this.group;
    // The trailer has −1 instead of a number of fields, and nothing behind it.
    if (from + 2 > end || view.getInt16(from) === -1) return INCOMPLETE;
    if (view.getInt16(from) !== columns.length + 1) throw new Error('A row has another number of columns.');
    let at = from + 2;
    // First whether it is there as a whole: nulls are counted while it is read.
    for (let index = 0; index <= columns.length; index++) {
      if (at + 4 > end) return INCOMPLETE;
      at += 4 + Math.max(0, view.getInt32(at));
    }
    if (at > end) return INCOMPLETE;
    at = from + 2;
    for (let index = 0; index < columns.length; index++) {
      const length = view.getInt32(at);
      at += 4;
      if (length < 0) {
        const column = columns[index] as GroupColumn;
        column.isNull[row] = 1;
        column.nulls++;
      } else {
        (this.#readers[index] as Reader)(this, at, length, row);
        at += length;
      }
    }
    this.#hashHigh += view.getInt32(at + 4);
    this.#hashLow += view.getUint32(at + 8);
    return at + 12;
  }
}

function readerOf({ name, type, values }: GroupColumn): Reader {
  if (Array.isArray(values)) return textReader(values, type);
  if (values instanceof Uint8Array) {
    return ({ view }, at, _length, row) => {
      values[row] = view.getUint8(at);
    };
  }
  if (values instanceof Int32Array) {
    return ({ view }, at, length, row) => {
      values[row] = length === 2 ? view.getInt16(at) : view.getInt32(at);
    };
  }
  if (values instanceof BigInt64Array) return bigReader(values, name, type);
  if (values instanceof Float64Array) {
    return ({ view }, at, _length, row) => {
      const value = view.getFloat64(at);
      values[row] = Number.isNaN(value) ? Number.NaN : value;
    };
  }
  const words = wordsOf(values);
  return ({ view }, at, _length, row) => {
    const word = view.getInt32(at);
    // There are many NaN, and one value of that name: Parquet and the checksums know no other.
    words[row] = (word & 0x7fffffff) > 0x7f800000 ? QUIET_NAN : word;
  };
}

/** By halves: a bigint would be made and thrown away for every value. */
function bigReader(values: BigInt64Array<ArrayBuffer>, name: string, type: ColumnType): Reader {
  const words = wordsOf(values);
  if (type === 'bigint') {
    return ({ view }, at, _length, row) => {
      words[2 * row] = view.getInt32(at + 4);
      words[2 * row + 1] = view.getInt32(at);
    };
  }
  return ({ view }, at, _length, row) => {
    const high = view.getInt32(at);
    const low = view.getUint32(at + 4);
    if ((high === 0x7fffffff && low === 0xffffffff) || (high === -0x80000000 && low === 0)) throw infiniteTime(name);
    const sum = low + EPOCH_LOW;
    words[2 * row] = sum | 0;
    words[2 * row + 1] = high + EPOCH_HIGH + (sum > 0xffffffff ? 1 : 0);
  };
}

const infiniteTime = (name: string): OperationalError =>
  new OperationalError(
    'archive_column_type',
    `The column ${name} of telemetry has an infinite time, which Parquet does not know, so nothing was archived. Correct the row.`,
  );

/** Many rows behind one another have the same text: it is made once. */
function textReader(values: string[], type: ColumnType): Reader {
  let last = '';
  let lastBytes: Uint8Array = new Uint8Array(0);
  // jsonb comes behind the version of its format.
  const skipped = type === 'json' ? 1 : 0;
  return ({ bytes }, start, length, row) => {
    const at = start + skipped;
    const end = start + length;
    if (end - at !== lastBytes.length || !isSame(bytes, at, lastBytes)) {
      last = bytes.toString('utf8', at, end);
      lastBytes = Uint8Array.from(bytes.subarray(at, end));
    }
    values[row] = last;
  };
}

function isSame(bytes: Uint8Array, at: number, other: Uint8Array): boolean {
  for (let index = 0; index < other.length; index++) if (bytes[at + index] !== other[index]) return false;
  return true;
}
