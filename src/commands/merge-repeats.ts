/** Rows of one device and one instant as one, as the database has them: gauge and drive often report apart. */
import { CHANNEL_COUNT } from '../telemetry/channels.js';
import type { ReadingBatch } from '../telemetry/reading-batch.js';

export interface MergedRows {
  /** The rows that are left, in the order of those given. */
  readonly rows: Uint32Array;
  /** Rows that went into the one before them. */
  readonly merged: number;
  /** Of those, the ones that said something else about the same channel: what came first stays. */
  readonly contradicting: number;
}

/** @param rows in time order; `batch.device` is set */
export function mergeRepeats(batch: ReadingBatch, rows: Uint32Array): MergedRows {
  const newest = new Map<number, number>();
  let contradicting = 0;
  const left = rows.filter((row) => {
    const device = batch.device[row] as number;
    const first = newest.get(device);
    if (first === undefined || batch.timestampUs[first] !== batch.timestampUs[row]) {
      newest.set(device, row);
      return true;
    }
    if (!fill(batch, first, row)) contradicting++;
    return false;
  });
  return { rows: left, merged: rows.length - left.length, contradicting };
}

/** @returns whether the two agree wherever both have a reading */
function fill({ values }: ReadingBatch, first: number, second: number): boolean {
  let agrees = true;
  for (let index = 0; index < CHANNEL_COUNT; index++) {
    const at = first * CHANNEL_COUNT + index;
    const value = values[second * CHANNEL_COUNT + index] as number;
    if (Number.isNaN(value)) continue;
    if (Number.isNaN(values[at])) values[at] = value;
    else agrees &&= values[at] === value;
  }
  return agrees;
}
