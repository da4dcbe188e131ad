/**
 * Whether a chunk of readings may be dropped, and if not, why. Pure: the job that drops looks everything up, asks here,
 * and asks the archive once more under the lock (the rows may change until then).
 */

/** A chunk of `telemetry`; instants in epoch seconds. */
export interface RawChunk {
  readonly startSeconds: number;
  /** Exclusive. */
  readonly endSeconds: number;
  /** Whether a day of it is in `late_days`: its aggregates are about to be computed from its rows. */
  readonly awaitsRefresh: boolean;
}

/** A hold in force at some time; its device does not matter, since chunks are what is dropped. */
export interface RawHold {
  readonly id: number;
  readonly fromSeconds: number;
  /** Exclusive. */
  readonly toSeconds: number;
  /** null: until it is released. */
  readonly expiresSeconds: number | null;
  readonly isReleased: boolean;
}

/** The newest part of the archive over the range of a chunk, unless its own chunk was dropped and this is another. */
export interface ArchivedRange {
  readonly startSeconds: number;
  readonly endSeconds: number;
  readonly isVerified: boolean;
  /** Of the rows at the time: how many, and the sum of their hashes. */
  readonly rows: number;
  readonly fingerprint: string;
}

/** What is in the chunk now, as the archive counted it. */
export interface ChunkContent {
  readonly rows: number;
  readonly fingerprint: string;
}

/** `locked` and `no_archive` are of the job that drops: nothing is decided then. */
export const KEEP_REASONS = [
  'young',
  'held',
  'late',
  'not_archived',
  'not_verified',
  'not_compared',
  'stale',
  'locked',
  'no_archive',
] as const;
export type KeepReason = (typeof KEEP_REASONS)[number];

export type RetentionDecision =
  { readonly drop: true } | { readonly drop: false; readonly reason: KeepReason; readonly explanation: string };

export interface RetentionQuestion {
  readonly chunk: RawChunk;
  readonly holds: readonly RawHold[];
  /** null: the archive has nothing of exactly this range. */
  readonly archived: ArchivedRange | null;
  /** Read only when everything else allows the drop: it costs reading the chunk. */
  readonly content: ChunkContent | null;
  readonly rawDays: number;
  readonly nowSeconds: number;
}

const SECONDS_PER_DAY = 86_400;

/**
 * Drops only what is old enough, free of holds, refreshed, and in the archive row for row. `content` absent means that
 * the rows have not been looked at, and then nothing is dropped.
 */
export function decideRetention(question: RetentionQuestion): RetentionDecision {
  const { chunk, archived, content, rawDays, nowSeconds } = question;
  const ageDays = (nowSeconds - chunk.endSeconds) / SECONDS_PER_DAY;
  if (ageDays <= rawDays)
    return keep('young', `its last readings are ${Math.max(0, Math.floor(ageDays))} days old, and ${rawDays} are kept`);
  const hold = question.holds.find((each) => keeps(each, chunk, nowSeconds));
  if (hold !== undefined) return keep('held', `hold ${hold.id} keeps it`);
  if (chunk.awaitsRefresh) return keep('late', 'late readings of it are not in the aggregates yet');
  if (archived === null || !coversExactly(archived, chunk)) return keep('not_archived', 'the archive does not have it');
  if (!archived.isVerified) return keep('not_verified', 'its archive has not been verified, or is no longer right');
  if (content === null) return keep('not_compared', 'its rows have not been compared with the archive');
  if (!isSame(archived, content)) return keep('stale', staleBecause(archived, content));
  return { drop: true };
}

const keep = (reason: KeepReason, explanation: string): RetentionDecision => ({ drop: false, reason, explanation });

/** In force, and over a part of the chunk. One that expires this very moment has expired. */
function keeps(hold: RawHold, { startSeconds, endSeconds }: RawChunk, nowSeconds: number): boolean {
  const isInForce = !hold.isReleased && (hold.expiresSeconds === null || hold.expiresSeconds > nowSeconds);
  return isInForce && hold.fromSeconds < endSeconds && hold.toSeconds > startSeconds;
}

/** An archive of half the chunk, or of more than it, proves nothing about its rows. */
const coversExactly = ({ startSeconds, endSeconds }: ArchivedRange, chunk: RawChunk): boolean =>
  startSeconds === chunk.startSeconds && endSeconds === chunk.endSeconds;

const isSame = (archived: ArchivedRange, content: ChunkContent): boolean =>
  archived.rows === content.rows && archived.fingerprint === content.fingerprint;

function staleBecause({ rows }: ArchivedRange, content: ChunkContent): string {
  const more = content.rows - rows;
  if (more > 0) return `${more} readings came after it was archived`;
  return more < 0 ? `${-more} readings are gone since it was archived` : 'readings have changed since it was archived';
}
