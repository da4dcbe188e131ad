/** `GET /v1/storage`. */
import type { FastifyInstance } from 'fastify';
import { AnswerCache } from './answer-cache.js';
import { ErrorSchema, StorageSchema, type StorageStatus } from './api-schemas.js';
import type { ConsoleContext } from './console-context.js';
import { readDatabaseSize, readJobs, readTables } from './storage-query.js';
import { nowRfc3339 } from './timestamps.js';

/** Sizes are summed over every chunk's files, and change slowly. */
const STORAGE_MAX_AGE_MS = 10_000;

export function storageRoutes(api: FastifyInstance, { database }: ConsoleContext): void {
  const answers = new AnswerCache<Omit<StorageStatus, 'as_of'>>({ maxAgeMs: STORAGE_MAX_AGE_MS });
  const { postgresVersion, timescale, timescaleVersion, survivesPowerLoss } = database.capabilities;
  api.get(
    '/v1/storage',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'Sizes, chunks, compression, and the last run of each job',
        tags: ['read'],
        response: { 200: StorageSchema, 503: ErrorSchema },
      },
    },
    async (): Promise<StorageStatus> => {
      const answer = await answers.get('', async () => ({
        database: {
          postgres: postgresVersion,
          timescale,
          timescale_version: timescaleVersion,
          survives_power_loss: survivesPowerLoss,
          bytes: await readDatabaseSize(database),
        },
        tables: await readTables(database),
        jobs: await readJobs(database),
      }));
      return { as_of: nowRfc3339(), ...answer };
    },
  );
}
