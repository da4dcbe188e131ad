/** What there is to know about chunks of readings before their rows are looked at. */
import type { Session } from '../storage/database.js';
import type { ArchivedRange, RawChunk, RawHold } from './raw-retention.js';

export interface OldChunk extends RawChunk {
  /** With its schema, quoted where need be. */
  readonly name: string;
  /** Of the newest part, unless that is of a chunk which was dropped and nothing of it was restored. */
  readonly archived: ArchivedRange | null;
}

/** The oldest; each comes up again in the next run. */
const MAX_CHUNKS = 10_000;

/** $1: now, epoch seconds; $2: age of the end in days; $3: the name of a single chunk, or null. */
const CHUNKS_SQL = `
  SELECT format('%I.%I', c.chunk_schema, c.chunk_name) AS name, extract(epoch FROM c.range_start)::float8 AS "startSeconds",
    extract(epoch FROM c.range_end)::float8 AS "endSeconds",
    EXISTS (
      SELECT FROM late_days l
      WHERE l.day::timestamp AT TIME ZONE 'UTC' < c.range_end
        AND (l.day + 1)::timestamp AT TIME ZONE 'UTC' > c.range_start) AS "awaitsRefresh",
    extract(epoch FROM part.range_end)::float8 AS "archivedUntil", part.state AS "archiveState",
    part.rows::float8 AS "archivedRows", part.fingerprint AS "archivedFingerprint",
    EXISTS (
      SELECT FROM archive_restored r JOIN archive_parts a ON a.id = r.part_id
      WHERE a.range_start = c.range_start AND a.state = 'dropped') AS "isRestored"
  FROM timescaledb_information.chunks c
  LEFT JOIN LATERAL (
    SELECT range_end, state, rows, fingerprint FROM archive_parts a WHERE a.range_start = c.range_start
    ORDER BY revision DESC LIMIT 1
  ) part ON true
  WHERE c.hypertable_schema = current_schema() AND c.hypertable_name = 'telemetry'
    AND c.range_end < to_timestamp($1) - make_interval(days => $2)
    AND ($3::text IS NULL OR format('%I.%I', c.chunk_schema, c.chunk_name) = $3)
  ORDER BY c.range_start LIMIT ${MAX_CHUNKS}`;

interface ChunkRow extends RawChunk, Record<string, unknown> {
  readonly name: string;
  readonly archivedUntil: number | null;
  readonly archiveState: string | null;
  readonly archivedRows: number | null;
  readonly archivedFingerprint: string | null;
  readonly isRestored: boolean;
}

/** Chunks whose end is so many days old, oldest first. @param name of this chunk alone */
export async function readOldChunks(
  session: Session,
  nowSeconds: number,
  days: number,
  name: string | null = null,
): Promise<OldChunk[]> {
  const rows = await session.query<ChunkRow>(CHUNKS_SQL, [nowSeconds, days, name]);
  return rows.map((row) => ({
    name: row.name,
    startSeconds: row.startSeconds,
    endSeconds: row.endSeconds,
    awaitsRefresh: row.awaitsRefresh,
    archived: archivedRange(row),
  }));
}

function archivedRange(row: ChunkRow): ArchivedRange | null {
  // Where the newest part is of a chunk that was dropped, this chunk is made of what came since, or of what came back.
  const isDropped = row.archiveState === 'dropped';
  if (row.archivedUntil === null || (isDropped && !row.isRestored)) return null;
  return {
    startSeconds: row.startSeconds,
    endSeconds: row.archivedUntil,
    isVerified: isDropped || row.archiveState === 'verified',
    rows: row.archivedRows ?? 0,
    fingerprint: row.archivedFingerprint ?? '',
  };
}

/** A hold without end (`infinity`) is one until the end of time. */
const HOLDS_SQL = `
  SELECT id::float8 AS id, extract(epoch FROM range_from)::float8 AS "fromSeconds",
    extract(epoch FROM range_to)::float8 AS "toSeconds", extract(epoch FROM expires_at)::float8 AS "expiresSeconds",
    released_at IS NOT NULL AS "isReleased"
  FROM holds WHERE released_at IS NULL ORDER BY id`;

export function readHolds(session: Session): Promise<RawHold[]> {
  return session.query<RawHold & Record<string, unknown>>(HOLDS_SQL);
}
