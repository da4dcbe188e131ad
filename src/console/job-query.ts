/** The scheduled work on the database and its run log, as `/v1/jobs` and `downhole jobs` show them. Instants are RFC 3339. */
import Type, { type Static } from 'typebox';
import { nullable } from '../config/nullable.js';
import type { JobRunner } from '../jobs/job-runner.js';
import { nowRfc3339, toRfc3339 } from './timestamps.js';

export const MAX_JOB_RUNS = 10_000;
export const DEFAULT_JOB_RUNS = 50;

const JobRunSchema = Type.Object({
  job: Type.String(),
  started_at: Type.String(),
  finished_at: nullable<string>('string', 'null: it is under way, or its process ended.'),
  result: Type.Enum(['running', 'succeeded', 'failed']),
  detail: Type.Unsafe<Readonly<Record<string, unknown>> | null>({
    type: ['object', 'null'],
    additionalProperties: true,
    description: 'What it did, in figures; `more`: it left work behind and comes again at once.',
  }),
  error: nullable<string>('string', 'Why it failed.'),
  attempt: Type.Integer({ description: '1, or one more than that of the run before, where that failed.' }),
  due_at: nullable<string>('string', 'When the job is due again, as it was planned at the end of the run.'),
});
export type ShownJobRun = Static<typeof JobRunSchema>;

export const JobListSchema = Type.Object({
  as_of: Type.String({ description: 'Clock of the server at this answer.' }),
  jobs: Type.Array(
    Type.Object({
      name: Type.String(),
      description: Type.String(),
      interval_seconds: Type.Integer({ description: 'From the beginning of a run to that of the next.' }),
      last_run: Type.Union([JobRunSchema, Type.Null()]),
      fault: nullable<string>('string', 'What is wrong, judged by what should have been done by now; null: nothing.'),
    }),
  ),
});
export type JobList = Static<typeof JobListSchema>;

export const JobRunListSchema = Type.Object({
  runs: Type.Array(JobRunSchema, { description: 'Newest first.' }),
});
export type JobRunList = Static<typeof JobRunListSchema>;

/** All jobs, whether the runner is started or not. */
export async function readJobs(runner: JobRunner): Promise<JobList> {
  const jobs = await runner.list();
  return {
    as_of: nowRfc3339(),
    jobs: jobs.map(({ name, description, intervalSeconds, lastRun, fault }) => ({
      name,
      description,
      interval_seconds: intervalSeconds,
      last_run: lastRun === null ? null : shownRun(lastRun),
      fault,
    })),
  };
}

/** The last runs. @param job null: of all jobs @throws OperationalError `unknown_job` */
export async function readJobRuns(runner: JobRunner, job: string | null, limit: number): Promise<JobRunList> {
  return { runs: (await runner.history(job, limit)).map(shownRun) };
}

/** A run as people and programs see it. */
export function shownRun(run: Awaited<ReturnType<JobRunner['runNow']>>): ShownJobRun {
  const { job, startedAt, finishedAt, result, detail, error, attempt, dueAt } = run;
  return {
    job,
    started_at: toRfc3339(startedAt) ?? startedAt,
    finished_at: toRfc3339(finishedAt),
    result,
    detail,
    error,
    attempt,
    due_at: toRfc3339(dueAt),
  };
}
