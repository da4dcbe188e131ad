/** Rows as they come out of a part (a column an array) → PostgreSQL's binary COPY format, whatever the columns are. */
import {
  COPY_HEADER,
  COPY_TRAILER_BYTES,
  COPY_TRAILER_COUNT,
  MAX_UTF8_BYTES_PER_UNIT,
} from '../storage/copy-encoder.js';
import type { ArchivedValue, ColumnType } from './column-types.js';
import type { ColumnValues } from './row-tally.js';

/** A column of the table that rows go to; `databaseType` as `format_type` says it. */
export interface TargetColumn {
  readonly name: string;
  readonly databaseType: string;
}

/** Writes a value that is not NULL, with its length before it, and returns where the next byte goes. */
type WriteValue = (bytes: Buffer, view: DataView, at: number, value: ArchivedValue) => number;

interface Wire {
  readonly archived: ColumnType;
  readonly write: WriteValue;
}

/** PostgreSQL counts from 2000-01-01. */
const POSTGRES_EPOCH_US = 946_684_800_000_000n;
const NULL_LENGTH = -1;
const JSONB_VERSION = 1;
/** The length of a value and the widest one of fixed size. */
const FIXED_VALUE_BYTES = 12;
const INITIAL_BYTES = 1 << 20;

function writeText(bytes: Buffer, view: DataView, at: number, text: string): number {
  const length = bytes.write(text, at + 4, 'utf8');
  view.setInt32(at, length);
  return at + 4 + length;
}

function writeBigint(view: DataView, at: number, value: bigint): number {
  view.setInt32(at, 8);
  view.setBigInt64(at + 4, value);
  return at + 12;
}

const WIRES: Readonly<Record<string, Wire>> = {
  real: {
    archived: 'float',
    write(_bytes, view, at, value) {
      view.setInt32(at, 4);
      view.setFloat32(at + 4, value as number);
      return at + 8;
    },
  },
  'double precision': {
    archived: 'double',
    write(_bytes, view, at, value) {
      view.setInt32(at, 8);
      view.setFloat64(at + 4, value as number);
      return at + 12;
    },
  },
  boolean: {
    archived: 'boolean',
    write(_bytes, view, at, value) {
      view.setInt32(at, 1);
      view.setInt8(at + 4, value === true ? 1 : 0);
      return at + 5;
    },
  },
  smallint: {
    archived: 'integer',
    write(_bytes, view, at, value) {
      view.setInt32(at, 2);
      view.setInt16(at + 4, value as number);
      return at + 6;
    },
  },
  integer: {
    archived: 'integer',
    write(_bytes, view, at, value) {
      view.setInt32(at, 4);
      view.setInt32(at + 4, value as number);
      return at + 8;
    },
  },
  bigint: { archived: 'bigint', write: (_bytes, view, at, value) => writeBigint(view, at, value as bigint) },
  'timestamp with time zone': {
    archived: 'timestamp',
    write: (_bytes, view, at, value) => writeBigint(view, at, (value as bigint) - POSTGRES_EPOCH_US),
  },
  text: { archived: 'text', write: (bytes, view, at, value) => writeText(bytes, view, at, value as string) },
  jsonb: {
    archived: 'json',
    write(bytes, view, at, value) {
      const length = bytes.write(value as string, at + 5, 'utf8');
      view.setInt32(at, length + 1);
      view.setInt8(at + 4, JSONB_VERSION);
      return at + 5 + length;
    },
  },
};

/** How a column of this type lies in a part; undefined for a type that the archive does not know. */
export const archivedTypeOf = (databaseType: string): ColumnType | undefined => WIRES[databaseType]?.archived;

/** Turns groups of rows into COPY streams; one buffer, used again for each. */
export class RowCopyEncoder {
  readonly #writers: readonly WriteValue[];
  readonly #texts: readonly number[];
  #bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  #view = new DataView(this.#bytes.buffer);

  constructor(columns: readonly TargetColumn[]) {
    const wires = columns.map(({ databaseType }) => WIRES[databaseType] as Wire);
    this.#writers = wires.map(({ write }) => write);
    this.#texts = wires.flatMap(({ archived }, index) => (archived === 'text' || archived === 'json' ? [index] : []));
  }

  /**
   * One complete stream.
   * @param values of the columns, in their order
   * @param rows which of them
   * @returns bytes that are valid until the next call
   */
  encode(values: ColumnValues, rows: Int32Array): Uint8Array {
    this.#bytes.set(COPY_HEADER, 0);
    let at = COPY_HEADER.length;
    const count = this.#writers.length;
    const fixedBytes = 2 + count * FIXED_VALUE_BYTES + COPY_TRAILER_BYTES;
    for (const row of rows) {
      let needed = fixedBytes;
      for (const index of this.#texts) {
        const text = values[index]?.[row];
        if (typeof text === 'string') needed += text.length * MAX_UTF8_BYTES_PER_UNIT;
      }
      if (at + needed > this.#bytes.length) this.#grow(at, needed);
      this.#view.setInt16(at, count);
      at += 2;
      for (let index = 0; index < count; index++) {
        const value = (values[index] as ArrayLike<ArchivedValue | undefined>)[row];
        if (value === null || value === undefined) {
          this.#view.setInt32(at, NULL_LENGTH);
          at += 4;
        } else at = (this.#writers[index] as WriteValue)(this.#bytes, this.#view, at, value);
      }
    }
    this.#view.setInt16(at, COPY_TRAILER_COUNT);
    return this.#bytes.subarray(0, at + COPY_TRAILER_BYTES);
  }

  #grow(at: number, needed: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, at + needed));
    grown.set(this.#bytes.subarray(0, at));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}
