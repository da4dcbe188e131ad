/**
 * A look at the bytes of a body before JSON.parse sees them: how deep they nest, how many elements they have. Linear,
 * without recursion and without memory, so that no body costs more to refuse than to receive. Counting brackets is
 * ten times cheaper than scanning, and settles it for the bodies that gateways send.
 */
import type { BodyType } from '../pipeline/read-body.js';
import { stringEnd } from '../telemetry/json-bytes.js';

export interface BodyScan {
  /** Levels of nesting: 1 for a flat object. */
  readonly depth: number;
  /** At least the number of records: elements of the array, of the widest array of an envelope, or lines. */
  readonly elements: number;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const NEWLINE = 0x0a;

/** How often a byte occurs, counted no further than `limit`. */
function countUpTo(bytes: Buffer, byte: number, limit: number): number {
  let count = 0;
  for (let at = bytes.indexOf(byte); at !== -1 && count < limit; at = bytes.indexOf(byte, at + 1)) count++;
  return count;
}

/** Opening brackets and braces, those in strings included, counted no further than `limit` each: depth is at most this. */
export function countOpeners(bytes: Buffer, limit: number): number {
  return countUpTo(bytes, OPEN_BRACE, limit) + countUpTo(bytes, OPEN_BRACKET, limit);
}

/** Line breaks, counted no further than `limit`. */
export function countLines(bytes: Buffer, limit: number): number {
  return countUpTo(bytes, NEWLINE, limit);
}

/** Scans a body, valid or not. In NDJSON every line begins anew. */
export function scanBody(bytes: Uint8Array, type: BodyType): BodyScan {
  const byLines = type === 'application/x-ndjson';
  let depth = 0;
  let deepest = 0;
  let lines = 1;
  let topCommas = 0;
  let secondCommas = 0;
  let first = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) {
      // A line break cannot stand in a string: a line cut off within one must not swallow those after it.
      const end = byLines ? lineStringEnd(bytes, at) : stringEnd(bytes, at);
      at = end;
    } else if (byte === COMMA) {
      if (depth === 1) topCommas++;
      else if (depth === 2) secondCommas++;
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (depth === 0 && first === 0) first = byte;
      if (++depth > deepest) deepest = depth;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      depth--;
    } else if (byte === NEWLINE && byLines) {
      depth = 0;
      lines++;
    }
  }
  if (byLines) return { depth: deepest, elements: lines };
  return { depth: deepest, elements: (first === OPEN_BRACKET ? topCommas : secondCommas) + 1 };
}

/** As `stringEnd`, but a line break ends the string too; then the position before it. */
function lineStringEnd(bytes: Uint8Array, at: number): number {
  let position = at + 1;
  for (; position < bytes.length; position++) {
    const byte = bytes[position];
    if (byte === QUOTE) return position;
    if (byte === NEWLINE) return position - 1;
    if (byte === BACKSLASH && bytes[position + 1] !== NEWLINE) position++;
  }
  return position;
}
