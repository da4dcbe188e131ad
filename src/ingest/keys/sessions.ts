/**
 * People at the page: a key that was shown once, and since then a cookie. The cookie holds a random token; which key it
 * stands for is known in memory only, so that a session ends with the process, with its key, or after some hours.
 */
import { createHash, randomBytes } from 'node:crypto';

/** A working day: whoever comes back tomorrow shows the key again. */
const SESSION_SECONDS = 12 * 3600;
/** At the bound the oldest session ends; its owner signs in again. */
const MAX_SESSIONS = 1000;
/** The prefix binds the cookie to this host, to HTTPS and to the whole site: browsers refuse it otherwise. */
export const SESSION_COOKIE = '__Host-downhole';
const ATTRIBUTES = 'Path=/; Secure; HttpOnly; SameSite=Strict';

interface Session {
  readonly keyId: string;
  readonly expiresMs: number;
}

export class Sessions {
  /** By the hash of the token: what stands in memory opens nothing. */
  readonly #sessions = new Map<string, Session>();
  readonly #nowMs: () => number;

  /** @param nowMs epoch milliseconds */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Begins a session of this key and returns the header `Set-Cookie`. */
  begin(keyId: string): string {
    const token = randomBytes(32).toString('base64url');
    this.#sessions.set(nameOf(token), { keyId, expiresMs: this.#nowMs() + SESSION_SECONDS * 1000 });
    for (const oldest of this.#sessions.keys()) {
      if (this.#sessions.size <= MAX_SESSIONS) break;
      this.#sessions.delete(oldest);
    }
    return `${SESSION_COOKIE}=${token}; Max-Age=${SESSION_SECONDS}; ${ATTRIBUTES}`;
  }

  /** The id of the key whose session the header `Cookie` carries; undefined when there is none in force. */
  keyOf(cookies: string | undefined): string | undefined {
    const token = tokenIn(cookies);
    if (token === undefined) return undefined;
    const session = this.#sessions.get(nameOf(token));
    if (session === undefined) return undefined;
    if (session.expiresMs > this.#nowMs()) return session.keyId;
    this.#sessions.delete(nameOf(token));
    return undefined;
  }

  /** Ends the session that the header `Cookie` carries, if any, and returns the `Set-Cookie` that removes it. */
  end(cookies: string | undefined): string {
    const token = tokenIn(cookies);
    if (token !== undefined) this.#sessions.delete(nameOf(token));
    return `${SESSION_COOKIE}=; Max-Age=0; ${ATTRIBUTES}`;
  }
}

const nameOf = (token: string): string => createHash('sha256').update(token).digest('base64');

function tokenIn(cookies: string | undefined): string | undefined {
  if (cookies === undefined || !cookies.includes(SESSION_COOKIE)) return undefined;
  for (const pair of cookies.split(';')) {
    const [name, value] = pair.trim().split('=', 2);
    if (name === SESSION_COOKIE && value !== undefined && value !== '') return value;
  }
  return undefined;
}
