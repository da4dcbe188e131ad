import { formatTimestamp, parseTimestamp } from './timestamp.js';

/** RFC 3339 of a timestamptz as the database writes it (`2026-11-23 18:22:08.672341+00`); null for NULL and for ±infinity. */
export function sqlInstant(text: unknown): string | null {
  const micros = typeof text === 'string' ? parseTimestamp(text) : null;
  return typeof micros === 'number' ? formatTimestamp(micros) : null;
}
