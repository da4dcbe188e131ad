/**
 * Looks at every chunk of readings past its retention and says in the run log what keeps it. It drops nothing yet: that
 * takes a comparison with the archive under a lock, so a chunk that a verified archive has is `not_compared`.
 */
import type { Retention } from '../storage/aggregate-levels.js';
import type { Database } from '../storage/database.js';
import type { JobContext, JobDefinition, JobOutcome } from './job.js';
import { decideRetention, type ArchivedRange, type KeepReason, type RawChunk, type RawHold } from './raw-retention.js';

/** The oldest; each comes up again in the next run. */
const MAX_CHUNKS = 10_000;
/** Chunks that the run log names; the others are counted. */
const EXPLAINED_CHUNKS = 10;

const CHUNKS_SQL = `
  SELECT c.chunk_name::text AS name, extract(epoch FROM c.range_start)::float8 AS "startSeconds",
    extract(epoch FROM c.range_end)::float8 AS "endSeconds",
    EXISTS (
      SELECT FROM late_days l
      WHERE l.day::timestamp AT TIME ZONE 'UTC' < c.range_end
        AND (l.day + 1)::timestamp AT TIME ZONE 'UTC' > c.range_start) AS "awaitsRefresh",
    extract(epoch FROM part.range_end)::float8 AS "archivedUntil", part.state AS "archiveState",
    part.rows::float8 AS "archivedRows", part.fingerprint AS "archivedFingerprint"
  FROM timescaledb_information.chunks c
  LEFT JOIN LATERAL (
    SELECT range_end, state, rows, fingerprint FROM archive_parts a WHERE a.range_start = c.range_start
    ORDER BY revision DESC LIMIT 1
  ) part ON true
  WHERE c.hypertable_schema = current_schema() AND c.hypertable_name = 'telemetry'
    AND c.range_end < to_timestamp($1) - make_interval(days => $2)
  ORDER BY c.range_start LIMIT ${MAX_CHUNKS}`;

/** A hold without end (`infinity`) is one until the end of time. */
const HOLDS_SQL = `
  SELECT id::float8 AS id, extract(epoch FROM range_from)::float8 AS "fromSeconds",
    extract(epoch FROM range_to)::float8 AS "toSeconds", extract(epoch FROM expires_at)::float8 AS "expiresSeconds",
    released_at IS NOT NULL AS "isReleased"
  FROM holds WHERE released_at IS NULL ORDER BY id`;

interface NamedChunk extends RawChunk {
  readonly name: string;
  /** Of the newest part that begins where the chunk does; null: there is none. */
  readonly archivedUntil: number | null;
  readonly archiveState: string | null;
  readonly archivedRows: number | null;
  readonly archivedFingerprint: string | null;
}

export function retainRawJob(retention: Retention): JobDefinition {
  return {
    name: 'retain-raw',
    description: `says what keeps readings older than ${retention.rawDays} days`,
    // Once it drops, no refresh may run beside it.
    lane: 'aggregates',
    intervalSeconds: 86_400,
    initialDelaySeconds: 330,
    run: (context) => explainOldChunks(context, retention.rawDays),
    findFault: () => Promise.resolve(null),
  };
}

async function explainOldChunks({ database, nowSeconds }: JobContext, rawDays: number): Promise<JobOutcome> {
  const chunks = await readOldChunks(database, nowSeconds, rawDays);
  const holds = await database.query<RawHold & Record<string, unknown>>(HOLDS_SQL);
  const counts = new Map<KeepReason, number>();
  const explained: string[] = [];
  for (const chunk of chunks) {
    const decision = decideRetention({
      chunk,
      holds,
      archived: archivedRange(chunk),
      content: null,
      rawDays,
      nowSeconds,
    });
    if (decision.drop) throw new Error(`${chunk.name} would be dropped without a look at its rows.`);
    counts.set(decision.reason, (counts.get(decision.reason) ?? 0) + 1);
    if (explained.length < EXPLAINED_CHUNKS) explained.push(`${chunk.name}: ${decision.explanation}`);
  }
  const detail = { dropped: 0, kept: chunks.length, ...Object.fromEntries(counts), explained: explained.join('; ') };
  return { detail, more: false };
}

function archivedRange(chunk: NamedChunk): ArchivedRange | null {
  if (chunk.archivedUntil === null) return null;
  return {
    startSeconds: chunk.startSeconds,
    endSeconds: chunk.archivedUntil,
    isVerified: chunk.archiveState === 'verified',
    rows: chunk.archivedRows ?? 0,
    fingerprint: chunk.archivedFingerprint ?? '',
  };
}

function readOldChunks(database: Database, nowSeconds: number, rawDays: number): Promise<NamedChunk[]> {
  return database.query<NamedChunk & Record<string, unknown>>(CHUNKS_SQL, [nowSeconds, rawDays]);
}
