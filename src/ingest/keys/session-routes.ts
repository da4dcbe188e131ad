/**
 * `/v1/session`: signing in at the page with a key, once, instead of a header with every request. The cookie lets a page
 * of this server write and no other one: the authenticator asks for a proof of origin with every request that changes
 * something, and signing in takes JSON only, which a form of a foreign page cannot send.
 */
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { mayDo } from '../caller.js';
import { SCOPES } from '../scopes.js';
import { errors } from '../api-schemas.js';
import { HttpError } from '../http-error.js';
import type { Authenticator } from './authenticator.js';
import { pageOf } from './page-origin.js';
import type { RateGuard } from './rate-guard.js';
import { SessionSchema, SignInSchema } from './key-schemas.js';
import type { Sessions } from './sessions.js';

export interface SessionRouteOptions {
  readonly keysRequired: boolean;
  readonly authenticator: Authenticator;
  readonly sessions: Sessions;
  readonly guard: RateGuard;
}

export function sessionRoutes({
  keysRequired,
  authenticator,
  sessions,
  guard,
}: SessionRouteOptions): FastifyPluginAsync {
  const config = { scope: 'public', keepsToFleet: true } as const;
  const tags = ['session'];

  async function signIn(request: FastifyRequest<{ Body: { key: string } }>, reply: FastifyReply): Promise<object> {
    if (!keysRequired)
      throw new HttpError(400, 'keys_not_required', 'this server asks for no keys: there is nothing to sign in to');
    // Nobody is to be signed in with somebody else's key without noticing.
    if (pageOf(request.headers) === 'foreign') throw authenticator.refuseForeign(request, null);
    guard.takeSignIn(request.ip);
    const key = await authenticator.verify(request.body.key);
    if (typeof key === 'string') throw authenticator.refuse(key, request, null);
    if (!key.scopes.has('read') && !key.scopes.has('admin'))
      throw new HttpError(
        403,
        'forbidden_scope',
        `key ${key.id} may not read; the page needs a key with the scope read, or admin`,
      );
    sessions.end(request.headers.cookie);
    reply.header('set-cookie', sessions.begin(key.id));
    return { keys_required: true, signed_in: true, actor: `key:${key.id}`, scopes: [...key.scopes] };
  }

  return async (server) => {
    server.addHook('onSend', async (_request, reply) => {
      reply.header('cache-control', 'no-store');
    });
    server.get(
      '/v1/session',
      {
        config,
        schema: {
          operationId: 'readSession',
          summary: 'Who am I?',
          tags,
          response: { 200: SessionSchema, ...errors(403) },
        },
      },
      async ({ caller }) => ({
        keys_required: keysRequired,
        signed_in: mayDo(caller, 'read'),
        actor: caller.actor.startsWith('key:') ? caller.actor : null,
        scopes: [...caller.scopes],
      }),
    );
    server.post(
      '/v1/session',
      {
        config,
        schema: {
          operationId: 'signIn',
          summary: 'Sign in with a key; the answer sets a cookie',
          tags,
          body: SignInSchema,
          response: { 200: SessionSchema, ...errors(400, 401, 403, 413, 415, 503) },
        },
      },
      signIn,
    );
    server.delete(
      '/v1/session',
      {
        config,
        schema: { operationId: 'signOut', summary: 'Sign out', tags, response: { 200: SessionSchema, ...errors(403) } },
      },
      async (request, reply) => {
        reply.header('set-cookie', sessions.end(request.headers.cookie));
        return {
          keys_required: keysRequired,
          signed_in: !keysRequired,
          actor: null,
          scopes: keysRequired ? [] : [...SCOPES],
        };
      },
    );
  };
}
