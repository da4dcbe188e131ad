/** Dead letters as rows of the table `dead_letters`. */
import { createHash } from 'node:crypto';
import type { SqlValue } from '../storage/database.js';
import { formatTimestamp, parseTimestamp } from '../telemetry/timestamp.js';
import { decodeDeadLetter } from './dead-letter.js';
import type { OutgoingMessage } from './queue.js';

/**
 * Parameters: `deadLetterColumns`. A letter that comes again counts, and is open again even if it was replayed or
 * purged: whoever did that has to learn that it did not help. After a crash the last batch may be counted twice.
 */
export const INSERT_DEAD_LETTERS = `
INSERT INTO dead_letters (id, received_at, code, device_id, error, original, headers, occurrences)
SELECT id, received_at::timestamptz, code, device_id, error, decode(original, 'hex'), headers::jsonb, occurrences::bigint
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
  AS letter (id, received_at, code, device_id, error, original, headers, occurrences)
ON CONFLICT (id) DO UPDATE SET
  occurrences = dead_letters.occurrences + excluded.occurrences,
  original = excluded.original,
  error = excluded.error,
  state = 'new',
  state_changed_at = CASE WHEN dead_letters.state = 'new' THEN dead_letters.state_changed_at ELSE now() END`;

interface DeadLetterRow {
  readonly id: string;
  readonly receivedAt: string;
  readonly code: string;
  readonly deviceId: string | null;
  readonly error: string;
  readonly original: Buffer;
  readonly headers: string;
  occurrences: number;
}

/** The parameters of the insert: equal letters of a batch become one row, since a statement may touch it only once. */
export function deadLetterColumns(letters: readonly OutgoingMessage[]): SqlValue[] {
  const rows = new Map<string, DeadLetterRow>();
  for (const letter of letters) {
    const row = deadLetterRow(letter);
    const present = rows.get(row.id);
    if (present === undefined) rows.set(row.id, row);
    else present.occurrences++;
  }
  const column = (read: (row: DeadLetterRow) => string | null) => [...rows.values()].map(read);
  return [
    column(({ id }) => id),
    column(({ receivedAt }) => receivedAt),
    column(({ code }) => code),
    column(({ deviceId }) => deviceId),
    column(({ error }) => error),
    // There is no array of bytea among the parameter types.
    column(({ original }) => original.toString('hex')),
    column(({ headers }) => headers),
    column(({ occurrences }) => String(occurrences)),
  ];
}

/** The id of a letter: SHA-256, hex, of its original bytes and its code. */
export function deadLetterId(original: Uint8Array, code: string): string {
  return createHash('sha256').update(original).update(code).digest('hex');
}

function deadLetterRow({ body, headers }: OutgoingMessage): DeadLetterRow {
  const letter = decodeDeadLetter(body);
  const original = letter?.original ?? Buffer.from(body);
  const code = storable(headers.failure?.code ?? 'unknown');
  const deviceId = headers.failure?.deviceId ?? null;
  return {
    id: deadLetterId(original, code),
    receivedAt: storableTime(letter?.timestamp, headers.receivedUs),
    code,
    deviceId: deviceId === null ? null : storable(deviceId),
    error: storable(letter?.error ?? 'the message is not in the format of a dead letter; it is kept as it came'),
    original,
    headers: JSON.stringify(headers, (_key, value: unknown) => (typeof value === 'string' ? storable(value) : value)),
    occurrences: 1,
  };
}

/** PostgreSQL has no NUL in texts and no lone surrogates; the original bytes keep both. */
function storable(text: string): string {
  return text.replaceAll('\0', '\u2400').replaceAll(/\p{Surrogate}/gu, '\ufffd');
}

/** Beyond it no program of ours dates a letter: the year 10000. */
const LATEST_US = 253_402_300_800_000_000;

const isDated = (micros: unknown): micros is number => typeof micros === 'number' && micros >= 0 && micros < LATEST_US;

/**
 * The time of a letter, or of its message, or now: third parties write what they like, and one letter that the
 * database refuses would stay at the head of the queue and block all behind it.
 */
function storableTime(timestamp: string | undefined, receivedUs: number | null): string {
  const parsed = timestamp === undefined ? undefined : parseTimestamp(timestamp);
  return formatTimestamp([parsed, receivedUs].find(isDated) ?? Date.now() * 1000);
}
