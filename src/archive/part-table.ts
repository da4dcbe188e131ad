/** The table archive_parts: which parts there are, and which of them count. */
import type { Database, Session } from '../storage/database.js';
import { sqlTimestamp } from '../telemetry/timestamp.js';
import type { ChunkRange } from './chunk-rows.js';
import type { PartIdentity } from './manifest.js';
import type { ColumnTally, TallyResult } from './row-tally.js';
import type { WrittenPart } from './write-part.js';

export type PartState = 'exporting' | 'verified' | 'stale' | 'dropped';

/** What is known of a part once it has been written. */
export interface PartFigures {
  readonly tally: TallyResult;
  readonly fingerprint: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly manifestSha256: string;
}

export interface ArchivePart extends PartIdentity {
  readonly id: number;
  readonly state: PartState;
  /** Undefined until it has been written: always there unless the state is `exporting`. */
  readonly figures: PartFigures | undefined;
  /** As the database writes it; null while exporting. */
  readonly verifiedAt: string | null;
}

interface PartRow extends Record<string, unknown> {
  readonly id: number;
  readonly start_us: number;
  readonly end_us: number;
  readonly revision: number;
  readonly state: PartState;
  readonly object_key: string;
  readonly manifest_key: string;
  readonly schema_version: number;
  readonly rows: number | null;
  readonly min_us: number | null;
  readonly max_us: number | null;
  readonly fingerprint: string | null;
  readonly columns: ColumnTally[] | null;
  readonly bytes: number | null;
  readonly sha256: string | null;
  readonly manifest_sha256: string | null;
  readonly verified_at: string | null;
}

const micros = (column: string): string => `(extract(epoch FROM ${column}) * 1000000)::bigint`;
const SELECT = `
  SELECT id, ${micros('range_start')} AS start_us, ${micros('range_end')} AS end_us, revision, state, object_key, manifest_key,
    schema_version, rows, ${micros('min_time')} AS min_us, ${micros('max_time')} AS max_us, fingerprint, columns, bytes, sha256,
    manifest_sha256, verified_at
  FROM archive_parts`;

function partOf(row: PartRow): ArchivePart {
  const { rows, fingerprint, columns, bytes, sha256, manifest_sha256: manifestSha256 } = row;
  const isWritten =
    rows !== null &&
    fingerprint !== null &&
    columns !== null &&
    bytes !== null &&
    sha256 !== null &&
    manifestSha256 !== null;
  return {
    id: row.id,
    range: { startUs: row.start_us, endUs: row.end_us },
    revision: row.revision,
    state: row.state,
    objectKey: row.object_key,
    manifestKey: row.manifest_key,
    schemaVersion: row.schema_version,
    figures: isWritten
      ? {
          tally: { rows, minTimeUs: row.min_us, maxTimeUs: row.max_us, columns },
          fingerprint,
          bytes,
          sha256,
          manifestSha256,
        }
      : undefined,
    verifiedAt: row.verified_at,
  };
}

/** All parts, by range and revision; with `counting` those alone that hold what is archived. */
export async function listParts(session: Session, { counting = false } = {}): Promise<ArchivePart[]> {
  const rows = await session.query<PartRow>(`${SELECT} p ${counting ? COUNTING : ''} ORDER BY range_start, revision`);
  return rows.map(partOf);
}

/** Parts that count and were not read from the store for so many days; the one that was not read for longest is the first. */
export async function listUnreadParts(session: Session, days: number): Promise<ArchivePart[]> {
  const rows = await session.query<PartRow>(
    `${SELECT} p ${COUNTING} AND coalesce(read_at, verified_at) < now() - make_interval(secs => $1)
     ORDER BY coalesce(read_at, verified_at), range_start, revision`,
    [days * 86_400],
  );
  return rows.map(partOf);
}

/** A stale part holds what is archived of its chunk until there is another one. */
const COUNTING = `
  WHERE (state IN ('verified', 'dropped') OR (state = 'stale' AND NOT EXISTS (
    SELECT FROM archive_parts later
    WHERE later.range_start = p.range_start AND later.revision > p.revision AND later.state IN ('verified', 'dropped'))))`;

/** A part that counts and is damaged or missing in the store. */
export interface DamagedPart {
  readonly fromUs: number;
  readonly revision: number;
  readonly damage: string;
}

/** What the last verification of each part found; oldest first. */
export async function listDamagedParts(session: Session): Promise<DamagedPart[]> {
  return session.query<DamagedPart & Record<string, unknown>>(
    `SELECT (extract(epoch FROM range_start) * 1000000)::bigint AS "fromUs", revision, damage
     FROM (SELECT * FROM archive_parts p ${COUNTING}) counting WHERE damage IS NOT NULL ORDER BY range_start, revision`,
  );
}

