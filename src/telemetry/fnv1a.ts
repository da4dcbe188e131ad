/** The hash FNV-1a of 32 bits: http://www.isthe.com/chongo/tech/comp/fnv/ */

const OFFSET_BASIS = 0x811c9dc5;
const PRIME = 0x01000193;

/** Of the UTF-8 bytes of a text, as an unsigned number. */
export function fnv1a(text: string): number {
  let hash = OFFSET_BASIS;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit > 0x7f) return fnv1aOfBytes(Buffer.from(text, 'utf8'));
    hash = Math.imul(hash ^ unit, PRIME);
  }
  return hash >>> 0;
}

/** Of the bytes from `from` to `to`, as an unsigned number. */
export function fnv1aOfBytes(bytes: Uint8Array, from = 0, to = bytes.length): number {
  let hash = OFFSET_BASIS;
  for (let at = from; at < to; at++) hash = Math.imul(hash ^ (bytes[at] as number), PRIME);
  return hash >>> 0;
}
