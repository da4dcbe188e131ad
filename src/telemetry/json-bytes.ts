/** JSON as bytes. */
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

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
