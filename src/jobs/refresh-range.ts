import type { AggregateLevel } from '../storage/aggregate-levels.js';
import { sqlTimestamp, MICROS_PER_SECOND } from '../telemetry/timestamp.js';
import type { JobContext } from './job.js';
import type { SlicePace } from './slice-pace.js';

export interface RefreshRange {
  /** Epoch seconds; widened to whole buckets. */
  readonly fromSeconds: number;
  /** Epoch seconds, exclusive; cut to whole buckets, so that an open bucket is never stored. */
  readonly toSeconds: number;
  /** Compute everything anew instead of only what has changed. */
  readonly force?: boolean;
  /** Told after every slice how far the range is done, epoch seconds: for whoever goes on from there after a yield. */
  readonly advanced?: (toSeconds: number) => void;
}

/**
 * Refreshes a range of an aggregate slice by slice, oldest first: the watermark then never passes data that is not
 * stored yet, and what lies above it is computed on reading, so readers see complete figures all the time.
 *
 * @returns whether it came to the end, rather than being asked to yield
 */
export async function refreshRange(
  context: JobContext,
  level: AggregateLevel,
  range: RefreshRange,
  pace: SlicePace,
): Promise<boolean> {
  const { bucketSeconds } = level;
  const end = Math.floor(range.toSeconds / bucketSeconds) * bucketSeconds;
  let from = Math.floor(range.fromSeconds / bucketSeconds) * bucketSeconds;
  while (from < end) {
    if (context.shouldYield()) return false;
    const to = Math.min(end, from + pace.seconds);
    const startedMs = performance.now();
    await context.slice(() => context.database.script(refreshStatement(level.view, from, to, range.force ?? false)));
    pace.record(to - from, performance.now() - startedMs);
    range.advanced?.(to);
    from = to;
  }
  return true;
}

/**
 * A refresh commits on its own, so it cannot run in a transaction and takes its limits from the session: none for
 * time, since a half-done slice helps nobody, and none for rows of compressed chunks, which a late day may rewrite.
 */
function refreshStatement(view: string, fromSeconds: number, toSeconds: number, force: boolean): string {
  const instant = (seconds: number): string => `'${sqlTimestamp(seconds * MICROS_PER_SECOND)}'::timestamptz`;
  return `SET statement_timeout = 0;
    SET timescaledb.max_tuples_decompressed_per_dml_transaction = 0;
    CALL refresh_continuous_aggregate('${view}', ${instant(fromSeconds)}, ${instant(toSeconds)}${force ? ', force => true' : ''});`;
}