/** Notes what a verification found. @param damage null: the part is whole */
export async function noteDamage(session: Session, id: number, damage: string | null): Promise<void> {
  await session.execute('UPDATE archive_parts SET damage = $2, read_at = clock_timestamp() WHERE id = $1', [
    id,
    damage,
  ]);
}

/** The part of the highest revision. */
export async function latestPart(session: Session, range: ChunkRange): Promise<ArchivePart | undefined> {
  const rows = await session.query<PartRow>(
    `${SELECT} WHERE range_start = $1::timestamptz ORDER BY revision DESC LIMIT 1`,
    [sqlTimestamp(range.startUs)],
  );
  return rows[0] === undefined ? undefined : partOf(rows[0]);
}

/** Notes that a part is about to be written; the one before it, if its rows are no longer those of the chunk, is stale. */
export async function beginPart(database: Database, part: PartIdentity, staleId: number | undefined): Promise<number> {
  return database.transaction(async (session) => {
    if (staleId !== undefined) await markStale(session, staleId);
    const [row] = await session.query<{ id: number }>(
      `INSERT INTO archive_parts (range_start, range_end, revision, object_key, manifest_key, schema_version)
       VALUES ($1, $2, $3, $4, $5, $6) RETURNING id`,
      [
        sqlTimestamp(part.range.startUs),
        sqlTimestamp(part.range.endUs),
        part.revision,
        part.objectKey,
        part.manifestKey,
        part.schemaVersion,
      ],
    );
    return (row as { id: number }).id;
  });
}

export async function markStale(session: Session, id: number): Promise<void> {
  await session.execute(`UPDATE archive_parts SET state = 'stale' WHERE id = $1 AND state = 'verified'`, [id]);
}

/** What was written and read back, before its manifest is. */
export async function recordFigures(
  session: Session,
  id: number,
  written: WrittenPart,
  manifestSha256: string,
): Promise<void> {
  const { tally, fingerprint, bytes, sha256 } = written;
  const instant = (us: number | null): string | null => (us === null ? null : sqlTimestamp(us));
  await session.execute(
    `UPDATE archive_parts SET rows = $2, min_time = $3, max_time = $4, fingerprint = $5, columns = $6, bytes = $7, sha256 = $8,
       manifest_sha256 = $9 WHERE id = $1 AND state = 'exporting'`,
    [
      id,
      tally.rows,
      instant(tally.minTimeUs),
      instant(tally.maxTimeUs),
      fingerprint,
      JSON.stringify(tally.columns),
      bytes,
      sha256,
      manifestSha256,
    ],
  );
}

export async function markVerified(session: Session, id: number): Promise<void> {
  await session.execute(
    `UPDATE archive_parts SET state = 'verified', verified_at = clock_timestamp(), checked_at = clock_timestamp()
     WHERE id = $1 AND state = 'exporting'`,
    [id],
  );
}

/** The chunk of a verified part is dropped. @returns how many parts were marked: 1, or 0 if it was not verified */
export function markDropped(session: Session, id: number): Promise<number> {
  return session.execute(`UPDATE archive_parts SET state = 'dropped' WHERE id = $1 AND state = 'verified'`, [id]);
}

/** Whether a chunk of this range has been dropped at some time. */
export async function wasDropped(session: Session, { startUs, endUs }: ChunkRange): Promise<boolean> {
  const rows = await session.query(
    `SELECT FROM archive_parts WHERE state = 'dropped' AND range_start < $1::timestamptz AND range_end > $2::timestamptz LIMIT 1`,
    [sqlTimestamp(endUs), sqlTimestamp(startUs)],
  );
  return rows.length > 0;
}

/** The rows of the chunk were seen not to be those of the part: the archive looks at them in its next run. */
export async function markUnchecked(session: Session, id: number): Promise<void> {
  await session.execute(`UPDATE archive_parts SET checked_at = '-infinity' WHERE id = $1`, [id]);
}

/** The rows of the chunk were seen to be those of the part. */
export async function markChecked(session: Session, id: number): Promise<void> {
  await session.execute('UPDATE archive_parts SET checked_at = clock_timestamp() WHERE id = $1', [id]);
}

/** Forgets an export that did not come to its end. What it has stored has a name that is never used again. */
export async function forgetExport(session: Session, id: number): Promise<void> {
  await session.execute(`DELETE FROM archive_parts WHERE id = $1 AND state = 'exporting'`, [id]);
}
