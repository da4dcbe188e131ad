/**
 * Short ASCII texts that come again and again (device ids), each kept once as a string: found by its bytes, so that a
 * text which was met before costs no allocation.
 */
import { fnv1aOfBytes } from './fnv1a.js';

/** A pool that is full begins anew: what is in use comes back at once. */
const MAX_TEXTS = 1 << 17;
const SLOTS = MAX_TEXTS * 2;
/** Beyond so many collisions a text is not pooled: nobody can make a search long by choosing texts. */
const MAX_PROBES = 16;

export class TextPool {
  #texts = new Array<string | undefined>(SLOTS).fill(undefined);
  #count = 0;

  /** The text of `bytes` from `from` to `to`, all of them ASCII. */
  find(bytes: Uint8Array, from: number, to: number): string {
    const fnv = fnv1aOfBytes(bytes, from, to);
    const hash = fnv ^ (fnv >>> 15); // its low bits alone are weak
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      const slot = (hash + probe) & (SLOTS - 1);
      const text = this.#texts[slot];
      if (text === undefined) return this.#keep(slot, asText(bytes, from, to));
      if (isText(text, bytes, from, to)) return text;
    }
    return asText(bytes, from, to);
  }

  #keep(slot: number, text: string): string {
    if (this.#count === MAX_TEXTS) {
      this.#texts.fill(undefined);
      this.#count = 0;
    }
    this.#count++;
    this.#texts[slot] = text;
    return text;
  }
}

const asText = (bytes: Uint8Array, from: number, to: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1');

function isText(text: string, bytes: Uint8Array, from: number, to: number): boolean {
  if (text.length !== to - from) return false;
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) !== bytes[from + index]) return false;
  return true;
}
