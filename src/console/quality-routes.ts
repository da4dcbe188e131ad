/** `/v1/quality`: the dimensions of any window, and what is behind them: groups, gaps, problems, records. */
import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import type { DeviceScope } from '../ingest/device-scope.js';
import { PROBLEMS } from '../quality/problems.js';
import {
  type Gaps,
  GapsSchema,
  type ProblemRecords,
  ProblemRecordsSchema,
  type Problems,
  ProblemsSchema,
  QUALITY_GROUPS,
  type QualityList,
  QualityListSchema,
  type QualitySummary,
  QualitySummarySchema,
} from '../quality/quality-schemas.js';
import { readGaps } from '../quality/read-gaps.js';
import { readProblemRecords, readProblems } from '../quality/read-problems.js';
import {
  type QualityListQuestion,
  type QualityQuestion,
  readQuality,
  readQualityList,
} from '../quality/read-quality.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { MICROS_PER_SECOND } from '../telemetry/timestamp.js';
import { AnswerCache } from './answer-cache.js';
import { ErrorSchema } from './api-schemas.js';
import type { ConsoleContext } from './console-context.js';
import { readDevice } from './device-list.js';
import { invalidParameter, notFound } from './request-error.js';
import { readInstant } from './timestamps.js';

const QUALITY_MAX_AGE_MS = 5000;
const MAX_HOURS = 100 * 366 * 24;
/** So many readings of a device at most are looked at for one answer. */
const MAX_PROBLEM_DAYS = 31;
const MICROS_PER_HOUR = 3600 * MICROS_PER_SECOND;

const WINDOW = {
  hours: Type.Integer({
    default: 24,
    minimum: 1,
    maximum: MAX_HOURS,
    description: 'Length of a window without `since`.',
  }),
  since: Type.Optional(Type.String({ description: 'Its beginning; default `hours` before its end.' })),
  until: Type.Optional(Type.String({ description: 'Its end; default now.' })),
};
const WHO = {
  device: Type.Optional(Type.String({ minLength: 1, maxLength: 128, description: 'Of this device.' })),
  site: Type.Optional(Type.String({ maxLength: 256, description: 'Of the devices of this site.' })),
};
const PAGE = {
  limit: Type.Integer({ default: 100, minimum: 1, maximum: 10_000, description: 'Rows per page.' }),
  offset: Type.Integer({ default: 0, minimum: 0, maximum: 10_000_000, description: 'Rows to skip.' }),
};
const SummaryQuery = Type.Object({ ...WINDOW, ...WHO }, { additionalProperties: false });
const GroupsQuery = Type.Object(
  {
    ...WINDOW,
    ...WHO,
    ...PAGE,
    by: Type.Enum([...QUALITY_GROUPS], { default: 'device', description: 'One row for each.' }),
  },
  { additionalProperties: false },
);
const DeviceQuery = Type.Object(WINDOW, { additionalProperties: false });
const GapsQuery = Type.Object({ ...WINDOW, limit: PAGE.limit }, { additionalProperties: false });
const RecordsQuery = Type.Object(
  {
    ...WINDOW,
    problem: Type.Optional(Type.Enum([...PROBLEMS.keys()], { description: 'Only records that have it.' })),
    limit: Type.Integer({ default: 100, minimum: 1, maximum: 1000, description: 'Records per page.' }),
  },
  { additionalProperties: false },
);
const DevicePath = Type.Object({ id: Type.String({ minLength: 1, maxLength: 128, description: 'device_id' }) });

type WindowQuery = Static<typeof DeviceQuery>;
type DeviceRequest<Q> = { Params: Static<typeof DevicePath>; Querystring: Q };

function windowOf({ hours, since, until }: WindowQuery, nowUs: number): { fromUs: number; toUs: number } {
  const toUs = until === undefined ? nowUs : readInstant('until', until);
  const fromUs = since === undefined ? toUs - hours * MICROS_PER_HOUR : readInstant('since', since);
  if (fromUs >= toUs) throw invalidParameter('until', 'until is not later than since; swap them.');
  if (toUs - fromUs > MAX_HOURS * MICROS_PER_HOUR)
    throw invalidParameter('since', 'The window is longer than 100 years.');
  return { fromUs, toUs };
}

