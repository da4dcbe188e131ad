/** Medians: what the watch spends its time with. */

/** One for all: sorting numbers in place is the fastest. */
let scratch = new Float64Array(1024);

/** The median of the values that are numbers; NaN of none. */
export function median(values: readonly number[] | Float64Array): number {
  if (values.length > scratch.length) scratch = new Float64Array(values.length * 2);
  let count = 0;
  for (let at = 0; at < values.length; at++) {
    const value = values[at] as number;
    if (value === value) scratch[count++] = value;
  }
  if (count === 0) return Number.NaN;
  const sorted = scratch.subarray(0, count).sort();
  const middle = count >> 1;
  return count % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
