/**
 * The table archive_restored: which rows of a chunk came back from the archive, so that nobody archives them again, and the
 * chunk can be dropped once more.
 *
 * Fingerprints add up: a chunk that has the rows of its newest verified part and what was put back of dropped ones, and
 * nothing else, has the sum of both. Whatever was put back in part (some devices, some hours) adds up just the same.
 */
import type { Session } from '../storage/database.js';
import { sqlTimestamp } from '../telemetry/timestamp.js';
import { fingerprintOf, type ChunkRange } from './chunk-rows.js';
import { latestPart, listParts, type ArchivePart } from './part-table.js';

/** Rows, and the sum of their hashes (`hash_record_extended`) as the database writes it. */
export interface HashedRows {
  readonly rows: number;
  readonly hash: string;
}

/** Notes rows that were put back into `telemetry`; in the transaction that does it. */
export async function noteRestored(session: Session, partId: number, { rows, hash }: HashedRows): Promise<void> {
  if (rows === 0) return;
  await session.execute(
    `INSERT INTO archive_restored AS r (part_id, rows, hash) VALUES ($1, $2, $3::numeric)
     ON CONFLICT (part_id) DO UPDATE
       SET rows = r.rows + excluded.rows, hash = r.hash + excluded.hash, restored_at = clock_timestamp()`,
    [partId, rows, hash],
  );
}

/** How many rows of the chunk came back from parts whose chunk was dropped. */
export async function restoredRows(session: Session, range: ChunkRange): Promise<number> {
  const [row] = await session.query<{ rows: number }>(
    `SELECT coalesce(sum(r.rows), 0)::float8 AS rows FROM archive_restored r JOIN archive_parts p ON p.id = r.part_id
     WHERE p.range_start = $1::timestamptz AND p.state = 'dropped'`,
    [sqlTimestamp(range.startUs)],
  );
  return row?.rows ?? 0;
}

/** Parts that have to be in the store before the chunk is dropped: the verified one, and those that rows came back from. */
export async function evidenceParts(session: Session, range: ChunkRange): Promise<ArchivePart[]> {
  const restored = await session.query<{ part_id: number }>('SELECT part_id FROM archive_restored');
  const ids = new Set(restored.map(({ part_id: id }) => id));
  const latest = await latestPart(session, range);
  const others = ids.size === 0 ? [] : (await listParts(session)).filter(({ id }) => ids.has(id));
  return [
    ...(latest?.state === 'verified' ? [latest] : []),
    ...others.filter((part) => part.range.startUs === range.startUs && part.state === 'dropped'),
  ];
}

/** Forgets what was put back into a chunk, with the chunk. */
export async function forgetRestored(session: Session, { startUs }: ChunkRange): Promise<void> {
  await session.execute(
    `DELETE FROM archive_restored r USING archive_parts p WHERE p.id = r.part_id AND p.range_start = $1::timestamptz`,
    [sqlTimestamp(startUs)],
  );
}

/** The same for a chunk that has no rows any more: somebody else has dropped it since. */
export async function forgetRestoredIfEmpty(session: Session, { startUs, endUs }: ChunkRange): Promise<void> {
  await session.execute(
    `DELETE FROM archive_restored r USING archive_parts p
     WHERE p.id = r.part_id AND p.range_start = $1::timestamptz AND NOT EXISTS (
       SELECT FROM telemetry t WHERE t."timestamp" >= $1::timestamptz AND t."timestamp" < $2::timestamptz)`,
    [sqlTimestamp(startUs), sqlTimestamp(endUs)],
  );
}

/**
 * The fingerprints of a chunk that has nothing which parts of the archive that count do not have: where the rows in the
 * chunk have one of them, they need not be archived, and may be dropped. Either they are those of its newest part, or those
 * of its verified part, if there is one, and what was put back of dropped ones.
 */
export async function archivedFingerprints(session: Session, range: ChunkRange): Promise<string[]> {
  const latest = await latestPart(session, range);
  if (latest?.figures === undefined || (latest.state !== 'verified' && latest.state !== 'dropped')) return [];
  const { fingerprint } = latest.figures;
  const [restored] = await session.query<{ rows: string; hash: string }>(
    `SELECT sum(r.rows)::text AS rows, sum(r.hash)::text AS hash
     FROM archive_restored r JOIN archive_parts p ON p.id = r.part_id
     WHERE p.range_start = $1::timestamptz AND p.state = 'dropped' HAVING count(*) > 0`,
    [sqlTimestamp(range.startUs)],
  );
  if (restored === undefined) return [fingerprint];
  const [rows = '0', hash = '0'] = latest.state === 'verified' ? fingerprint.split(':') : [];
  return [fingerprint, fingerprintOf(Number(rows) + Number(restored.rows), BigInt(hash) + BigInt(restored.hash))];
}
