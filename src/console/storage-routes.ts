/** `GET /v1/storage`. */
import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import { AnswerCache } from './answer-cache.js';
import { ErrorSchema, StorageSchema, type StorageStatus } from './api-schemas.js';
import type { ConsoleContext } from './console-context.js';
import { readStorage } from './storage-query.js';
import { nowRfc3339 } from './timestamps.js';

/** Sizes are summed over every chunk's files, and change slowly. */
const STORAGE_MAX_AGE_MS = 10_000;

const StorageQuery = Type.Object(
  { chunks: Type.Boolean({ default: false, description: 'Also list the chunks of readings, oldest first.' }) },
  { additionalProperties: false },
);

export function storageRoutes(api: FastifyInstance, { database, config }: ConsoleContext): void {
  const answers = new AnswerCache<Omit<StorageStatus, 'as_of'>>({ maxAgeMs: STORAGE_MAX_AGE_MS });
  const { rawDays } = config.retention;
  api.get<{ Querystring: Static<typeof StorageQuery> }>(
    '/v1/storage',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'Sizes, chunks, compression, days until the disk is full, and the last run of each job',
        tags: ['read'],
        querystring: StorageQuery,
        response: { 200: StorageSchema, 400: ErrorSchema, 503: ErrorSchema },
      },
    },
    async ({ query: { chunks } }): Promise<StorageStatus> => {
      const answer = await answers.get(String(chunks), () => readStorage(database, { rawDays, withChunks: chunks }));
      return { as_of: nowRfc3339(), ...answer };
    },
  );
}
