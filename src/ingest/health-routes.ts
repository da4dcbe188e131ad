/** `/v1/health*` for whoever watches the process, `/metrics` for Prometheus. */
import type { FastifyPluginAsync } from 'fastify';
import type { Metrics } from '../monitoring/metrics.js';
import { mayDo } from './caller.js';
import { errors, HealthSchema, LivenessSchema, ReadinessSchema } from './api-schemas.js';

/** What each dependency says of itself. It must not reject, and should answer within a second. */
export type ReadinessCheck = () => Promise<Readonly<Record<string, DependencyState>>>;

export interface DependencyState {
  readonly ok: boolean;
  /** For a person: what is wrong, or how it is. */
  readonly detail: string;
}

export interface HealthRouteOptions {
  readonly readiness: ReadinessCheck;
  readonly metrics: Metrics;
  readonly version: string;
}

export function healthRoutes({ readiness, metrics, version }: HealthRouteOptions): FastifyPluginAsync {
  const check = async (): Promise<{ ready: boolean; checks: Readonly<Record<string, DependencyState>> }> => {
    const checks = await readiness();
    return { ready: Object.values(checks).every(({ ok }) => ok), checks };
  };
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
          description: 'Whoever may read is told the state of each dependency.',
          tags: ['health'],
          response: { 200: ReadinessSchema, 503: ReadinessSchema, ...errors(403, 500) },
        },
      },
      async ({ caller }, reply) => {
        const { ready, checks } = await check();
        return reply
          .code(ready ? 200 : 503)
          .headers(noCache)
          .send({ status: ready ? 'ready' : 'not_ready', ...(mayDo(caller, 'read') ? { checks } : {}) });
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
        const { ready, checks } = await check();
        return reply
          .code(ready ? 200 : 503)
          .headers(noCache)
          .send({ version, live: true, ready, checks });
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
