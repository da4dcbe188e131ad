/** `/v1/dead-letters`: records that could not be stored, seen, replayed and purged. */
import type { FastifyInstance } from 'fastify';
import type { Static } from 'typebox';
import {
  GroupsQuerySchema,
  LetterDetailSchema,
  LetterGroupsSchema,
  LetterListSchema,
  LetterPathSchema,
  ListQuerySchema,
  PurgeRequestSchema,
  PurgeResultSchema,
  ReplayRequestSchema,
  ReplayResultSchema,
  type GroupsQuery,
  type LetterDetail,
  type LetterGroups,
  type LetterList,
  type ListQuery,
  type PurgeRequest,
  type PurgeResult,
  type ReplayRequest,
  type ReplayResult,
} from '../dead-letters/letter-schemas.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { ErrorSchema } from './api-schemas.js';
import type { ConsoleContext } from './console-context.js';
import { RequestError } from './request-error.js';

const tags = ['dead letters'];
const failures = { 400: ErrorSchema, 500: ErrorSchema, 503: ErrorSchema };

export function deadLetterRoutes(api: FastifyInstance, { letters }: ConsoleContext): void {
  api.get<{ Querystring: ListQuery }>(
    '/v1/dead-letters',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'listDeadLetters',
        summary: 'Dead letters, those given up last first',
        tags,
        querystring: ListQuerySchema,
        response: { 200: LetterListSchema, ...failures },
      },
    },
    ({ query }): Promise<LetterList> => answered(letters.list(query)),
  );
  api.get<{ Querystring: GroupsQuery }>(
    '/v1/dead-letters/groups',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'groupDeadLetters',
        summary: 'Dead letters by reason',
        tags,
        querystring: GroupsQuerySchema,
        response: { 200: LetterGroupsSchema, ...failures },
      },
    },
    ({ query }): Promise<LetterGroups> => answered(letters.groups(query)),
  );
  api.get<{ Params: Static<typeof LetterPathSchema> }>(
    '/v1/dead-letters/:id',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'showDeadLetter',
        summary: 'One dead letter: its original bytes, and what was done to it',
        tags,
        params: LetterPathSchema,
        response: { 200: LetterDetailSchema, 404: ErrorSchema, ...failures },
      },
    },
    ({ params: { id } }): Promise<LetterDetail> => answered(letters.show(id)),
  );
  actRoutes(api, letters);
}

function actRoutes(api: FastifyInstance, letters: ConsoleContext['letters']): void {
  api.post<{ Body: ReplayRequest }>(
    '/v1/dead-letters/replay',
    {
      config: { scope: 'admin' },
      schema: {
        operationId: 'replayDeadLetters',
        summary: 'Read dead letters again and store their records',
        description:
          'Letters that wait, oldest first, some per request: go on with `next`. A letter is replayed once: its rows and its ' +
          'new state are one commit. What is refused again waits on, with the new reason.',
        tags,
        body: ReplayRequestSchema,
        response: { 200: ReplayResultSchema, 404: ErrorSchema, ...failures },
      },
    },
    ({ body, caller }): Promise<ReplayResult> => answered(letters.replay(body, caller.actor)),
  );
  api.post<{ Body: PurgeRequest }>(
    '/v1/dead-letters/purge',
    {
      config: { scope: 'admin' },
      schema: {
        operationId: 'purgeDeadLetters',
        summary: 'Give dead letters up for good',
        description:
          'Letters that wait, some per request: go on with `next`. Their original bytes are gone; the log keeps who did it.',
        tags,
        body: PurgeRequestSchema,
        response: { 200: PurgeResultSchema, 404: ErrorSchema, ...failures },
      },
    },
    ({ body, caller }): Promise<PurgeResult> => answered(letters.purge(body, caller.actor)),
  );
}

/** What the office refuses is the request's fault, and answered as such. */
async function answered<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof OperationalError)) throw error;
    const field = 'field' in error && typeof error.field === 'string' ? error.field : undefined;
    if (error.code === 'wrong_usage') throw new RequestError(400, 'invalid_parameter', error.message, field);
    if (error.code === 'letter_unknown') throw new RequestError(404, 'not_found', error.message);
    throw error;
  }
}
