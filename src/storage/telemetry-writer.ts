/** Batches into the table `telemetry`. How rows get there: rows-write.ts. */
import type { ReadingBatch } from '../telemetry/reading-batch.js';
import type { Database } from './database.js';
import { emptyTally } from './rows-write.js';
import type { RetryPolicy, TelemetrySink, WriteResult } from './telemetry-sink.js';
import { BATCHES_PER_LANE, WriteLane } from './write-lane.js';

/**
 * Connections that write at the same time, where there are several: two keep a database on two cores busy, and a third
 * uses the time in which another waits for its commit to reach the disk (docs/benchmarks.md).
 */
const MAX_LANES = 3;

const giveUp: RetryPolicy = () => Promise.resolve(false);

/**
 * Writes through one database, over one connection or a few. Every device has its lane, and a lane writes in the order
 * of the calls: so the first of two records with the same key is the first in the table as well.
 */
export class TelemetryWriter implements TelemetrySink {
  /** While each lane writes, the rows of another batch are encoded and wait. */
  readonly writesInFlight = BATCHES_PER_LANE;
  readonly #lanes: readonly WriteLane[];
  readonly #nowUs: () => number;

  /** @param nowUs the clock, epoch microseconds: `ingestion_timestamp`, and what is old */
  constructor(database: Database, nowUs: () => number) {
    const lanes = Math.min(MAX_LANES, database.capabilities.concurrency);
    this.#lanes = Array.from({ length: lanes }, () => new WriteLane(database));
    this.#nowUs = nowUs;
  }

  /** See `TelemetrySink`. Encodes at once, while the batch before is still being written. */
  async write(batch: ReadingBatch, retry: RetryPolicy = giveUp): Promise<WriteResult> {
    const nowUs = this.#nowUs();
    const parts = rowsByLane(batch, this.#lanes.length);
    const writes = this.#lanes.map((lane, index) => lane.write(batch, parts[index] as Int32Array, nowUs, retry));
    await Promise.allSettled(writes); // the batch belongs to the caller again: no lane may still read it
    const tally = emptyTally(nowUs);
    for (const part of await Promise.all(writes)) {
      tally.stored += part.stored;
      tally.merged += part.merged;
      tally.duplicate += part.duplicate;
      for (const row of part.mergedRows) tally.mergedRows.push(row);
      for (const row of part.duplicateRows) tally.duplicateRows.push(row);
      tally.refused.push(...part.refused);
    }
    tally.refused.sort((a, b) => a.row - b.row);
    return tally;
  }
}

/**
 * The rows of each lane; all rows of a device are in the same one, in every batch, one behind the other and in the order of
 * the batch. So the index of the key, where each device has its own place, is entered at a place once and not row by row.
 */
function rowsByLane(batch: ReadingBatch, lanes: number): Int32Array[] {
  const { length } = batch;
  const device = batch.device.subarray(0, length);
  const starts = new Int32Array(device.reduce((most, number) => Math.max(most, number), -1) + 2);
  const place = (row: number): number => (device[row] as number) + 1; // −1 is no device of a table
  for (let row = 0; row < length; row++) (starts[place(row)] as number)++;
  const parts: Int32Array[] = [];
  const rows = new Int32Array(length);
  let next = 0;
  for (let lane = 0; lane < lanes; lane++) {
    const from = next;
    for (let at = lane; at < starts.length; at += lanes) {
      const count = starts[at] as number;
      starts[at] = next;
      next += count;
    }
    parts.push(rows.subarray(from, next));
  }
  for (let row = 0; row < length; row++) rows[(starts[place(row)] as number)++] = row;
  return parts;
}
