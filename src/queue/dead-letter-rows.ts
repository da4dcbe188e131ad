/** Dead letters as rows of the table `dead_letters`. */
import { createHash } from 'node:crypto';
import type { SqlValue } from '../storage/database.js';
import { storableText } from '../telemetry/storable-text.js';
import { formatTimestamp, parseTimestamp } from '../telemetry/timestamp.js';
import { decodeDeadLetter } from './dead-letter.js';
import type { OutgoingMessage } from './queue.js';

/**
 * Parameters: `deadLetterColumns`. A letter that comes again counts, and is open again even if it was replayed or
 * purged: whoever did that has to learn that it did not help.
 *
 * A repetition of what is known changes nothing. After a crash the queues deliver again what was in hand, and a letter
 * that was replayed meanwhile must not be opened by its own copy. It is known by the reception of the message: not
 * newer than the newest that the letter came in. Where nobody said when a message was received, it counts.
 */
export const INSERT_DEAD_LETTERS = `
INSERT INTO dead_letters AS letter
  (id, received_at, last_at, message_us, code, device_id, error, original, headers, occurrences)
SELECT id, received_at::timestamptz, received_at::timestamptz, message_us, code, device_id, error,
  decode(original, 'hex'), headers::jsonb, occurrences::bigint
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[])
  AS incoming (id, received_at, message_us, code, device_id, error, original, headers, occurrences)
ON CONFLICT (id) DO UPDATE SET
  occurrences = letter.occurrences + excluded.occurrences,
  last_at = greatest(letter.last_at, excluded.last_at),
  message_us = greatest(letter.message_us, excluded.message_us),
  code = excluded.code,
  error = excluded.error,
  original = excluded.original,
  headers = excluded.headers,
  state = 'new',
  state_changed_at = CASE WHEN letter.state = 'new' THEN letter.state_changed_at ELSE now() END,
  state_changed_by = CASE WHEN letter.state = 'new' THEN letter.state_changed_by END,
  outcome = NULL
WHERE excluded.message_us > letter.message_us OR excluded.message_us IS NULL OR letter.message_us IS NULL`;

interface DeadLetterRow {
  readonly id: string;
  readonly receivedAt: string;
  readonly code: string;
  readonly deviceId: string | null;
  readonly error: string;
  readonly original: Buffer;
  readonly headers: string;
  /** Receptions of the messages that it came in, as far as they are known. */
  readonly messagesUs: Set<number>;
  occurrences: number;
}

/** The parameters of the insert: equal letters of a batch become one row, since a statement may touch it only once. */
export function deadLetterColumns(letters: readonly OutgoingMessage[]): SqlValue[] {
  const rows = new Map<string, DeadLetterRow>();
  for (const letter of letters) {
    const row = deadLetterRow(letter);
    const present = rows.get(row.id);
    if (present === undefined) rows.set(row.id, row);
    else addOccurrence(present, row);
  }
  const column = <T extends string | number | null>(read: (row: DeadLetterRow) => T): T[] =>
    [...rows.values()].map(read);
  return [
    column(({ id }) => id),
    column(({ receivedAt }) => receivedAt),
    column(({ messagesUs }) => (messagesUs.size === 0 ? null : Math.max(...messagesUs))),
    column(({ code }) => code),
    column(({ deviceId }) => deviceId),
    column(({ error }) => error),
    // There is no array of bytea among the parameter types.
    column(({ original }) => original.toString('hex')),
    column(({ headers }) => headers),
    column(({ occurrences }) => String(occurrences)),
  ];
}

function addOccurrence(present: DeadLetterRow, { messagesUs }: DeadLetterRow): void {
  const [messageUs] = messagesUs;
  if (messageUs !== undefined && present.messagesUs.has(messageUs)) return;
  if (messageUs !== undefined) present.messagesUs.add(messageUs);
  present.occurrences++;
}

/** The id of a letter: SHA-256, hex, of its original bytes and the code that it first came with. */
export function deadLetterId(original: Uint8Array, code: string): string {
  return createHash('sha256').update(original).update(code).digest('hex');
}

function deadLetterRow({ body, headers }: OutgoingMessage): DeadLetterRow {
  const letter = decodeDeadLetter(body);
  const original = letter?.original ?? Buffer.from(body);
  const code = storableText(headers.failure?.code ?? 'unknown');
  const deviceId = headers.failure?.deviceId ?? null;
  const error =
    letter?.error ??
    headers.failure?.detail ??
    'the message is not in the format of a dead letter; it is kept as it came';
  // Of a letter the headers describe the letter; what is kept are those of the original.
  const kept = letter === undefined ? headers : { ...headers, contentType: 'application/json' };
  return {
    id: deadLetterId(original, code),
    receivedAt: storableTime(letter?.timestamp, headers.receivedUs),
    code,
    deviceId: deviceId === null ? null : storableText(deviceId),
    error: storableText(error),
    original,
    headers: JSON.stringify(kept, (_key, value: unknown) => (typeof value === 'string' ? storableText(value) : value)),
    messagesUs: new Set(isDated(headers.receivedUs) ? [headers.receivedUs] : []),
    occurrences: 1,
  };
}

/** Up to the year 2255 microseconds are exact; no program of ours dates a letter beyond it. */
const isDated = (micros: unknown): micros is number => Number.isSafeInteger(micros) && Number(micros) >= 0;

/**
 * The time of a letter, or of its message, or now: third parties write what they like, and one letter that the
 * database refuses would stay at the head of the queue and block all behind it.
 */
function storableTime(timestamp: string | undefined, receivedUs: number | null): string {
  const parsed = timestamp === undefined ? undefined : parseTimestamp(timestamp);
  return formatTimestamp([parsed, receivedUs].find(isDated) ?? Date.now() * 1000);
}
