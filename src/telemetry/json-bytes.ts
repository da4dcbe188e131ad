/** JSON as bytes. */
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** Where the string ends whose opening quote is at `at`: the position of its closing quote, or the end of the bytes. */
export function stringEnd(bytes: Uint8Array, at: number): number {
  let position = at + 1;
  for (; position < bytes.length; position++) {
    const byte = bytes[position];
    if (byte === QUOTE) return position;
    if (byte === BACKSLASH) position++;
  }
  return position;
}

const isSpace = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/** A span of bytes without the white space at its ends. */
export function trimmedSpan(bytes: Uint8Array, start: number, end: number): [start: number, end: number] {
  let [first, last] = [start, end];
  while (first < last && isSpace(bytes[first])) first++;
  while (last > first && isSpace(bytes[last - 1])) last--;
  return [first, last];
}

/**
 * Where the value of a member stands in the bytes of a JSON object, which have been parsed before; undefined where there
 * is no such member. Of a repeated one the last counts, as in JSON.parse.
 */
export function memberSpan(bytes: Buffer, name: string): [start: number, end: number] | undefined {
  let found: [number, number] | undefined;
  let valueAt = -1;
  let depth = 0;
  let lastName = '';
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) {
      const end = stringEnd(bytes, at);
      if (depth === 1 && valueAt === -1) lastName = JSON.parse(bytes.toString('utf8', at, end + 1)) as string;
      at = end;
    } else if (byte === COLON && depth === 1) {
      valueAt = at + 1;
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      depth++;
    } else if (byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (depth === 1 && valueAt !== -1) {
        if (lastName === name) found = trimmedSpan(bytes, valueAt, at);
        valueAt = -1;
      }
      if (byte !== COMMA) depth--;
    }
  }
  return found;
}
