/** Which parts of the archive, and which of their rows, a range of time and some devices are in. */
import type { ArchivePart, PartFigures } from './part-table.js';
import type { GroupBounds } from './read-part.js';
import type { RowSelection } from './restore-table.js';
import type { ColumnValues } from './row-tally.js';

/** A part that counts, and what is wanted of it. */
export interface PlannedPart {
  readonly part: ArchivePart;
  readonly figures: PartFigures;
  readonly selection: RowSelection;
  /** Whether that is all of it. */
  readonly isWhole: boolean;
}

/**
 * The parts that have rows of the selection, in the order in which they count: of two rows with the same key, which there
 * can be where a chunk got rows after it was dropped, that of the earlier revision is the one that was stored first.
 * @param parts those that count
 */
export function planParts(parts: readonly ArchivePart[], { range, devices }: RowSelection): PlannedPart[] {
  return parts.flatMap((part) => {
    const { figures } = part;
    if (figures === undefined || figures.tally.minTimeUs === null || figures.tally.maxTimeUs === null) return [];
    const { minTimeUs, maxTimeUs } = figures.tally;
    if (minTimeUs >= range.endUs || maxTimeUs < range.startUs) return [];
    const startUs = Math.max(range.startUs, part.range.startUs);
    const endUs = Math.min(range.endUs, part.range.endUs);
    const isWhole = devices === undefined && minTimeUs >= startUs && maxTimeUs < endUs;
    return [{ part, figures, selection: { range: isWhole ? part.range : { startUs, endUs }, devices }, isWhole }];
  });
}

const ASCII = /^[\x20-\x7e]*$/;

/**
 * Whether a row group can have rows of the selection. Texts are compared only where every way to order them is the same:
 * readers and writers of Parquet order others by bytes, or by units of UTF-16.
 */
export function mayHold({ range, devices }: RowSelection, bounds: GroupBounds): boolean {
  const { minTimeUs, maxTimeUs, minDevice, maxDevice } = bounds;
  if (minTimeUs !== undefined && minTimeUs >= BigInt(range.endUs)) return false;
  if (maxTimeUs !== undefined && maxTimeUs < BigInt(range.startUs)) return false;
  if (devices === undefined || minDevice === undefined || maxDevice === undefined) return true;
  if (!ASCII.test(minDevice) || !ASCII.test(maxDevice)) return true;
  return devices.some((device) => !ASCII.test(device) || (device >= minDevice && device <= maxDevice));
}

/** Which rows of a group are of the selection. */
export function selectedRows(
  { range, devices }: RowSelection,
  deviceIds: ColumnValues[number],
  times: ColumnValues[number],
  rows: number,
): Int32Array {
  const wanted = devices === undefined ? undefined : new Set<unknown>(devices);
  const startUs = BigInt(range.startUs);
  const endUs = BigInt(range.endUs);
  const selected = new Int32Array(rows);
  let count = 0;
  for (let row = 0; row < rows; row++) {
    const time = times[row] as bigint;
    if (time < startUs || time >= endUs || wanted?.has(deviceIds[row]) === false) continue;
    selected[count++] = row;
  }
  return selected.subarray(0, count);
}
