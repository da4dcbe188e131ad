/**
 * Whether the ledger's count of stored rows agrees with the table, both by the time of writing. It need not: what a kill
 * takes is the counting of the last seconds, and rows of a batch that was delivered again were counted as duplicates. No
 * row is missing for that.
 */
import type { Database } from '../storage/database.js';
import { formatTimestamp, MICROS_PER_SECOND, sqlTimestamp } from '../telemetry/timestamp.js';
import type { LedgerQuestion } from './ledger-query.js';
import type { LedgerVerification } from './ledger-schemas.js';
import { nowRfc3339 } from './timestamps.js';

export type VerificationQuestion = Pick<LedgerQuestion, 'sinceUs' | 'untilUs' | 'deviceId'>;

const MAX_LISTED = 1000;
/** No record is further ahead of its arrival; so no chunk that begins later has to be read. */
const MOST_AHEAD_US = 600 * MICROS_PER_SECOND;

const COUNTED_SQL = `
  SELECT device_id, sum(written)::float8 AS rows FROM ledger
  WHERE hour >= $1::timestamptz AND hour < $2::timestamptz AND ($3::text IS NULL OR device_id = $3::text)
  GROUP BY device_id HAVING sum(written) > 0`;

const FOUND_SQL = `
  SELECT device_id, count(*)::float8 AS rows FROM telemetry
  WHERE ingestion_timestamp >= $1::timestamptz AND ingestion_timestamp < $2::timestamptz
    AND "timestamp" >= $3::timestamptz AND "timestamp" < $4::timestamptz
    AND ($5::text IS NULL OR device_id = $5::text)
  GROUP BY device_id`;

const CHUNKS_SQL = `
  SELECT range_start, range_end FROM timescaledb_information.chunks
  WHERE hypertable_schema = current_schema() AND hypertable_name = 'telemetry' AND range_start < $1::timestamptz
  ORDER BY range_start`;

/**
 * Compares, device by device. Old records arrive too, so every chunk is looked at: one query for each, so that nobody
 * waits for longer than one of them takes.
 */
export async function verifyLedger(
  database: Database,
  { sinceUs, untilUs, deviceId }: VerificationQuestion,
): Promise<LedgerVerification> {
  const range = [sqlTimestamp(sinceUs), sqlTimestamp(untilUs)] as const;
  const counted = new Map<string, number>();
  for (const row of await database.query(COUNTED_SQL, [...range, deviceId ?? null]))
    counted.set(row['device_id'] as string, row['rows'] as number);
  const found = new Map<string, number>();
  for (const slice of await slicesBefore(database, untilUs + MOST_AHEAD_US)) {
    for (const row of await database.query(FOUND_SQL, [...range, ...slice, deviceId ?? null])) {
      const id = row['device_id'] as string;
      found.set(id, (found.get(id) ?? 0) + (row['rows'] as number));
    }
  }
  const ids = [...new Set([...counted.keys(), ...found.keys()])];
  const compared = ids.map((id) => ({ device_id: id, counted: counted.get(id) ?? 0, found: found.get(id) ?? 0 }));
  const apart = (of: { counted: number; found: number }): number => Math.abs(of.counted - of.found);
  return {
    as_of: nowRfc3339(),
    since: formatTimestamp(sinceUs),
    until: formatTimestamp(untilUs),
    devices: compared.length,
    counted: compared.reduce((sum, device) => sum + device.counted, 0),
    found: compared.reduce((sum, device) => sum + device.found, 0),
    differences: compared
      .filter((device) => apart(device) > 0)
      .sort((a, b) => apart(b) - apart(a) || (a.device_id < b.device_id ? -1 : 1))
      .slice(0, MAX_LISTED),
  };
}

/** Ranges of record times that can hold rows, as texts. */
async function slicesBefore(database: Database, beforeUs: number): Promise<[from: string, to: string][]> {
  const before = sqlTimestamp(beforeUs);
  if (database.capabilities.timescale === 'none') return [['-infinity', before]];
  const chunks = await database.query<{ range_start: string; range_end: string }>(CHUNKS_SQL, [before]);
  return chunks.map((chunk) => [chunk.range_start, chunk.range_end]);
}
