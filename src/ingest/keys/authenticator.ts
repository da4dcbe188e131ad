/**
 * Who a request comes from, before anything of its body is read: an API key in `Authorization: Bearer`, or the cookie
 * of somebody who has signed in at the page. Then, whether the caller may do what the route is for, and how often.
 */
import type { FastifyRequest } from 'fastify';
import type { Events } from '../../monitoring/events.js';
import { mayDo, type Caller, type Rates, type RouteScope } from '../caller.js';
import { HttpError } from '../http-error.js';
import type { Scope } from '../scopes.js';
import { isSameHash, parseApiKey, type ParsedApiKey } from './api-key.js';
import type { KeyRing } from './key-ring.js';
import type { ActiveKey } from './key-table.js';
import { pageOf } from './page-origin.js';
import type { RateGuard } from './rate-guard.js';
import type { Sessions } from './sessions.js';

/** Why a request is refused; a label of `http_auth_failures_total`. What the sender hears says less. */
export type AuthFailure =
  'missing_key' | 'malformed_key' | 'unknown_key' | 'wrong_secret' | 'expired_key' | 'scope' | 'cross_site';

export interface AuthenticatorOptions {
  /** undefined: nobody has to show a key, and whoever can connect may do everything. */
  readonly keys: KeyRing | undefined;
  readonly sessions: Sessions;
  readonly guard: RateGuard;
  /** Of keys that have no limits of their own. */
  readonly rates: Rates;
  readonly events: Events;
  /** Epoch milliseconds. */
  readonly nowMs: () => number;
}

type Done = (error?: Error) => void;

/** The name of the scheme is case-insensitive (RFC 9110, 11.1). */
const BEARER = /^bearer +([^ ]+)$/i;
const READING_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
/** Failures make a line of the log at most so often: strangers must not be able to fill it. */
const REPORT_INTERVAL_MS = 60_000;

const NOTHING: ReadonlySet<Scope> = new Set();
const EVERYTHING: ReadonlySet<Scope> = new Set(['write', 'read', 'admin']);

