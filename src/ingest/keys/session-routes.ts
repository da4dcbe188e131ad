/** `/v1/session`: signing in at the page with a key, once, instead of a header with every request. */
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { mayDo } from '../caller.js';
import { errors } from '../api-schemas.js';
import { HttpError } from '../http-error.js';
import type { Authenticator } from './authenticator.js';
import { SessionSchema, SignInSchema } from './key-schemas.js';
import type { Sessions } from './sessions.js';

export interface SessionRouteOptions {
  readonly keysRequired: boolean;
  readonly authenticator: Authenticator;
  readonly sessions: Sessions;
}

export function sessionRoutes({ keysRequired, authenticator, sessions }: SessionRouteOptions): FastifyPluginAsync {
  const config = { scope: 'public', keepsToFleet: true } as const;
  const tags = ['session'];

  async function signIn(request: FastifyRequest<{ Body: { key: string } }>, reply: FastifyReply): Promise<object> {
    if (!keysRequired)
      throw new HttpError(400, 'keys_not_required', 'this server asks for no keys: there is nothing to sign in to');
    const key = await authenticator.verify(request.body.key);
    if (typeof key === 'string') throw authenticator.refuse(key, request, null);
    if (!key.scopes.has('read') && !key.scopes.has('admin'))
      throw new HttpError(403, 'forbidden_scope', 'this key cannot read; the page needs one with the scope read');
    sessions.end(request.headers.cookie);
    reply.header('set-cookie', sessions.begin(key.id));
    return { keys_required: true, signed_in: true, actor: `key:${key.id}` };
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
          response: { 200: SessionSchema, ...errors(400, 403, 413, 415, 503) },
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
        return { keys_required: keysRequired, signed_in: !keysRequired, actor: null };
      },
    );
  };
}
