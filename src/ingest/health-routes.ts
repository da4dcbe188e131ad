/** `/v1/health*` for whoever watches the process, `/metrics` for Prometheus. */
import type { FastifyPluginAsync } from 'fastify';
import type { Metrics } from '../monitoring/metrics.js';
import type { ReadinessReport } from '../monitoring/readiness.js';
import { mayDo } from './caller.js';
import { errors, HealthSchema, LivenessSchema, ReadinessSchema } from './api-schemas.js';

/** Must not reject, and should answer within a second. */
export type ReadinessCheck = () => Promise<ReadinessReport>;

export interface HealthRouteOptions {
  readonly readiness: ReadinessCheck;
  readonly metrics: Metrics;
  readonly version: string;
}

export function healthRoutes({ readiness, metrics, version }: HealthRouteOptions): FastifyPluginAsync {
  const codeOf = ({ status }: ReadinessReport): 200 | 503 => (status === 'not_ready' ? 503 : 200);
  const noCache = { 'cache-control': 'no-store' };

  return async (server) => {
    server.get(
      '/v1/health/live',
      {
        config: { scope: 'public', keepsToFleet: true },
        schema: {
          operationId: 'live',
          summary: 'Is the process alive?',
          tags: ['health'],
          response: { 200: LivenessSchema, ...errors(403) },
        },
      },
      async (_request, reply) => reply.headers(noCache).send({ status: 'alive' }),
    );
    server.get(
      '/v1/health/ready',
      {
        config: { scope: 'public', keepsToFleet: true },
        schema: {
          operationId: 'ready',
          summary: 'Can it serve requests?',
          description:
            '503 while something is missing that the roles of this process cannot do without: for ingest a queue that ' +
            'takes messages, for the pipeline the database and a queue that delivers, for jobs and console the ' +
            'database. Whoever may read is told the state of each dependency.',
          tags: ['health'],
          response: { 200: ReadinessSchema, 503: ReadinessSchema, ...errors(403, 500) },
        },
      },
      async ({ caller }, reply) => {
        const report = await readiness();
        const { status, checks } = report;
        return reply
          .code(codeOf(report))
          .headers(noCache)
          .send({ status, ...(mayDo(caller, 'read') ? { checks } : {}) });
      },
    );
    server.get(
      '/v1/health',
      {
        config: { scope: 'read', keepsToFleet: true },
        schema: {
          operationId: 'health',
          summary: 'Both, with the version',
          tags: ['health'],
          response: { 200: HealthSchema, 503: HealthSchema, ...errors(403, 500) },
        },
      },
      async (_request, reply) => {
        const report = await readiness();
        const { status, checks } = report;
        return reply
          .code(codeOf(report))
          .headers(noCache)
          .send({ version, live: true, ready: status !== 'not_ready', status, checks });
      },
    );
    server.get(
      '/metrics',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'metrics',
          summary: 'Metrics in the text format of Prometheus',
          tags: ['health'],
          response: {
            200: { description: 'Metrics.', content: { 'text/plain': { schema: { type: 'string' } } } },
            ...errors(403, 500),
          },
        },
      },
      async (_request, reply) =>
        reply
          .headers({ ...noCache, 'content-type': metrics.registry.contentType })
          .send(await metrics.registry.metrics()),
    );
  };
}
