/** `downhole jobs list|history|run`: the scheduled work on the database. */
import {
  DEFAULT_JOB_RUNS,
  MAX_JOB_RUNS,
  readJobRuns,
  readJobs,
  shownRun,
  type JobList,
  type ShownJobRun,
} from '../console/job-query.js';
import type { JobRunner } from '../jobs/job-runner.js';
import type { Database } from '../storage/database.js';
import { readDirectoryLock } from '../storage/directory-lock.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { askPlatform, queryText } from './ask-platform.js';
import { loadQuietly, type GlobalOptions, type Settings } from './load-settings.js';
import { printLine, printTable } from './print-table.js';
import { buildJobRunner } from './role-jobs.js';
import { refuseOlderSchema } from './schema-state.js';
import { withDatabase } from './with-database.js';

export interface JobsOptions extends GlobalOptions {
  readonly limit?: string;
  readonly json?: boolean;
}

/** Prints all jobs with their last runs. @throws OperationalError of the database, or of the service that holds it */
export async function listJobs(options: JobsOptions): Promise<void> {
  const settings = loadQuietly(options);
  const list = await askPlatform(settings, 'jobs', '/v1/jobs', (database) => withRunner(database, settings, readJobs));
  if (options.json === true) return void process.stdout.write(`${JSON.stringify(list, null, 2)}\n`);
  printTable(
    ['JOB', 'LAST RUN', 'RESULT', 'SECONDS', 'NEXT DUE', 'FAULT', 'WHAT IT DOES'],
    list.jobs.map((job) => [
      job.name,
      job.last_run === null ? 'never' : toTheSecond(job.last_run.started_at),
      job.last_run === null ? '-' : resultOf(job.last_run),
      secondsOf(job.last_run),
      nextDue(job),
      job.fault ?? '-',
      job.description,
    ]),
  );
}

/** Prints the last runs, of one job or of all. @throws OperationalError `unknown_job`, `wrong_usage`, and as listJobs */
export async function showJobHistory(name: string | undefined, options: JobsOptions): Promise<void> {
  const limit = readLimit(options.limit);
  const settings = loadQuietly(options);
  const path = `/v1/jobs/runs?${queryText({ job: name, limit })}`;
  const { runs } = await askPlatform(settings, 'jobs', path, (database) =>
    withRunner(database, settings, (runner) => readJobRuns(runner, name ?? null, limit)),
  );
  if (options.json === true) return void process.stdout.write(`${JSON.stringify({ runs }, null, 2)}\n`);
  printTable(
    ['STARTED', 'JOB', 'RESULT', 'SECONDS', 'DETAIL'],
    runs.map((run) => [
      toTheSecond(run.started_at),
      run.job,
      resultOf(run),
      secondsOf(run),
      run.error ?? JSON.stringify(run.detail),
    ]),
  );
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
        const run = shownRun(await runner.runNow(name));
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
      `The service at ${holder.serviceUrl} has the embedded database, and runs the jobs itself: \`downhole jobs list\` tells when. Stop it to run a job by hand.`,
    );
  await withDatabase(settings, 'jobs', async (database) => {
    await refuseOlderSchema(database, settings);
    await withRunner(database, settings, work);
  });
}

async function withRunner<T>(
  database: Database,
  settings: Settings,
  work: (runner: JobRunner) => Promise<T>,
): Promise<T> {
  const runner = await buildJobRunner(database, settings);
  try {
    return await work(runner);
  } finally {
    await runner.stop();
  }
}

function readLimit(text: string | undefined): number {
  const limit = text === undefined ? DEFAULT_JOB_RUNS : Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_JOB_RUNS) return limit;
  throw new OperationalError('wrong_usage', `--limit ${text} is not a number from 1 to ${MAX_JOB_RUNS}`);
}

function secondsOf(run: ShownJobRun | null): string {
  if (run === null || run.finished_at === null) return '-';
  return ((Date.parse(run.finished_at) - Date.parse(run.started_at)) / 1000).toFixed(1);
}

/** Which process runs it next is not known here: it is due when its last run has said, or an interval after it began. */
function nextDue({ last_run: run, interval_seconds: seconds }: JobList['jobs'][number]): string {
  if (run === null) return 'at the start';
  const dueMs = run.due_at === null ? Date.parse(run.started_at) + seconds * 1000 : Date.parse(run.due_at);
  return toTheSecond(new Date(dueMs).toISOString());
}

const toTheSecond = (instant: string): string => `${instant.slice(0, 19)}Z`;

/** A second or later attempt is told as such. */
const resultOf = (run: ShownJobRun): string =>
  run.attempt > 1 ? `${run.result} (attempt ${run.attempt})` : run.result;
