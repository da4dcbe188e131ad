/**
 * A stream of records that are numbered: what became of each can be told from the table and the dead letters alone.
 * Number n is of device n mod DEVICES; the records of a device are a second apart.
 */
import { expect } from 'vitest';
import type { Database } from '../../src/storage/database.js';

export const DEVICES = 10;
/** Within the last day, from which a device learns again after a crash, and long enough ago for any stream to end in the past. */
const EPOCH_MS = Math.floor(Date.now() / 1000 - 43_200) * 1000;

export function numberedRecord(number: number): Record<string, unknown> {
  return {
    device_id: `esp-${number % DEVICES}`,
    timestamp: new Date(EPOCH_MS + Math.floor(number / DEVICES) * 1000).toISOString(),
    temperature: 60 + (number % 70) / 2,
    rpm: 2900,
    vibration: (number % 97) / 100,
  };
}

/** Records `from` … `to` − 1. */
export function numberedRecords(from: number, to: number): Record<string, unknown>[] {
  return Array.from({ length: to - from }, (_, index) => numberedRecord(from + index));
}

/** The number that the record under this key has, in SQL. */
const NUMBER_SQL = `((extract(epoch FROM "timestamp") * 1000)::bigint - $1::bigint) / 1000 * ${DEVICES} + substr(device_id, 5)::bigint`;

const STORED_SQL = `
  WITH stored AS (SELECT ${NUMBER_SQL} AS number, temperature, vibration, quality_flags FROM telemetry),
    expected AS (SELECT number FROM generate_series(0, $2::bigint - 1) AS number WHERE number <> ALL ($3::bigint[]))
  SELECT
    (SELECT count(*) FROM stored) AS rows,
    (SELECT array_agg(number) FROM (SELECT number FROM expected EXCEPT SELECT number FROM stored LIMIT 20) AS part) AS missing,
    (SELECT array_agg(number) FROM (SELECT number FROM stored EXCEPT SELECT number FROM expected LIMIT 20) AS part) AS unexpected,
    (SELECT count(*) FROM stored WHERE temperature <> (60 + (number % 70) / 2.0)::real OR vibration <> ((number % 97) / 100.0)::real) AS wrong,
    (SELECT count(*) FROM stored WHERE quality_flags & (1 << 24) <> 0) AS unjudged`;

/**
 * Every record 0 … `count` − 1 is in the table once, as it was sent and in order for its device, except those in
 * `refused`; and there are exactly these dead letters, each once and with the bytes that were sent.
 */
export async function expectEachOnce(
  database: Database,
  count: number,
  { refused = [], letters = [] }: { refused?: readonly number[]; letters?: readonly string[] } = {},
): Promise<void> {
  const [found] = await database.query(STORED_SQL, [EPOCH_MS, count, refused]);
  expect(found).toEqual({ rows: count - refused.length, missing: null, unexpected: null, wrong: 0, unjudged: 0 });
  const rows = await database.query<{ original: Uint8Array }>('SELECT original FROM dead_letters');
  const originals = rows.map(({ original }) => Buffer.from(original).toString());
  expect(originals.sort()).toEqual([...letters].sort());
}
