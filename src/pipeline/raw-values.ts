/** What was received and cannot be stored as such, as the JSON text that `raw_values jsonb` takes. */
import { reject, type Rejection } from '../telemetry/rejection.js';

/** Field name → value as received. A Map, so that a field may be called `__proto__`. */
export type RawValues = Map<string, unknown>;

/** Deepest nesting of an unknown field: beyond it PostgreSQL and JSON.stringify would recurse at a stranger's will. */
export const MAX_RAW_DEPTH = 16;
const MAX_RAW_CHARACTERS = 65_536;

/**
 * JSON text that jsonb accepts. It refuses U+0000 and lone surrogates, so these are kept as the escape that they
 * were written as (six visible characters); infinite numbers (`1e999`) are kept as text.
 */
export function encodeRawValues(raw: RawValues): string | Rejection {
  const members: string[] = [];
  for (const [name, value] of raw) members.push(`${JSON.stringify(name)}:${JSON.stringify(value, finiteOnly)}`);
  const text = `{${members.join(',')}}`;
  if (text.length > MAX_RAW_CHARACTERS) {
    return reject(
      'too_large',
      '',
      `the fields that are no channels make ${text.length} characters; at most ${MAX_RAW_CHARACTERS} are kept, leave some out`,
    );
  }
  return text.includes('\\u')
    ? text.replace(UNSTORABLE_ESCAPE, (escape) => (escape === '\\\\' ? escape : `\\${escape}`))
    : text;
}

/** An escaped backslash (so that it is stepped over), U+0000, or a surrogate: stringify escapes only lone ones. */
const UNSTORABLE_ESCAPE = /\\\\|\\u0000|\\ud[89a-f][0-9a-f]{2}/g;

function finiteOnly(_name: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

/** Adds a field to raw values that are text already; the slow path of the well's own limits. */
export function addRawValue(text: string | undefined, name: string, value: number): string {
  const member = `${JSON.stringify(name)}:${value}`;
  return text === undefined || text === '{}' ? `{${member}}` : `${text.slice(0, -1)},${member}}`;
}
