/** `/v1/keys`: the keys of the service, for administrators. What `downhole keys` uses while a service holds the database. */
import type { FastifyPluginAsync } from 'fastify';
import type { Database } from '../../storage/database.js';
import { parseTimestamp } from '../../telemetry/timestamp.js';
import { errors } from '../api-schemas.js';
import { HttpError } from '../http-error.js';
import type { KeyRing } from './key-ring.js';
import {
  CreatedKeySchema,
  KeyInfoSchema,
  KeyListSchema,
  KeyPath,
  NewKeySchema,
  type NewKeyRequest,
} from './key-schemas.js';
import { checkNewKey, createKey, listKeys, revokeKey, type NewKey } from './key-table.js';

const config = { scope: 'admin' } as const;
/** The answer that has a key in it must not lie in a cache. */
const NO_STORE = { 'cache-control': 'no-store' };

/** @param keys is told of every change, so that it holds in this process at once; undefined where keys are not required */
export function keyRoutes(database: Database, keys: KeyRing | undefined): FastifyPluginAsync {
  return async (server) => {
    server.post<{ Body: NewKeyRequest }>(
      '/v1/keys',
      {
        config,
        schema: {
          operationId: 'createKey',
          summary: 'Make an API key',
          tags: ['keys'],
          body: NewKeySchema,
          response: { 201: CreatedKeySchema, ...errors(400, 403, 413, 415, 500, 503) },
        },
      },
      async (request, reply) => {
        const wanted = toNewKey(request.body);
        const problem = checkNewKey(wanted, Date.now() * 1000);
        if (problem !== undefined) throw new HttpError(400, 'invalid_request', problem);
        const { text, info } = await createKey(database, wanted, request.caller.actor);
        await keys?.refreshAfterChange();
        return reply
          .code(201)
          .headers(NO_STORE)
          .send({ key: text, ...info });
      },
    );
    server.get(
      '/v1/keys',
      {
        config,
        schema: {
          operationId: 'listKeys',
          summary: 'The keys, newest first, without what opens the door',
          tags: ['keys'],
          response: { 200: KeyListSchema, ...errors(403, 500, 503) },
        },
      },
      async (_request, reply) => reply.headers(NO_STORE).send({ keys: await listKeys(database) }),
    );
    server.delete<{ Params: { id: string } }>(
      '/v1/keys/:id',
      {
        config,
        schema: {
          operationId: 'revokeKey',
          summary: 'Revoke a key',
          description: 'Here it takes effect with the answer, in other processes within seconds.',
          tags: ['keys'],
          params: KeyPath,
          response: { 200: KeyInfoSchema, ...errors(403, 404, 500, 503) },
        },
      },
      async (request) => {
        const info = await revokeKey(database, request.params.id, request.caller.actor);
        if (info === undefined)
          throw new HttpError(
            404,
            'not_found',
            `there is no key ${request.params.id}; GET /v1/keys lists those that are`,
          );
        await keys?.refreshAfterChange();
        return info;
      },
    );
  };
}

function toNewKey(body: NewKeyRequest): NewKey {
  return {
    name: body.name,
    scopes: body.scopes,
    sites: body.sites ?? null,
    devices: body.devices ?? null,
    requestsPerSecond: body.requests_per_second ?? null,
    recordsPerSecond: body.records_per_second ?? null,
    expiresAtUs: body.expires_at === undefined ? null : readExpiry(body.expires_at),
  };
}

function readExpiry(text: string): number {
  const micros = parseTimestamp(text);
  if (typeof micros === 'number') return micros;
  throw new HttpError(
    400,
    micros,
    'expires_at is not RFC 3339 with offset; send e.g. 2027-11-23T00:00:00Z',
    'expires_at',
  );
}
