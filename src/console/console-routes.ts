/** The read API and the page that lives on it, as one fastify plugin. */
// Adds `summary`, `tags` and `hide` to the type of a route's schema.
import type {} from '@fastify/swagger';
import type { FastifyInstance, FastifyPluginAsync } from 'fastify';
import { DatabaseLetterOffice } from '../dead-letters/dead-letter-office.js';
import { alertRoutes } from './alert-routes.js';
import { AnswerCache } from './answer-cache.js';
import type { ConsoleContext, ConsoleOptions } from './console-context.js';
import { deadLetterRoutes } from './dead-letter-routes.js';
import { devicesRoutes } from './devices-routes.js';
import { episodeRoutes } from './episode-routes.js';
import { jobRoutes } from './job-routes.js';
import { ledgerRoutes } from './ledger-routes.js';
import { pipelineRoutes } from './pipeline-routes.js';
import { qualityRoutes } from './quality-routes.js';
import { type LevelCatalogue, readLevels } from './series-levels.js';
import { seriesRoutes } from './series-routes.js';
import { storageRoutes } from './storage-routes.js';
import { webPage } from './web-page.js';

/** Levels come and go with migrations, which run before the routes do: asking once a minute costs nothing. */
const LEVELS_MAX_AGE_MS = 60_000;

/**
 * `GET /v1/devices`, `/v1/devices/:id`, `/v1/devices/:id/series`, `/v1/quality`, `/v1/quality/groups`, `/v1/devices/:id/gaps`, `/v1/devices/:id/quality/…`,
 * `/v1/episodes`, `/v1/pipeline`, `/v1/dead-letters`, `/v1/alerts`, `/v1/storage`, `/v1/jobs`, `/v1/ledger`, `/v1/ledger/verification`, and the page at `/`.
 */
export function consoleRoutes(options: ConsoleOptions): FastifyPluginAsync {
  const levels = new AnswerCache<LevelCatalogue>({ maxAgeMs: LEVELS_MAX_AGE_MS });
  const { database, events, config } = options;
  const context: ConsoleContext = {
    ...options,
    letters: new DatabaseLetterOffice({ database, events, quality: config.quality, nowUs: () => Date.now() * 1000 }),
    levels: () => levels.get('', () => readLevels(database)),
  };
  const readApi = async (api: FastifyInstance): Promise<void> => {
    api.addHook('onSend', async (_request, reply) => {
      reply.header('cache-control', 'no-store');
    });
    devicesRoutes(api, context);
    seriesRoutes(api, context);
    qualityRoutes(api, context);
    episodeRoutes(api, context);
    pipelineRoutes(api, context);
    deadLetterRoutes(api, context);
    alertRoutes(api, context);
    storageRoutes(api, context);
    jobRoutes(api, context);
    ledgerRoutes(api, context);
  };
  return async (app) => {
    await app.register(readApi);
    await app.register(webPage(options.webRoot));
  };
}