export class Authenticator {
  readonly #options: AuthenticatorOptions;
  #failures = 0;
  #reportedAt = Number.NEGATIVE_INFINITY;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
  }

  /** Whoever has not shown a key: may do everything where keys are not required, otherwise what is public. */
  stranger(address: string): Caller {
    const { keys, rates } = this.#options;
    return { actor: `http:${address}`, scopes: keys === undefined ? EVERYTHING : NOTHING, fleet: undefined, rates };
  }

  /** `onRequest` hook: sets `request.caller` to the owner of the key, or refuses. Without I/O for a key that is known. */
  admit(request: FastifyRequest, done: Done): void {
    const { keys } = this.#options;
    if (keys === undefined) return done(this.#limit(request));
    const claim = this.#claim(request);
    if (typeof claim === 'string') return this.#conclude(request, claim, done);
    const key = keys.peek(claim.id);
    if (key !== undefined || scopeOf(request) === 'public')
      return this.#conclude(request, this.#judge(claim, key), done);
    keys.look(claim.id).then((found) => this.#conclude(request, this.#judge(claim, found), done), done);
  }

  /** The key of this text, for signing in; or why not. Rejects with an OperationalError when nobody can say. */
  async verify(text: string): Promise<ActiveKey | AuthFailure> {
    const { keys } = this.#options;
    const parsed = parseApiKey(text.trim());
    if (keys === undefined || parsed === undefined) return 'malformed_key';
    return this.#judge(parsed, keys.peek(parsed.id) ?? (await keys.look(parsed.id)));
  }

  /** Counts a failure to show a key that lets in, and returns what its sender hears. */
  refuse(failure: AuthFailure, request: FastifyRequest, keyId: string | null): HttpError {
    this.#count(failure, request, keyId);
    if (failure === 'missing_key')
      return new HttpError(
        401,
        failure,
        'send an API key: Authorization: Bearer dh_…; `downhole keys create` makes one',
      );
    return new HttpError(401, 'invalid_key', 'this API key does not let in: it is mistyped, revoked or expired');
  }

  /** Counts a request of a foreign page, and returns what its sender hears. */
  refuseForeign(request: FastifyRequest, keyId: string | null): HttpError {
    this.#count('cross_site', request, keyId);
    const message = 'with a cookie only pages of this server may do this; send the key instead';
    return new HttpError(403, 'forbidden_origin', message);
  }

  #count(reason: AuthFailure, { ip: address, id: requestId }: FastifyRequest, keyId: string | null): void {
    const { events } = this.#options;
    events.emit('auth_failed', { reason, keyId, address, requestId });
    this.#failures++;
    if (performance.now() - this.#reportedAt < REPORT_INTERVAL_MS) return;
    events.emit('auth_failing', { failures: this.#failures, reason, keyId, address });
    this.#failures = 0;
    this.#reportedAt = performance.now();
  }

  /** What a request claims to be: a key, the key of a session (without secret: the cookie was one), or why it cannot be read. */
  #claim({ headers }: FastifyRequest): ParsedApiKey | { id: string; secretHash: null } | AuthFailure {
    if (headers.authorization !== undefined) {
      const text = BEARER.exec(headers.authorization.trim())?.[1];
      return (text === undefined ? undefined : parseApiKey(text)) ?? 'malformed_key';
    }
    const id = this.#options.sessions.keyOf(headers.cookie);
    return id === undefined ? 'missing_key' : { id, secretHash: null };
  }

  #judge(
    { id, secretHash }: { readonly id: string; readonly secretHash: Uint8Array | null },
    key: ActiveKey | undefined,
  ): ActiveKey | AuthFailure {
    if (key === undefined || key.id !== id) return 'unknown_key';
    if (secretHash !== null && !isSameHash(secretHash, key.secretHash)) return 'wrong_secret';
    return key.expiresAtMs > this.#options.nowMs() ? key : 'expired_key';
  }

  #conclude(request: FastifyRequest, verdict: ActiveKey | AuthFailure, done: Done): void {
    const scope = scopeOf(request);
    if (typeof verdict === 'string')
      return done(scope === 'public' ? undefined : this.refuse(verdict, request, claimedId(request.headers)));
    request.caller = this.#callerOf(verdict);
    this.#options.keys?.used(verdict.id);
    done(this.#forbid(request, scope, verdict.id) ?? this.#limit(request));
  }

  #callerOf(key: ActiveKey): Caller {
    const { rates } = this.#options;
    return {
      actor: `key:${key.id}`,
      scopes: key.scopes,
      fleet: key.fleet,
      rates: {
        requestsPerSecond: key.requestsPerSecond ?? rates.requestsPerSecond,
        recordsPerSecond: key.recordsPerSecond ?? rates.recordsPerSecond,
      },
    };
  }

  #forbid(request: FastifyRequest, scope: RouteScope, keyId: string): HttpError | undefined {
    const { caller } = request;
    const restricted = caller.fleet !== undefined && request.routeOptions.config.keepsToFleet !== true;
    if (!mayDo(caller, scope) || (restricted && scope !== 'public')) {
      this.#count('scope', request, keyId);
      const message = mayDo(caller, scope)
        ? `${caller.actor} is restricted to some sites or devices, and this is about the whole fleet`
        : `this needs a key with the scope ${scope}; ${caller.actor} has ${[...caller.scopes].join(', ')}`;
      return new HttpError(403, 'forbidden_scope', message);
    }
    if (request.headers.authorization !== undefined || READING_METHODS.has(request.method)) return undefined;
    // A browser sends the cookie by itself, so it has to say that a page of this server asks.
    return pageOf(request.headers) === 'own' ? undefined : this.refuseForeign(request, keyId);
  }

  /** What is public is not limited: probes and the page must not compete with senders for what they may. */
  #limit(request: FastifyRequest): HttpError | undefined {
    const { guard } = this.#options;
    if (scopeOf(request) === 'public') return undefined;
    return (
      guard.takeRequest(request.caller) ??
      (request.routeOptions.config.rawBody === true ? guard.refuseBody(request.caller) : undefined)
    );
  }
}

/** Paths that do not exist are open to all: the answer says nothing that is not in the manual. */
function scopeOf(request: FastifyRequest): RouteScope {
  return request.is404 ? 'public' : (request.routeOptions.config.scope ?? 'admin');
}

/** The id of the key that was shown, for the log; never its secret. */
function claimedId({ authorization }: FastifyRequest['headers']): string | null {
  return /^bearer +dh_([a-z0-9]{8,32})_/i.exec(authorization ?? '')?.[1] ?? null;
}
