/** Which chunks the archive has to look at. */
import type { Database } from '../storage/database.js';
import type { ChunkRange } from './chunk-rows.js';

const MICROS = '(extract(epoch FROM %) * 1000000)::bigint';
const micros = (column: string): string => MICROS.replace('%', column);

/** $1: age in days. */
const CHUNKS_SQL = `
  SELECT range_start, range_end FROM timescaledb_information.chunks
  WHERE hypertable_schema = current_schema() AND hypertable_name = 'telemetry'
    AND range_end <= now() - make_interval(days => $1)`;

/** Where there are no chunks: UTC days, whatever the time zone of the session. */
const DAYS_SQL = `
  SELECT to_timestamp(day * 86400) AS range_start, to_timestamp((day + 1) * 86400) AS range_end
  FROM (SELECT floor(extract(epoch FROM "timestamp") / 86400)::bigint AS day FROM telemetry GROUP BY 1) days
  WHERE to_timestamp((day + 1) * 86400) <= now() - make_interval(days => $1)`;

/**
 * Chunks that came to their end so many days ago, oldest first. Without those whose part was verified, or compared with
 * the chunk (which may have come back from the archive), within the last `uncheckedHours`: to compare reads all rows.
 */
export async function findDueChunks(
  database: Database,
  afterDays: number,
  uncheckedHours: number,
): Promise<ChunkRange[]> {
  const ranges = database.capabilities.timescale === 'none' ? DAYS_SQL : CHUNKS_SQL;
  const rows = await database.query<{ start_us: number; end_us: number }>(
    `SELECT ${micros('c.range_start')} AS start_us, ${micros('c.range_end')} AS end_us FROM (${ranges}) c
     WHERE NOT EXISTS (
       SELECT FROM archive_parts p
       WHERE p.range_start = c.range_start AND p.checked_at > now() - make_interval(hours => $2)
         AND (p.state = 'verified' OR (p.state = 'dropped' AND EXISTS (SELECT FROM archive_restored r WHERE r.part_id = p.id))))
     ORDER BY c.range_start`,
    [afterDays, uncheckedHours],
  );
  return rows.map(({ start_us: startUs, end_us: endUs }) => ({ startUs, endUs }));
}

/** Chunks that should have been archived so many days ago, and never were. */
export async function countOverdue(database: Database, afterDays: number): Promise<number> {
  const ranges = database.capabilities.timescale === 'none' ? DAYS_SQL : CHUNKS_SQL;
  const [row] = await database.query<{ overdue: number }>(
    `SELECT count(*)::int AS overdue FROM (${ranges}) c
     WHERE NOT EXISTS (SELECT FROM archive_parts p WHERE p.range_start = c.range_start AND p.state <> 'exporting')
       AND EXISTS (SELECT FROM telemetry t WHERE t."timestamp" >= c.range_start AND t."timestamp" < c.range_end)`,
    [afterDays],
  );
  return row?.overdue ?? 0;
}
