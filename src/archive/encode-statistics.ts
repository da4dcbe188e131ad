/** Least and greatest value of a column in a row group, for readers that skip what they need not read. */
import type { ColumnChunk } from 'hyparquet';
import { wordsOf, type GroupColumn, type GroupValues } from './row-group.js';

export type Statistics = NonNullable<NonNullable<ColumnChunk['meta_data']>['statistics']>;

/** @param present rows that have all values there are, and no NULL */
export function statisticsOf(column: GroupColumn, present: Int32Array): Statistics {
  const { values, nulls } = column;
  const bounds = Array.isArray(values) ? textBounds(values, present) : numberBounds(values, present, column.type);
  return { null_count: BigInt(nulls), ...(bounds === undefined ? {} : { min_value: bounds[0], max_value: bounds[1] }) };
}

type Bound = number | bigint | boolean | string;

function numberBounds(
  values: Exclude<GroupValues, string[]>,
  rows: Int32Array,
  type: GroupColumn['type'],
): [Bound, Bound] | undefined {
  if (values instanceof BigInt64Array) return bigBounds(values, rows);
  let min = Number.NaN;
  let max = Number.NaN;
  for (let index = 0; index < rows.length; index++) {
    const value = values[rows[index] as number] as number;
    // A NaN is neither less nor greater, and the format wants it left out.
    if (value < min || Number.isNaN(min)) min = value;
    if (value > max || Number.isNaN(max)) max = value;
  }
  if (Number.isNaN(min)) return undefined;
  if (type === 'boolean') return [min === 1, max === 1];
  // The two zeros are one to readers that compare: the bounds hold both.
  return [min === 0 ? -0 : min, max === 0 ? 0 : max];
}

/** Compared by halves, without making a bigint of each. */
function bigBounds(values: BigInt64Array<ArrayBuffer>, rows: Int32Array): [Bound, Bound] | undefined {
  const words = wordsOf(values);
  let [min, max] = [rows[0], rows[0]];
  if (min === undefined || max === undefined) return undefined;
  const isLess = (one: number, other: number): boolean => {
    const [high, otherHigh] = [words[2 * one + 1] as number, words[2 * other + 1] as number];
    return high === otherHigh
      ? (words[2 * one] as number) >>> 0 < (words[2 * other] as number) >>> 0
      : high < otherHigh;
  };
  for (let index = 1; index < rows.length; index++) {
    const row = rows[index] as number;
    if (isLess(row, min)) min = row;
    else if (isLess(max, row)) max = row;
  }
  return [values[min] as bigint, values[max] as bigint];
}

/** By their bytes, as the format orders texts. */
function textBounds(values: readonly string[], present: Int32Array): [Bound, Bound] | undefined {
  const texts = new Set<string>();
  let last: string | undefined;
  for (let index = 0; index < present.length; index++) {
    const text = values[present[index] as number] as string;
    if (text !== last) texts.add(text);
    last = text;
  }
  let min: Buffer | undefined;
  let max: Buffer | undefined;
  for (const text of texts) {
    const bytes = Buffer.from(text, 'utf8');
    if (min === undefined || bytes.compare(min) < 0) min = bytes;
    if (max === undefined || bytes.compare(max) > 0) max = bytes;
  }
  return min === undefined || max === undefined ? undefined : [min.toString('utf8'), max.toString('utf8')];
}
