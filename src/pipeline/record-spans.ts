/**
 * Where the records of a body stand in its bytes. A part of a body is published as the bytes that came, not as
 * JSON written again: digits, duplicate fields and spelling stay what the sender wrote.
 *
 * The bytes have been parsed before: they are valid JSON (NDJSON: lines, each valid or not).
 */
import { memberSpan, stringEnd } from '../telemetry/json-bytes.js';
import type { BodyForm } from './read-body.js';

/** First byte and the one after the last, record by record: [start, end, start, end …]. */
export type RecordSpans = readonly number[];

const TAB = 0x09;
const CARRIAGE_RETURN = 0x0d;
const NEWLINE = 0x0a;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** The spans of all records, in order. */
export function recordSpans(bytes: Buffer, form: BodyForm): RecordSpans {
  const start = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  switch (form) {
    case 'object':
      return [start, bytes.length];
    case 'array':
      return elementSpans(bytes, bytes.indexOf(OPEN_BRACKET, start));
    case 'envelope':
      return elementSpans(bytes, (memberSpan(bytes, 'records') as [number, number])[0]); // it is what makes an envelope
    case 'ndjson':
      return lineSpans(bytes, start);
  }
}

function lineSpans(bytes: Buffer, from: number): number[] {
  const spans: number[] = [];
  for (let start = from; start < bytes.length;) {
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline === -1 ? bytes.length : newline;
    if (!isBlank(bytes, start, end)) spans.push(start, end);
    start = end + 1;
  }
  return spans;
}

/** Whether `readBody` skips the line: nothing is left of it after `trim()`. */
function isBlank(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte >= 0x80) return bytes.toString('utf8', at, end).trim() === ''; // no-break spaces and their like
    if (byte !== SPACE && (byte < TAB || byte > CARRIAGE_RETURN)) return false;
  }
  return true;
}

/** The spans of the elements of the array that opens at `openAt`. */
function elementSpans(bytes: Buffer, openAt: number): number[] {
  const spans: number[] = [];
  let depth = 1;
  let start = openAt + 1;
  for (let at = openAt + 1; depth > 0; at++) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) {
      at = stringEnd(bytes, at);
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      depth++;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      depth--;
      if (depth === 0 && (spans.length > 0 || !isBlank(bytes, start, at))) spans.push(start, at);
    } else if (byte === COMMA && depth === 1) {
      spans.push(start, at);
      start = at + 1;
    }
  }
  return spans;
}
