/** `downhole jobs list|history|run`: the scheduled work on the database. */
import { toRfc3339 } from '../console/timestamps.js';
import type { JobRun } from '../jobs/job-run-log.js';
import type { JobRunner, JobStatus } from '../jobs/job-runner.js';
import { readDirectoryLock } from '../storage/directory-lock.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { loadQuietly, type GlobalOptions } from './load-settings.js';
import { printLine, printTable } from './print-table.js';
import { buildJobRunner } from './role-jobs.js';
import { refuseOlderSchema } from './schema-state.js';
import { withDatabase } from './with-database.js';

export interface JobsOptions extends GlobalOptions {
  readonly limit?: string;
  readonly json?: boolean;
}

const MAX_LIMIT = 10_000;
const DEFAULT_LIMIT = 50;

/** Prints all jobs with their last runs. @throws OperationalError of the database */
export async function listJobs(options: JobsOptions): Promise<void> {
  await withJobs(options, async (runner) => {
    const jobs = await runner.list();
    if (options.json === true) return void process.stdout.write(`${JSON.stringify({ jobs }, null, 2)}\n`);
    printTable(
      ['JOB', 'LAST RUN', 'RESULT', 'SECONDS', 'NEXT DUE', 'FAULT', 'WHAT IT DOES'],
      jobs.map((job) => [
        job.name,
        job.lastRun?.startedAt ?? 'never',
        job.lastRun === null ? '-' : resultOf(job.lastRun),
        secondsOf(job.lastRun),
        nextDue(job),
        job.fault ?? '-',
        job.description,
      ]),
    );
  });
}

/** Prints the last runs, of one job or of all. @throws OperationalError `unknown_job`, `wrong_usage` */
export async function showJobHistory(name: string | undefined, options: JobsOptions): Promise<void> {
  const limit = readLimit(options.limit);
  await withJobs(options, async (runner) => {
    const runs = await runner.history(name ?? null, limit);
    if (options.json === true) return void process.stdout.write(`${JSON.stringify({ runs }, null, 2)}\n`);
    printTable(
      ['STARTED', 'JOB', 'RESULT', 'SECONDS', 'DETAIL'],
      runs.map((run) => [
        run.startedAt,
        run.job,
        resultOf(run),
        secondsOf(run),
        run.error ?? JSON.stringify(run.detail),
      ]),
    );
  });
}

/**
 * Runs a job here and now, to its end: again as long as it leaves work behind. Ctrl-C ends it after the slice under way.
 * @throws OperationalError `unknown_job`, `job_busy` (another process has its lane), `job_run_failed`
 */
export async function runJob(name: string, options: JobsOptions): Promise<void> {
  await withJobs(options, async (runner) => {
    let isStopping = false;
    const stop = (): void => {
      isStopping = true;
      void runner.stop();
    };
    process.once('SIGINT', stop);
    try {
      for (;;) {
        const run = await runner.runNow(name);
        if (options.json === true) process.stdout.write(`${JSON.stringify(run)}\n`);
        else printLine(`${run.job}: ${run.result} after ${secondsOf(run)} s ${JSON.stringify(run.detail ?? {})}`);
        if (run.result === 'failed')
          throw new OperationalError('job_run_failed', `The job ${name} failed: ${run.error ?? 'no reason'}`);
        if (run.detail?.['more'] !== true || isStopping) return;
      }
    } finally {
      process.off('SIGINT', stop);
    }
  });
}

/** @throws OperationalError `directory_locked` with what to do instead, while a service has the embedded database */
async function withJobs(options: GlobalOptions, work: (runner: JobRunner) => Promise<void>): Promise<void> {
  const settings = loadQuietly(options);
  const { config } = settings;
  const holder = config.database.url === '' ? readDirectoryLock(config.dataDir) : undefined;
  if (holder?.serviceUrl != null)
    throw new OperationalError(
      'directory_locked',
      `The service at ${holder.serviceUrl} has the embedded database, and runs the jobs itself: GET ${holder.serviceUrl}/v1/storage has their last runs. Stop it to run a job by hand.`,
    );
  await withDatabase(settings, 'jobs', async (database) => {
    await refuseOlderSchema(database, settings);
    const runner = await buildJobRunner(database, settings);
    try {
      await work(runner);
    } finally {
      await runner.stop();
    }
  });
}

function readLimit(text: string | undefined): number {
  const limit = text === undefined ? DEFAULT_LIMIT : Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw new OperationalError('wrong_usage', `--limit ${text} is not a number from 1 to ${MAX_LIMIT}`);
}

function secondsOf(run: JobRun | null): string {
  if (run?.finishedAt == null) return '-';
  return ((milliseconds(run.finishedAt) - milliseconds(run.startedAt)) / 1000).toFixed(1);
}

/** Which process runs it next is not known here: it is due when its last run has said, or an interval after it began. */
function nextDue({ lastRun, intervalSeconds }: JobStatus): string {
  if (lastRun === null) return 'at the start';
  const dueMs =
    lastRun.dueAt === null ? milliseconds(lastRun.startedAt) + intervalSeconds * 1000 : milliseconds(lastRun.dueAt);
  return `${new Date(dueMs).toISOString().slice(0, 19)}Z`;
}

/** A second or later attempt is told as such. */
const resultOf = (run: JobRun): string => (run.attempt > 1 ? `${run.result} (attempt ${run.attempt})` : run.result);

/** Of a timestamptz as the database writes it. */
const milliseconds = (text: string): number => Date.parse(toRfc3339(text) ?? text);
