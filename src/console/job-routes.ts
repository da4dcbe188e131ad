/** `/v1/jobs`: the scheduled work on the database, and its run log. */
import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import { ErrorSchema } from './api-schemas.js';
import type { ConsoleContext } from './console-context.js';
import {
  DEFAULT_JOB_RUNS,
  JobListSchema,
  type JobRunList,
  JobRunListSchema,
  MAX_JOB_RUNS,
  readJobRuns,
  readJobs,
} from './job-query.js';
import { invalidParameter } from './request-error.js';

const RunsQuery = Type.Object(
  {
    job: Type.Optional(Type.String({ maxLength: 64, description: 'Of this job only.' })),
    limit: Type.Integer({
      default: DEFAULT_JOB_RUNS,
      minimum: 1,
      maximum: MAX_JOB_RUNS,
      description: 'So many at most.',
    }),
  },
  { additionalProperties: false },
);

const tags = ['read'];
const failures = { 400: ErrorSchema, 503: ErrorSchema };

export function jobRoutes(api: FastifyInstance, { jobs }: ConsoleContext): void {
  if (jobs === undefined) return;
  api.get(
    '/v1/jobs',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'listJobs',
        summary: 'The jobs with their last runs, and what is wrong',
        tags,
        response: { 200: JobListSchema, ...failures },
      },
    },
    async () => readJobs(await jobs()),
  );
  api.get<{ Querystring: Static<typeof RunsQuery> }>(
    '/v1/jobs/runs',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'listJobRuns',
        summary: 'What ran when, and how it went',
        tags,
        querystring: RunsQuery,
        response: { 200: JobRunListSchema, ...failures },
      },
    },
    async ({ query: { job, limit } }): Promise<JobRunList> => {
      const runner = await jobs();
      const names = runner.names();
      if (job !== undefined && !names.includes(job))
        throw invalidParameter('job', `There is no job "${job}". The jobs are: ${names.join(', ')}.`);
      return readJobRuns(runner, job ?? null, limit);
    },
  );
}
