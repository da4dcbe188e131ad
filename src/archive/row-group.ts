/** Rows in memory on their way into a part, a column an array of its own kind: used again for the next ones. */
import type { ArchivedColumn, ColumnType } from './column-types.js';

/** All that is in memory, some 10 MB of 26 columns; readers skip and read by row group. */
const ROWS_A_GROUP = 65_536;

export type GroupValues =
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>
  | string[];

export interface GroupColumn extends ArchivedColumn {
  /** By row; what stands where `isNull` says NULL means nothing. Booleans are 0 and 1, times epoch microseconds. */
  readonly values: GroupValues;
  /** By row: 1 or 0. */
  readonly isNull: Uint8Array;
  nulls: number;
}

export interface RowGroup {
  readonly columns: readonly GroupColumn[];
  rows: number;
  /** Sum of `hash_record_extended` of these rows. */
  hash: bigint;
}

/** @param capacity rows */
export function createRowGroup(columns: readonly ArchivedColumn[], capacity = ROWS_A_GROUP): RowGroup {
  return {
    columns: columns.map((column) => ({
      ...column,
      values: createValues(column.type, capacity),
      isNull: new Uint8Array(capacity),
      nulls: 0,
    })),
    rows: 0,
    hash: 0n,
  };
}

export function emptyRowGroup(group: RowGroup): void {
  group.rows = 0;
  group.hash = 0n;
  for (const column of group.columns) {
    column.nulls = 0;
    column.isNull.fill(0);
  }
}

function createValues(type: ColumnType, capacity: number): GroupValues {
  switch (type) {
    case 'float':
      return new Float32Array(capacity);
    case 'double':
      return new Float64Array(capacity);
    case 'integer':
      return new Int32Array(capacity);
    case 'bigint':
    case 'timestamp':
      return new BigInt64Array(capacity);
    case 'boolean':
      return new Uint8Array(capacity);
    case 'text':
    case 'json':
      return Array.from<string>({ length: capacity }).fill('');
  }
}

/** The bits of a column of numbers, 32 at a time; of a 64-bit number the lower half comes first. */
export const wordsOf = (values: Exclude<GroupValues, string[] | Uint8Array>): Int32Array =>
  new Int32Array(values.buffer, values.byteOffset, values.byteLength / 4);
