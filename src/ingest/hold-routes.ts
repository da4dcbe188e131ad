/** `/v1/holds`: ranges that retention leaves alone, e.g. what was just imported. */
import type { FastifyPluginAsync } from 'fastify';
import { checkDeviceId } from '../pipeline/read-record.js';
import type { Database } from '../storage/database.js';
import { createHold, listHolds, releaseHold } from '../storage/holds.js';
import { parseTimestamp } from '../telemetry/timestamp.js';
import { errors, HoldListSchema, HoldPath, HoldSchema, NewHoldSchema, type NewHold } from './api-schemas.js';
import { HttpError } from './http-error.js';

function readInstant(field: keyof NewHold, text: string): number {
  const micros = parseTimestamp(text);
  if (typeof micros === 'number') return micros;
  const message = `${field} is not RFC 3339 with offset; send e.g. 2026-11-23T18:22:08Z`;
  throw new HttpError(400, micros, message, field);
}

export function holdRoutes(database: Database): FastifyPluginAsync {
  return async (server) => {
    server.post<{ Body: NewHold }>(
      '/v1/holds',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'createHold',
          summary: 'Keep a range from retention',
          tags: ['holds'],
          body: NewHoldSchema,
          response: { 201: HoldSchema, ...errors(400, 403, 413, 415, 500, 503) },
        },
      },
      async (request, reply) => {
        const { device_id: deviceId, from, to, reason, expires_at: expiresAt } = request.body;
        const problem = deviceId === undefined ? undefined : checkDeviceId(deviceId);
        if (problem !== undefined) throw new HttpError(400, problem.code, problem.message, problem.field);
        const fromUs = readInstant('from', from);
        const toUs = readInstant('to', to);
        if (toUs <= fromUs) throw new HttpError(400, 'empty_range', 'to is not later than from; swap them', 'to');
        const expiresAtUs = expiresAt === undefined ? null : readInstant('expires_at', expiresAt);
        const hold = { deviceId: deviceId ?? null, fromUs, toUs, reason, expiresAtUs };
        return reply.code(201).send(await createHold(database, hold, request.caller.actor));
      },
    );
    server.get(
      '/v1/holds',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'listHolds',
          summary: 'The holds, newest first',
          tags: ['holds'],
          response: { 200: HoldListSchema, ...errors(403, 500, 503) },
        },
      },
      async () => ({ holds: await listHolds(database) }),
    );
    server.delete<{ Params: { id: number } }>(
      '/v1/holds/:id',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'releaseHold',
          summary: 'Leave a range to retention again',
          tags: ['holds'],
          params: HoldPath,
          response: { 200: HoldSchema, ...errors(400, 403, 404, 500, 503) },
        },
      },
      async (request) => {
        const { id } = request.params;
        const released = await releaseHold(database, id, request.caller.actor);
        if (released === undefined)
          throw new HttpError(404, 'not_found', `there is no hold ${id}; GET /v1/holds lists those that are`);
        return released;
      },
    );
  };
}
