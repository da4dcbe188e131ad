/** Which part of a queue the records of a device belong to. */

const OFFSET_BASIS = 0x811c9dc5;
const PRIME = 0x01000193;

/**
 * FNV-1a of 32 bits over the UTF-8 bytes of the id, modulo the number of partitions. Other programs compute the same to
 * publish straight into a partition, so it must never change.
 * @param partitions at least 1
 * @returns from 0 below `partitions`
 */
export function partitionOf(deviceId: string, partitions: number): number {
  return fnv1a(deviceId) % partitions;
}

/** The hash alone, as an unsigned number: http://www.isthe.com/chongo/tech/comp/fnv/ */
export function fnv1a(text: string): number {
  let hash = OFFSET_BASIS;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit > 0x7f) return fnv1aOfBytes(new TextEncoder().encode(text));
    hash = Math.imul(hash ^ unit, PRIME);
  }
  return hash >>> 0;
}

function fnv1aOfBytes(bytes: Uint8Array): number {
  let hash = OFFSET_BASIS;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, PRIME);
  return hash >>> 0;
}