export function qualityRoutes(api: FastifyInstance, { database, levels, config }: ConsoleContext): void {
  /** Quality is read from the aggregates alone: the readings would be the whole day of the whole fleet. */
  const requireAggregates = async (): Promise<void> => {
    if ((await levels()).has('1hour')) return;
    throw new OperationalError(
      'aggregates_missing',
      'The quality figures need the continuous aggregates, which this database does not have. Use TimescaleDB in its community edition and run `downhole migrate`.',
    );
  };
  const questionOf = (query: Static<typeof SummaryQuery>, fleet: DeviceScope | undefined): QualityQuestion => {
    const nowUs = Date.now() * 1000;
    return {
      window: windowOf(query, nowUs),
      nowUs,
      retention: config.retention,
      deviceId: query.device,
      site: query.site,
      fleet,
    };
  };
  /** What a key may not see, it is not told about either. */
  const requireDevice = async (id: string, fleet: DeviceScope | undefined): Promise<void> => {
    const device = await readDevice(database, id);
    if (device === undefined || fleet?.covers(id, device.site) === false)
      throw notFound(`Device "${id}"`, 'GET /v1/devices lists those that are.');
  };

  const summaries = new AnswerCache<QualitySummary>({ maxAgeMs: QUALITY_MAX_AGE_MS });
  api.get<{ Querystring: Static<typeof SummaryQuery> }>(
    '/v1/quality',
    {
      config: { scope: 'read', keepsToFleet: true },
      schema: {
        summary: 'Data quality of a window: five dimensions and overall',
        tags: ['read'],
        querystring: SummaryQuery,
        response: { 200: QualitySummarySchema, 400: ErrorSchema, 503: ErrorSchema },
      },
    },
    async ({ query, caller: { fleet } }): Promise<QualitySummary> => {
      const question = questionOf(query, fleet);
      return summaries.get(JSON.stringify([query, fleet]), async () => {
        await requireAggregates();
        return readQuality(database, question);
      });
    },
  );

  const lists = new AnswerCache<QualityList>({ maxAgeMs: QUALITY_MAX_AGE_MS });
  api.get<{ Querystring: Static<typeof GroupsQuery> }>(
    '/v1/quality/groups',
    {
      config: { scope: 'read', keepsToFleet: true },
      schema: {
        summary: 'Data quality by device or site, worst first, or by hour or day, in their order',
        tags: ['read'],
        querystring: GroupsQuery,
        response: { 200: QualityListSchema, 400: ErrorSchema, 503: ErrorSchema },
      },
    },
    async ({ query, caller: { fleet } }): Promise<QualityList> => {
      const { by, limit, offset } = query;
      const question: QualityListQuestion = { ...questionOf(query, fleet), by, limit, offset };
      return lists.get(JSON.stringify([query, fleet]), async () => {
        await requireAggregates();
        return readQualityList(database, question);
      });
    },
  );

  api.get<DeviceRequest<Static<typeof GapsQuery>>>(
    '/v1/devices/:id/gaps',
    {
      config: { scope: 'read', keepsToFleet: true },
      schema: {
        summary: 'When a device was silent for longer than it should be',
        tags: ['read'],
        params: DevicePath,
        querystring: GapsQuery,
        response: { 200: GapsSchema, 400: ErrorSchema, 404: ErrorSchema, 503: ErrorSchema },
      },
    },
    async ({ params: { id }, query, caller: { fleet } }): Promise<Gaps> => {
      const nowUs = Date.now() * 1000;
      await requireDevice(id, fleet);
      await requireAggregates();
      const question = { deviceId: id, window: windowOf(query, nowUs), nowUs, retention: config.retention };
      return (await readGaps(database, { ...question, limit: query.limit })) as Gaps;
    },
  );

  api.get<DeviceRequest<WindowQuery>>(
    '/v1/devices/:id/quality/problems',
    {
      config: { scope: 'read', keepsToFleet: true },
      schema: {
        summary: 'What is wrong with the records of a device, and how often',
        description: `Reads the records themselves: at most ${MAX_PROBLEM_DAYS} days, of those that are still kept.`,
        tags: ['read'],
        params: DevicePath,
        querystring: DeviceQuery,
        response: { 200: ProblemsSchema, 400: ErrorSchema, 404: ErrorSchema, 503: ErrorSchema },
      },
    },
    async ({ params: { id }, query, caller: { fleet } }): Promise<Problems> => {
      const window = windowOf(query, Date.now() * 1000);
      if (window.toUs - window.fromUs > MAX_PROBLEM_DAYS * 24 * MICROS_PER_HOUR)
        throw invalidParameter('since', `The window is longer than ${MAX_PROBLEM_DAYS} days; ask for a part of it.`);
      await requireDevice(id, fleet);
      return readProblems(database, id, window);
    },
  );

  api.get<DeviceRequest<Static<typeof RecordsQuery>>>(
    '/v1/devices/:id/quality/records',
    {
      config: { scope: 'read', keepsToFleet: true },
      schema: {
        summary: 'The records of a device with what is wrong with each, newest first',
        tags: ['read'],
        params: DevicePath,
        querystring: RecordsQuery,
        response: { 200: ProblemRecordsSchema, 400: ErrorSchema, 404: ErrorSchema, 503: ErrorSchema },
      },
    },
    async ({ params: { id }, query, caller: { fleet } }): Promise<ProblemRecords> => {
      const window = windowOf(query, Date.now() * 1000);
      await requireDevice(id, fleet);
      return readProblemRecords(database, id, window, { problem: query.problem, limit: query.limit });
    },
  );
}
