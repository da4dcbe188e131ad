/**
 * Drops a chunk of readings that the archive has row for row: under a lock that lets nobody write into it, so that what
 * was compared is what is dropped. The comparison, the drop and the mark on the part are one transaction: a kill at any
 * moment leaves all of it or nothing.
 */
import type { Database, Session } from '../storage/database.js';
import { sqlStateOf } from '../storage/sql-state.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { formatTimestamp, sqlTimestamp } from '../telemetry/timestamp.js';
import { readFingerprint, type ChunkRange } from './chunk-rows.js';
import { latestPart, markDropped, markStale, markUnchecked, wasDropped, type ArchivePart } from './part-table.js';
import { archivedFingerprints, forgetRestored, restoredRows } from './restored-rows.js';

export interface ChunkToDrop {
  /** With its schema, quoted where need be. */
  readonly name: string;
  readonly range: ChunkRange;
}

/** What the archive knows of a chunk; instants in epoch microseconds. */
export interface ArchivedEvidence {
  readonly range: ChunkRange;
  readonly isVerified: boolean;
  readonly rows: number;
  /** As the archive has it, the number of rows included. */
  readonly fingerprint: string;
}

export interface ChunkEvidence {
  /** Of the newest part; null: there is none of what is in the chunk now. */
  readonly archived: ArchivedEvidence | null;
  /** What is in the chunk; null: not looked at yet, since it takes reading all rows. */
  readonly content: { readonly rows: number; readonly fingerprint: string } | null;
}

/** `compare`: look at the rows and ask again. `stale`: they are not those of the part, so that there has to be another. */
export type DropVerdict = 'drop' | 'compare' | 'stale' | 'keep';

/** Asked under the lock, in the transaction of the drop: what it reads on the session holds until then. */
export type DropJudge = (session: Session, evidence: ChunkEvidence) => Promise<DropVerdict>;

/** What became of it; `locked`: somebody reads or writes it, or its archive is being made. */
export type DropResult =
  | { readonly outcome: 'kept' | 'locked' }
  | { readonly outcome: 'stale'; readonly part: ArchivePart }
  | {
      readonly outcome: 'dropped';
      readonly part: ArchivePart;
      readonly rows: number;
      /** Of them, those that came after the range had been dropped before: no aggregate has them. */
      readonly lateRows: number;
    };

/** Whoever wants to write into the chunk, or to read it while it is dropped, queues up behind the wait for the lock. */
const LOCK_TIMEOUT_MS = 3000;
/** lock_not_available, deadlock_detected. */
const LOCKED: ReadonlySet<string | null> = new Set(['55P03', '40P01']);

/** @throws OperationalError `unexpected_chunks` when anything but this one chunk would have been dropped */
export async function dropChunk(database: Database, chunk: ChunkToDrop, judge: DropJudge): Promise<DropResult> {
  try {
    return await database.transaction((session) => dropLocked(session, chunk, judge), { statementTimeoutMs: 0 });
  } catch (error) {
    if (LOCKED.has(sqlStateOf(error))) return { outcome: 'locked' };
    throw error;
  }
}

async function dropLocked(session: Session, { name, range }: ChunkToDrop, judge: DropJudge): Promise<DropResult> {
  await session.execute(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
  // Writers wait from here on, readers do not yet.
  await session.execute(`LOCK TABLE ${name} IN SHARE ROW EXCLUSIVE MODE`);
  // A hold that somebody was told of is seen below; one that comes in the meantime waits for the end of this.
  await session.execute('LOCK TABLE holds IN SHARE MODE');
  const part = await latestPart(session, range);
  const known = await archivedFingerprints(session, range);
  const archived = part === undefined ? null : evidenceOf(part, known[1]);
  const first = await judge(session, { archived, content: null });
  if (first !== 'compare' || part === undefined) return { outcome: 'kept' };
  const fingerprint = await readFingerprint(session, range);
  const rows = Number.parseInt(fingerprint, 10);
  // Rows that came back from the archive may be in the chunk beside those of the part, or in their place.
  const same = archived !== null && known.includes(fingerprint) ? { ...archived, rows, fingerprint } : archived;
  const verdict = await judge(session, { archived: same, content: { rows, fingerprint } });
  if (verdict === 'stale') {
    if (part.state === 'verified') await markStale(session, part.id);
    else await markUnchecked(session, part.id);
    return { outcome: 'stale', part };
  }
  if (verdict !== 'drop') return { outcome: 'kept' };
  const lateRows = (await wasDropped(session, range)) ? Math.max(0, rows - (await restoredRows(session, range))) : 0;
  await dropExactly(session, { name, range });
  await forgetRestored(session, range);
  if (part.state === 'verified' && (await markDropped(session, part.id)) !== 1)
    throw new Error(`The part ${part.objectKey} was not verified.`);
  return { outcome: 'dropped', part, rows, lateRows };
}

/**
 * A part whose chunk was dropped says nothing of the chunk that rows have made since, unless they came back from it.
 * @param fingerprint of what came back and is archived; undefined where nothing did
 */
function evidenceOf({ range, state, figures }: ArchivePart, fingerprint: string | undefined): ArchivedEvidence | null {
  if (figures === undefined) return null;
  if (state === 'dropped') {
    if (fingerprint === undefined) return null;
    return { range, isVerified: true, rows: Number.parseInt(fingerprint, 10), fingerprint };
  }
  return { range, isVerified: state === 'verified', rows: figures.tally.rows, fingerprint: figures.fingerprint };
}

async function dropExactly(session: Session, { name, range: { startUs, endUs } }: ChunkToDrop): Promise<void> {
  const dropped = await session.query<{ name: string }>(
    `SELECT drop_chunks('telemetry', older_than => $1::timestamptz, newer_than => $2::timestamptz) AS name`,
    [sqlTimestamp(endUs), sqlTimestamp(startUs)],
  );
  if (dropped.length === 1 && dropped[0]?.name === name) return;
  const names = dropped.map((each) => each.name).join(', ');
  throw new OperationalError(
    'unexpected_chunks',
    `Dropping the readings from ${formatTimestamp(startUs)} to ${formatTimestamp(endUs)} would have dropped ` +
      `${names === '' ? 'no chunk' : names} instead of ${name}, so nothing was dropped. Another program may be dropping chunks at the ` +
      'same time, or the length of chunks was changed by hand.',
    { retryable: true },
  );
}
