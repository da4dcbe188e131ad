/** `POST /v1/import`: the lane of `downhole import` through a running service, answered when the rows are committed. */
import type { FastifyPluginAsync } from 'fastify';
import type { MessageHeaders } from '../queue/queue.js';
import type { OutcomeCounts } from '../telemetry/outcome.js';
import { refuseBody, type IngestLimits } from './accept-records.js';
import { scanBody } from './body-scan.js';
import { errors, OutcomeCountsSchema, TELEMETRY_CONTENT } from './api-schemas.js';
import { HttpError } from './http-error.js';
import type { RateGuard } from './keys/rate-guard.js';
import { messageHeaders, requestBytes } from './telemetry-route.js';

/** What an import needs of the pipeline. */
export interface ImportPipeline {
  /** Processes a body past the queue; resolves when it is committed. What cannot be stored becomes a dead letter. */
  ingestNow(body: Uint8Array, headers: MessageHeaders): Promise<{ readonly outcomes: OutcomeCounts }>;
}

export function importRoute(pipeline: ImportPipeline, limits: IngestLimits, guard: RateGuard): FastifyPluginAsync {
  return async (server) => {
    server.post(
      '/v1/import',
      {
        // Nothing of an import is refused, so that a key that may not send all devices may not import.
        config: { rawBody: true, scope: 'write' },
        validatorCompiler: () => () => true,
        schema: {
          operationId: 'importTelemetry',
          summary: 'Import telemetry and wait until it is committed',
          description: 'Takes what /v1/telemetry takes. Records that cannot be stored become dead letters.',
          tags: ['ingest'],
          body: { content: TELEMETRY_CONTENT },
          response: { 200: OutcomeCountsSchema, ...errors(400, 403, 413, 415, 500, 503) },
        },
      },
      async (request) => {
        const receivedUs = Date.now() * 1000;
        const { bytes, type } = requestBytes(request);
        const refusal = refuseBody(bytes, type, limits);
        if (refusal !== undefined)
          throw new HttpError(refusal.code === 'too_large' ? 413 : 400, refusal.code, refusal.message);
        guard.takeRecords(request.caller, scanBody(bytes, type).elements);
        const { outcomes } = await pipeline.ingestNow(bytes, messageHeaders(request, type, null, receivedUs));
        return outcomes;
      },
    );
  };
}
