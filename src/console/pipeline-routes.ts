/**
 * `GET /v1/pipeline`: where every record of this process is, and why some did not make it. A process without the
 * pipeline has no counts to show, and one without queues no depths: they are in the metrics of the one that has.
 */
import type { FastifyInstance } from 'fastify';
import type { Metrics } from '../monitoring/metrics.js';
import type { Broker, Queue } from '../queue/queue.js';
import type { Database } from '../storage/database.js';
import { type Outcome, OUTCOMES } from '../telemetry/outcome.js';
import { AnswerCache } from './answer-cache.js';
import { ErrorSchema, PipelineSchema, type PipelineStatus } from './api-schemas.js';
import type { ConsoleContext } from './console-context.js';
import { nowRfc3339, toRfc3339 } from './timestamps.js';

const DEAD_LETTERS_MAX_AGE_MS = 3000;

export function pipelineRoutes(api: FastifyInstance, { database, metrics, broker, hasPipeline }: ConsoleContext): void {
  const deadLetters = new AnswerCache<PipelineStatus['dead_letters']>({ maxAgeMs: DEAD_LETTERS_MAX_AGE_MS });
  api.get(
    '/v1/pipeline',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'Conservation of records, queue depth and dead letters',
        tags: ['read'],
        response: { 200: PipelineSchema, 503: ErrorSchema },
      },
    },
    async (): Promise<PipelineStatus> => ({
      as_of: nowRfc3339(),
      conservation: broker !== undefined && hasPipeline ? await conservation(metrics, broker.telemetry) : null,
      records_per_second: hasPipeline ? await metrics.value('telemetry_ingestion_rate') : null,
      anomalies: hasPipeline ? await metrics.value('telemetry_anomalies_total') : null,
      queues: broker === undefined ? [] : depths(broker),
      dead_letters: await deadLetters.get('', () => readDeadLetters(database)),
    }),
  );
}

function depths({ telemetry, failed }: Broker): PipelineStatus['queues'] {
  return [
    { name: 'telemetry', ...telemetry.depth() },
    { name: 'dead letters', ...failed.depth() },
  ];
}

async function conservation(metrics: Metrics, telemetry: Queue): Promise<PipelineStatus['conservation']> {
  const [received, recovered, handedOver] = await Promise.all([
    metrics.value('telemetry_records_received_total'),
    metrics.value('telemetry_records_recovered_total'),
    metrics.value('telemetry_records_handed_over_total'),
  ]);
  const entries = await Promise.all(
    OUTCOMES.map(async (outcome) => [outcome, await metrics.value('telemetry_records_total', { outcome })] as const),
  );
  const outcomes = Object.fromEntries(entries) as Record<Outcome, number>;
  const inFlight = telemetry.depth().records;
  const accounted = Object.values(outcomes).reduce((sum, count) => sum + count, inFlight + handedOver);
  return {
    received,
    recovered,
    ...outcomes,
    handed_over: handedOver,
    in_flight: inFlight,
    difference: received + recovered - accounted,
  };
}

async function readDeadLetters(database: Database): Promise<PipelineStatus['dead_letters']> {
  const rows = await database.query(
    `SELECT code, sum(occurrences)::float8 AS count, max(received_at) AS last_received
     FROM dead_letters WHERE state = 'new' GROUP BY code ORDER BY 2 DESC, code`,
  );
  return rows.map((row) => ({
    code: row['code'] as string,
    count: Number(row['count']),
    last_received: toRfc3339(row['last_received']),
  }));
}
