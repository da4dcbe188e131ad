/** Instants at the edge of the read API: what a client may write, and what the database's text becomes. */
import { epochToMicros, formatTimestamp, parseTimestamp } from '../telemetry/timestamp.js';
import { invalidParameter } from './request-error.js';

const EPOCH_MILLISECONDS = /^-?\d{1,15}$/;

/**
 * Epoch microseconds of a query parameter: RFC 3339 with an offset, or whole epoch milliseconds.
 * A `+` that arrived as a space (it was not percent-encoded) is read as the `+` that it was.
 */
export function readInstant(field: string, text: string): number {
  const micros = EPOCH_MILLISECONDS.test(text)
    ? epochToMicros(Number(text), 'ms')
    : parseTimestamp(text.replace(/ (\d\d:?\d\d)$/, '+$1'));
  if (typeof micros === 'number') return micros;
  const why = micros === 'naive_timestamp' ? 'has no offset' : 'is not an instant';
  throw invalidParameter(
    field,
    `${field} "${text.slice(0, 64)}" ${why}: give RFC 3339 with an offset (2026-11-23T18:00:00Z) or epoch milliseconds.`,
  );
}

/** RFC 3339 of a timestamptz as the database writes it, as text or in JSON (`2026-11-23 18:22:08.672341+00`); null stays null. */
export function toRfc3339(text: unknown): string | null {
  if (typeof text !== 'string') return null;
  if (text.endsWith(' BC'))
    return toRfc3339(`${String(1 - Number(text.slice(0, 4))).padStart(4, '0')}${text.slice(4, -3)}`);
  return text.replace(' ', 'T').replace(/\+00(:00)?$/, 'Z');
}

/** The clock of the server, RFC 3339. */
export function nowRfc3339(): string {
  return formatTimestamp(Date.now() * 1000);
}
