/**
 * Ranges of time whose readings have been dropped. No refresh may run over them: it would replace the aggregates by what
 * little has come in since. They are ranges and not an age, since a hold keeps single chunks, and an import brings old ones.
 */
import type { Session } from './database.js';

/** Epoch seconds, the end exclusive. */
export interface SecondsRange {
  readonly fromSeconds: number;
  readonly toSeconds: number;
}

/** The archive marks its part in the transaction of the drop. */
const DROPPED_SQL = `
  SELECT extract(epoch FROM lower(range))::float8 AS "fromSeconds", extract(epoch FROM upper(range))::float8 AS "toSeconds"
  FROM (
    SELECT unnest(range_agg(tstzrange(range_start, range_end))) AS range FROM archive_parts
    WHERE state = 'dropped' AND range_end > to_timestamp($1) AND range_start < to_timestamp($2)
  ) dropped ORDER BY range`;

/** Those that overlap `within`, oldest first; none touches another. */
export async function readDroppedRanges(session: Session, within: SecondsRange): Promise<SecondsRange[]> {
  return session.query<SecondsRange & Record<string, unknown>>(DROPPED_SQL, [within.fromSeconds, within.toSeconds]);
}

/**
 * What is left of a range without the dropped ones, each widened to whole buckets: a bucket that is dropped in part can
 * no longer be computed, and what is stored of it stays as it is.
 */
export function withoutDropped(
  { fromSeconds, toSeconds }: SecondsRange,
  dropped: readonly SecondsRange[],
  bucketSeconds: number,
): SecondsRange[] {
  const left: SecondsRange[] = [];
  let from = fromSeconds;
  for (const gap of dropped) {
    const to = Math.min(toSeconds, Math.floor(gap.fromSeconds / bucketSeconds) * bucketSeconds);
    if (from < to) left.push({ fromSeconds: from, toSeconds: to });
    from = Math.max(from, Math.ceil(gap.toSeconds / bucketSeconds) * bucketSeconds);
  }
  if (from < toSeconds) left.push({ fromSeconds: from, toSeconds });
  return left;
}
