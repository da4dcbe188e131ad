/** `GET /v1/quality` and `GET /v1/quality/devices`. */
import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import { OperationalError } from '../telemetry/operational-error.js';
import { AnswerCache } from './answer-cache.js';
import {
  type DeviceQualityList,
  DeviceQualityListSchema,
  ErrorSchema,
  type QualitySummary,
  QualitySummarySchema,
} from './api-schemas.js';
import type { ConsoleContext } from './console-context.js';
import { qualityLevel, readDeviceQuality, readQuality } from './quality-query.js';
import { nowRfc3339 } from './timestamps.js';

const QUALITY_MAX_AGE_MS = 5000;

const hours = Type.Integer({
  default: 24,
  minimum: 1,
  maximum: 720,
  description: 'Length of the window that ends now.',
});
const SummaryQuery = Type.Object({ hours }, { additionalProperties: false });
const DevicesQuery = Type.Object(
  {
    hours,
    limit: Type.Integer({ default: 100, minimum: 1, maximum: 5000, description: 'Devices per page.' }),
    offset: Type.Integer({ default: 0, minimum: 0, maximum: 10_000_000, description: 'Devices to skip.' }),
  },
  { additionalProperties: false },
);

export function qualityRoutes(api: FastifyInstance, { database, levels }: ConsoleContext): void {
  const summaries = new AnswerCache<Omit<QualitySummary, 'as_of'>>({ maxAgeMs: QUALITY_MAX_AGE_MS });
  const lists = new AnswerCache<Omit<DeviceQualityList, 'as_of'>>({ maxAgeMs: QUALITY_MAX_AGE_MS });

  /** Quality is read from the aggregates alone: the readings would be the whole day of the whole fleet. */
  const requireAggregates = async (): Promise<void> => {
    if ((await levels()).has('1hour')) return;
    throw new OperationalError(
      'aggregates_missing',
      'The quality figures need the continuous aggregates, which this database does not have. Use TimescaleDB in its community edition and run `downhole migrate`.',
    );
  };

  api.get<{ Querystring: Static<typeof SummaryQuery> }>(
    '/v1/quality',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'Data quality of all devices over the last hours',
        tags: ['read'],
        querystring: SummaryQuery,
        response: { 200: QualitySummarySchema, 400: ErrorSchema, 503: ErrorSchema },
      },
    },
    async ({ query }): Promise<QualitySummary> => {
      const summary = await summaries.get(String(query.hours), async () => {
        await requireAggregates();
        const figures = await readQuality(database, query.hours);
        return { hours: query.hours, source: qualityLevel(query.hours), ...figures };
      });
      return { as_of: nowRfc3339(), ...summary };
    },
  );

  api.get<{ Querystring: Static<typeof DevicesQuery> }>(
    '/v1/quality/devices',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'Data quality per device over the last hours, worst first',
        tags: ['read'],
        querystring: DevicesQuery,
        response: { 200: DeviceQualityListSchema, 400: ErrorSchema, 503: ErrorSchema },
      },
    },
    async ({ query }): Promise<DeviceQualityList> => {
      const { limit, offset } = query;
      const list = await lists.get(JSON.stringify([query.hours, limit, offset]), async () => {
        await requireAggregates();
        return {
          hours: query.hours,
          limit,
          offset,
          ...(await readDeviceQuality(database, query.hours, limit, offset)),
        };
      });
      return { as_of: nowRfc3339(), ...list };
    },
  );
}
