/**
 * An API key as text: `dh_<id>_<secret>`. The id is public and stands in lists, logs and the table; the secret is 256
 * random bits that are shown once and kept nowhere: the table has its SHA-256. (A slow hash protects passwords, which
 * people choose. Nobody guesses 256 bits.)
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const ID_BYTES = 6;
const SECRET_BYTES = 32;
const KEY = /^dh_([a-z0-9]{8,32})_([A-Za-z0-9_-]{43})$/;

const hash = (secret: string): Buffer => createHash('sha256').update(secret).digest();

export interface ParsedApiKey {
  readonly id: string;
  /** SHA-256 of the secret. */
  readonly secretHash: Uint8Array;
}

export interface NewApiKeyText extends ParsedApiKey {
  /** The key itself, for its owner's eyes. */
  readonly text: string;
}

/** A new key; nothing is stored. */
export function newApiKeyText(id = randomBytes(ID_BYTES).toString('hex')): NewApiKeyText {
  const secret = randomBytes(SECRET_BYTES).toString('base64url');
  return { text: `dh_${id}_${secret}`, id, secretHash: hash(secret) };
}

/** Takes a key apart; undefined when the text is none. */
export function parseApiKey(text: string): ParsedApiKey | undefined {
  const [, id, secret] = KEY.exec(text) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secretHash: hash(secret) };
}

/** Compares in the same time wherever they differ. Both have 32 bytes. */
export function isSameHash(one: Uint8Array, other: Uint8Array): boolean {
  return timingSafeEqual(one, other);
}
