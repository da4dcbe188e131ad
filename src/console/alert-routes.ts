/** `/v1/alerts`: what is the case and what was, maintenance windows, and a test of the channels. */
import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import { readAlertHistory, readOpenAlerts } from '../alerts/alert-history.js';
import {
  type AlertList,
  AlertListSchema,
  type NewSilenceRequest,
  NewSilenceSchema,
  type Silence,
  SilenceListSchema,
  SilencePathSchema,
  SilenceSchema,
  type TestAnswers,
  TestAnswersSchema,
} from '../alerts/alert-schemas.js';
import { createSilence, liftSilence, listSilences } from '../alerts/silences.js';
import { testChannels } from '../alerts/test-channels.js';
import { checkDeviceId } from '../pipeline/read-record.js';
import { ErrorSchema } from './api-schemas.js';
import type { ConsoleContext } from './console-context.js';
import { invalidParameter, notFound } from './request-error.js';
import { readInstant } from './timestamps.js';

const tags = ['alerts'];
const failures = { 400: ErrorSchema, 500: ErrorSchema, 503: ErrorSchema };

const HistoryQuery = Type.Object(
  {
    since: Type.Optional(Type.String({ description: 'Those raised at this instant or later; absent: all.' })),
    limit: Type.Integer({ default: 100, minimum: 1, maximum: 1000, description: 'So many at most.' }),
  },
  { additionalProperties: false },
);

export function alertRoutes(api: FastifyInstance, context: ConsoleContext): void {
  const { database, alertChannels = [] } = context;
  api.get(
    '/v1/alerts',
    {
      config: { scope: 'read', keepsToFleet: true },
      schema: {
        operationId: 'listAlerts',
        summary: 'What is the case now, the gravest first',
        tags,
        response: { 200: AlertListSchema, ...failures },
      },
    },
    ({ caller: { fleet } }): Promise<AlertList> => readOpenAlerts(database, fleet),
  );
  api.get<{ Querystring: Static<typeof HistoryQuery> }>(
    '/v1/alerts/history',
    {
      config: { scope: 'read', keepsToFleet: true },
      schema: {
        operationId: 'listAlertHistory',
        summary: 'Every alert that was raised, newest first',
        tags,
        querystring: HistoryQuery,
        response: { 200: AlertListSchema, ...failures },
      },
    },
    ({ query: { since, limit }, caller: { fleet } }): Promise<AlertList> =>
      readAlertHistory(database, since === undefined ? null : readInstant('since', since), limit, fleet),
  );
  api.post(
    '/v1/alerts/test',
    {
      config: { scope: 'admin' },
      schema: {
        operationId: 'testAlerts',
        summary: 'Send a test alert through every channel, and hear what each answered',
        tags,
        response: { 200: TestAnswersSchema, ...failures },
      },
    },
    ({ caller }): Promise<TestAnswers> => testChannels(database, alertChannels, caller.actor),
  );
  silenceRoutes(api, context);
}

function silenceRoutes(api: FastifyInstance, { database }: ConsoleContext): void {
  api.get(
    '/v1/alerts/silences',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'listSilences',
        summary: 'Maintenance windows, newest first',
        tags,
        response: { 200: SilenceListSchema, ...failures },
      },
    },
    async (): Promise<{ silences: Silence[] }> => ({ silences: await listSilences(database) }),
  );
  api.post<{ Body: NewSilenceRequest }>(
    '/v1/alerts/silences',
    {
      config: { scope: 'admin' },
      schema: {
        operationId: 'createSilence',
        summary: 'Begin a maintenance window: alerts in it are recorded and not told',
        tags,
        body: NewSilenceSchema,
        response: { 201: SilenceSchema, ...failures },
      },
    },
    async ({ body, caller }, reply) => {
      const { device, site, rule, from, to, reason } = body;
      const problem = device === undefined ? undefined : checkDeviceId(device);
      if (problem !== undefined) throw invalidParameter('device', problem.message);
      const fromUs = from === undefined ? Date.now() * 1000 : readInstant('from', from);
      const toUs = readInstant('to', to);
      if (toUs <= fromUs) throw invalidParameter('to', 'to is not later than from, or than now without it.');
      const silence = { device: device ?? null, site: site ?? null, rule: rule ?? null, fromUs, toUs, reason };
      return reply.code(201).send(await createSilence(database, silence, caller.actor));
    },
  );
  api.delete<{ Params: Static<typeof SilencePathSchema> }>(
    '/v1/alerts/silences/:id',
    {
      config: { scope: 'admin' },
      schema: {
        operationId: 'liftSilence',
        summary: 'End a maintenance window',
        tags,
        params: SilencePathSchema,
        response: { 200: SilenceSchema, 404: ErrorSchema, ...failures },
      },
    },
    async ({ params: { id }, caller }): Promise<Silence> => {
      const lifted = await liftSilence(database, id, caller.actor);
      if (lifted !== undefined) return lifted;
      throw notFound(`Maintenance window ${id}`, 'GET /v1/alerts/silences lists those that are.');
    },
  );
}
