/**
 * People at the page: a key that was shown once, and since then a cookie. The cookie holds a random token; which key it
 * stands for is known in memory only, so that a session ends with the process, with its key, or after some hours.
 */
import { createHash, randomBytes } from 'node:crypto';

/** A working day: whoever comes back tomorrow shows the key again. */
const SESSION_SECONDS = 12 * 3600;
/** At the bound the oldest session ends; its owner signs in again. */
const MAX_SESSIONS = 1000;
/**
 * The name of the cookie. The prefix binds it to this host, to HTTPS and to the whole site: browsers refuse it otherwise,
 * and so they would over plain HTTP, which is spoken to the own machine only.
 */
export const sessionCookie = (isSecure: boolean): string => (isSecure ? '__Host-downhole' : 'downhole-session');

interface Session {
  readonly keyId: string;
  readonly expiresMs: number;
}

export class Sessions {
  /** By the hash of the token: what stands in memory opens nothing. */
  readonly #sessions = new Map<string, Session>();
  readonly #nowMs: () => number;
  readonly #cookie: string;
  /** Scripts cannot read it, and no page of another site has it sent along. */
  readonly #attributes: string;

  /**
   * @param nowMs epoch milliseconds
   * @param isSecure whether the server speaks HTTPS
   */
  constructor(nowMs: () => number, isSecure: boolean) {
    this.#nowMs = nowMs;
    this.#cookie = sessionCookie(isSecure);
    this.#attributes = `Path=/; ${isSecure ? 'Secure; ' : ''}HttpOnly; SameSite=Strict`;
  }

  /** Begins a session of this key and returns the header `Set-Cookie`. */
  begin(keyId: string): string {
    const token = randomBytes(32).toString('base64url');
    this.#sessions.set(nameOf(token), { keyId, expiresMs: this.#nowMs() + SESSION_SECONDS * 1000 });
    for (const oldest of this.#sessions.keys()) {
      if (this.#sessions.size <= MAX_SESSIONS) break;
      this.#sessions.delete(oldest);
    }
    return `${this.#cookie}=${token}; Max-Age=${SESSION_SECONDS}; ${this.#attributes}`;
  }

  /** The id of the key whose session the header `Cookie` carries; undefined when there is none in force. */
  keyOf(cookies: string | undefined): string | undefined {
    const token = this.#tokenIn(cookies);
    if (token === undefined) return undefined;
    const session = this.#sessions.get(nameOf(token));
    if (session === undefined) return undefined;
    if (session.expiresMs > this.#nowMs()) return session.keyId;
    this.#sessions.delete(nameOf(token));
    return undefined;
  }

  /** Ends the session that the header `Cookie` carries, if any, and returns the `Set-Cookie` that removes it. */
  end(cookies: string | undefined): string {
    const token = this.#tokenIn(cookies);
    if (token !== undefined) this.#sessions.delete(nameOf(token));
    return `${this.#cookie}=; Max-Age=0; ${this.#attributes}`;
  }

  #tokenIn(cookies: string | undefined): string | undefined {
    if (cookies === undefined || !cookies.includes(this.#cookie)) return undefined;
    for (const pair of cookies.split(';')) {
      const [name, value] = pair.trim().split('=', 2);
      if (name === this.#cookie && value !== undefined && value !== '') return value;
    }
    return undefined;
  }
}

const nameOf = (token: string): string => createHash('sha256').update(token).digest('base64');
