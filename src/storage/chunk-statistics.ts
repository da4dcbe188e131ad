/** The chunks of readings: how large each is, and what has become of it. */
import type { Database, Row } from './database.js';

/** A chunk of `telemetry`. More than one of these may be true of it; instants as the database writes them. */
export interface ChunkStatistics {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  /** With its indexes. */
  readonly bytes: number;
  readonly indexBytes: number;
  /** null: it is not compressed. */
  readonly bytesBeforeCompression: number | null;
  readonly bytesAfterCompression: number | null;
  readonly isCompressed: boolean;
  /** Rows came after it was compressed: it is due to be compressed again. */
  readonly isPartial: boolean;
  /** A verified part of the archive has it; rows that came since are found by the job `archive`. */
  readonly isArchived: boolean;
  /** A hold in force overlaps it. */
  readonly isHeld: boolean;
  /** Older than `retention.rawDays`. */
  readonly isPastRetention: boolean;
}

/** Bits of a chunk's status that ask for another compression: 2 = rows out of order, 8 = rows beside the compressed ones. */
export const UNFINISHED_STATUS_BITS = 10;

/** $1: days that readings are kept. */
const CHUNKS_SQL = `
  SELECT c.chunk_name::text AS name, c.range_start AS "from", c.range_end AS "to",
    coalesce(size.total_bytes, 0)::float8 AS bytes, coalesce(size.index_bytes, 0)::float8 AS "indexBytes",
    packed.before_compression_total_bytes::float8 AS "bytesBeforeCompression",
    packed.after_compression_total_bytes::float8 AS "bytesAfterCompression",
    c.is_compressed AS "isCompressed",
    c.is_compressed AND
      _timescaledb_functions.chunk_status(format('%I.%I', c.chunk_schema, c.chunk_name)::regclass) & ${UNFINISHED_STATUS_BITS} <> 0
      AS "isPartial",
    coalesce((SELECT state = 'verified' FROM archive_parts p WHERE p.range_start = c.range_start ORDER BY revision DESC LIMIT 1), false)
      AS "isArchived",
    EXISTS (SELECT FROM holds h WHERE h.released_at IS NULL AND (h.expires_at IS NULL OR h.expires_at > now())
      AND h.range_from < c.range_end AND h.range_to > c.range_start) AS "isHeld",
    c.range_end < now() - make_interval(days => $1) AS "isPastRetention"
  FROM timescaledb_information.chunks c
  LEFT JOIN chunks_detailed_size('telemetry') size ON size.chunk_schema = c.chunk_schema AND size.chunk_name = c.chunk_name
  LEFT JOIN chunk_columnstore_stats('telemetry') packed
    ON packed.chunk_schema = c.chunk_schema AND packed.chunk_name = c.chunk_name
  WHERE c.hypertable_schema = current_schema() AND c.hypertable_name = 'telemetry'
  ORDER BY c.range_start`;

/** Oldest first; empty without TimescaleDB community. Reads the catalogue and sizes of files, no rows. */
export async function readChunks(database: Database, rawDays: number): Promise<ChunkStatistics[]> {
  if (database.capabilities.timescale !== 'community') return [];
  return database.query<ChunkStatistics & Row>(CHUNKS_SQL, [rawDays]);
}
