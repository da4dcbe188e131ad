/** `/v1/episodes`: when something was wrong with a device, what it may have been, and what people made of it. */
import type { FastifyInstance } from 'fastify';
import type { Static } from 'typebox';
import { actOnEpisode, type ActRequest } from '../episodes/episode-acts.js';
import {
  type Act,
  ActSchema,
  type EpisodeDetail,
  EpisodeDetailSchema,
  type EpisodeList,
  EpisodeListSchema,
  EpisodePathSchema,
  type EpisodesQuery,
  EpisodesQuerySchema,
  type Note,
  NoteSchema,
} from '../episodes/episode-schemas.js';
import { listEpisodes, readEpisode } from '../episodes/read-episodes.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { ErrorSchema } from './api-schemas.js';
import type { ConsoleContext } from './console-context.js';
import { invalidParameter, notFound, type RequestError } from './request-error.js';
import { readInstant } from './timestamps.js';

const tags = ['episodes'];
const failures = { 400: ErrorSchema, 500: ErrorSchema, 503: ErrorSchema };
type EpisodePath = Static<typeof EpisodePathSchema>;

const unknownEpisode = (id: number): RequestError =>
  notFound(`Episode ${id}`, 'GET /v1/episodes lists those that are.');

export function episodeRoutes(api: FastifyInstance, context: ConsoleContext): void {
  const { database } = context;
  api.get<{ Querystring: EpisodesQuery }>(
    '/v1/episodes',
    {
      config: { scope: 'read', keepsToFleet: true },
      schema: {
        operationId: 'listEpisodes',
        summary: 'Episodes, those that began last first',
        tags,
        querystring: EpisodesQuerySchema,
        response: { 200: EpisodeListSchema, ...failures },
      },
    },
    async ({ query, caller: { fleet } }): Promise<EpisodeList> => {
      const { since, until, limit, after, ...filter } = query;
      const sinceUs = since === undefined ? undefined : readInstant('since', since);
      const untilUs = until === undefined ? undefined : readInstant('until', until);
      if (sinceUs !== undefined && untilUs !== undefined && sinceUs >= untilUs)
        throw invalidParameter('until', 'until is not later than since; swap them.');
      return answered('after', listEpisodes(database, { ...filter, sinceUs, untilUs, fleet }, { limit, after }));
    },
  );
  api.get<{ Params: EpisodePath }>(
    '/v1/episodes/:id',
    {
      config: { scope: 'read', keepsToFleet: true },
      schema: {
        operationId: 'showEpisode',
        summary: 'One episode, with the evidence for and against its diagnosis, and its notes',
        tags,
        params: EpisodePathSchema,
        response: { 200: EpisodeDetailSchema, 404: ErrorSchema, ...failures },
      },
    },
    async ({ params: { id }, caller: { fleet } }): Promise<EpisodeDetail> => {
      const episode = await readEpisode(database, id, fleet);
      if (episode === undefined) throw unknownEpisode(id);
      return episode;
    },
  );
  actRoutes(api, context);
}

function actRoutes(api: FastifyInstance, { database }: ConsoleContext): void {
  const act = async (request: ActRequest): Promise<EpisodeDetail> => {
    const episode = await answered('note', actOnEpisode(database, request));
    if (episode === undefined) throw unknownEpisode(request.id);
    return episode;
  };
  const ACTS = {
    acknowledge: 'Say that somebody has seen it; who was first stays',
    close: 'Say that it is dealt with; closing acknowledges, too',
  } as const;
  for (const name of ['acknowledge', 'close'] as const)
    api.post<{ Params: EpisodePath; Body: Act }>(
      `/v1/episodes/:id/${name}`,
      {
        config: { scope: 'admin', keepsToFleet: true },
        schema: {
          operationId: `${name}Episode`,
          summary: ACTS[name],
          tags,
          params: EpisodePathSchema,
          body: ActSchema,
          response: { 200: EpisodeDetailSchema, 404: ErrorSchema, ...failures },
        },
      },
      ({ params: { id }, body: { note }, caller: { actor, fleet } }) => act({ id, act: name, note, actor, fleet }),
    );
  api.post<{ Params: EpisodePath; Body: Note }>(
    '/v1/episodes/:id/notes',
    {
      config: { scope: 'admin', keepsToFleet: true },
      schema: {
        operationId: 'noteOnEpisode',
        summary: 'Write a note beside it',
        tags,
        params: EpisodePathSchema,
        body: NoteSchema,
        response: { 200: EpisodeDetailSchema, 404: ErrorSchema, ...failures },
      },
    },
    ({ params: { id }, body: { text }, caller: { actor, fleet } }) =>
      act({ id, act: 'note', note: text, actor, fleet }),
  );
}

/** What makes no sense is the request's fault. */
async function answered<T>(field: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof OperationalError && error.code === 'wrong_usage') throw invalidParameter(field, error.message);
    throw error;
  }
}
