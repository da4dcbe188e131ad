/** Emptying `telemetry_archive`, which nothing but a person fills, and nothing else empties. */
import type { Database, Session } from '../storage/database.js';
import { sqlTimestamp } from '../telemetry/timestamp.js';

export interface ClearRequest {
  /** Epoch microseconds; without them there is no bound on that side. */
  readonly fromUs: number | undefined;
  readonly toUs: number | undefined;
  readonly devices: readonly string[] | undefined;
}

export interface ArchiveTableSize {
  readonly rows: number;
  /** With its key. */
  readonly bytes: number;
}

export interface ClearedArchive {
  readonly before: ArchiveTableSize;
  readonly after: ArchiveTableSize;
}

/** Counts the rows: reads them all. */
async function archiveTableSize(session: Session): Promise<ArchiveTableSize> {
  const [row] = await session.query<{ rows: number; bytes: number }>(
    `SELECT count(*) AS rows, pg_total_relation_size('telemetry_archive') AS bytes FROM telemetry_archive`,
  );
  return { rows: Number(row?.rows ?? 0), bytes: Number(row?.bytes ?? 0) };
}

/**
 * Removes rows. Space comes back to the disk at once where no row is left; where some are it is used by the next restore.
 */
export async function clearArchiveTable(
  database: Database,
  { fromUs, toUs, devices }: ClearRequest,
): Promise<ClearedArchive> {
  return database.transaction(
    async (session) => {
      const before = await archiveTableSize(session);
      await session.execute(
        `DELETE FROM telemetry_archive WHERE ($1::timestamptz IS NULL OR "timestamp" >= $1::timestamptz)
           AND ($2::timestamptz IS NULL OR "timestamp" < $2::timestamptz) AND ($3::text[] IS NULL OR device_id = ANY ($3::text[]))`,
        [
          fromUs === undefined ? null : sqlTimestamp(fromUs),
          toUs === undefined ? null : sqlTimestamp(toUs),
          devices ?? null,
        ],
      );
      const left = await session.query('SELECT FROM telemetry_archive LIMIT 1');
      if (left.length === 0) await session.execute('TRUNCATE telemetry_archive');
      return { before, after: await archiveTableSize(session) };
    },
    { statementTimeoutMs: 0 },
  );
}
