/** `GET /v1/audit`: the log of administrative acts. */
import type { FastifyPluginAsync } from 'fastify';
import { readAuditLog } from '../../storage/audit-log.js';
import type { Database } from '../../storage/database.js';
import { parseTimestamp } from '../../telemetry/timestamp.js';
import { errors } from '../api-schemas.js';
import { HttpError } from '../http-error.js';
import { AuditQuery, AuditSchema } from './key-schemas.js';

export function auditRoute(database: Database): FastifyPluginAsync {
  return async (server) => {
    server.get<{ Querystring: { since?: string; limit: number } }>(
      '/v1/audit',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'readAuditLog',
          summary: 'Who did what to what, newest first',
          tags: ['keys'],
          querystring: AuditQuery,
          response: { 200: AuditSchema, ...errors(400, 403, 500, 503) },
        },
      },
      async ({ query: { since, limit } }, reply) => {
        const sinceUs = since === undefined ? null : readSince(since);
        return reply
          .header('cache-control', 'no-store')
          .send({ entries: await readAuditLog(database, sinceUs, limit) });
      },
    );
  };
}

function readSince(text: string): number {
  const micros = parseTimestamp(text);
  if (typeof micros === 'number') return micros;
  throw new HttpError(400, micros, 'since is not RFC 3339 with offset; send e.g. 2026-11-23T00:00:00Z', 'since');
}
