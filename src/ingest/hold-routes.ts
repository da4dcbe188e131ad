/** `/v1/holds`: ranges that retention leaves alone, e.g. what was just imported. */
import type { FastifyPluginAsync } from 'fastify';
import { checkDeviceId } from '../pipeline/read-record.js';
import { audit } from '../storage/audit-log.js';
import type { Database, Row } from '../storage/database.js';
import { formatTimestamp, parseTimestamp, sqlTimestamp } from '../telemetry/timestamp.js';
import { errors, HoldListSchema, HoldSchema, NewHoldSchema, type NewHold } from './api-schemas.js';
import { HttpError } from './http-error.js';

const COLUMNS = 'id, device_id, range_from, range_to, reason, created_at, created_by, expires_at, released_at';
/** An answer has so many holds at most; the newest first. */
const MAX_LISTED_HOLDS = 1000;

/** RFC 3339 of a timestamptz as the database gives it (`2026-11-23 18:22:08.672341+00`). */
function instant(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  const micros = parseTimestamp(value);
  return typeof micros === 'number' ? formatTimestamp(micros) : value; // `infinity` stays what it is
}

const toHold = (row: Row): object => ({
  id: Number(row['id']),
  device_id: row['device_id'],
  from: instant(row['range_from']),
  to: instant(row['range_to']),
  reason: row['reason'],
  created_at: instant(row['created_at']),
  created_by: row['created_by'],
  expires_at: instant(row['expires_at']),
  released_at: instant(row['released_at']),
});

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
        const expires = expiresAt === undefined ? null : sqlTimestamp(readInstant('expires_at', expiresAt));
        const { actor } = request.caller;
        const row = await database.transaction(async (session) => {
          const [created] = await session.query(
            `INSERT INTO holds (device_id, range_from, range_to, reason, created_by, expires_at)
             VALUES ($1, $2::timestamptz, $3::timestamptz, $4, $5, $6::timestamptz) RETURNING ${COLUMNS}`,
            [deviceId ?? null, sqlTimestamp(fromUs), sqlTimestamp(toUs), reason, actor, expires],
          );
          await audit(session, { actor, action: 'hold.create', target: String(created?.['id']), detail: { reason } });
          return created as Row;
        });
        return reply.code(201).send(toHold(row));
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
      async () => {
        const rows = await database.query(
          `SELECT ${COLUMNS} FROM holds ORDER BY created_at DESC, id DESC LIMIT ${MAX_LISTED_HOLDS}`,
        );
        return { holds: rows.map(toHold) };
      },
    );
  };
}
