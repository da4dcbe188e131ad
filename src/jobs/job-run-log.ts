/** The table job_runs: what ran when, and how it went. */
import type { Database } from '../storage/database.js';
import type { JobOutcome } from './job.js';

export interface JobRun {
  readonly job: string;
  /** As the database writes it, `2026-11-23 18:22:08.672341+00`. */
  readonly startedAt: string;
  readonly finishedAt: string | null;
  readonly result: 'running' | 'succeeded' | 'failed';
  readonly detail: Readonly<Record<string, unknown>> | null;
  readonly error: string | null;
  /** 1, or one more than that of the run before, where that failed. */
  readonly attempt: number;
  /** When the job is due again, as it was planned at the end of the run. */
  readonly dueAt: string | null;
}

/** An entry that is open. */
export interface BegunRun {
  readonly id: number;
  readonly attempt: number;
}

const MAX_ERROR_LENGTH = 2000;

const COLUMNS =
  'job, started_at AS "startedAt", finished_at AS "finishedAt", result, detail, error, attempt, due_at AS "dueAt"';

/** Reads and writes the run log. The caller holds the lane of the job. */
export class JobRunLog {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Opens an entry. One still open was left by a process that was killed: nobody else can be running the job now. */
  async begin(job: string): Promise<BegunRun> {
    await this.#database.execute(
      `UPDATE job_runs SET result = 'failed', finished_at = clock_timestamp(), error = 'interrupted: the process ended during the run'
       WHERE job = $1 AND result = 'running'`,
      [job],
    );
    const [run] = await this.#database.query<{ id: number; attempt: number }>(
      `INSERT INTO job_runs (job, started_at, attempt)
       SELECT $1::text, clock_timestamp(), coalesce(
         (SELECT CASE result WHEN 'failed' THEN attempt + 1 ELSE 1 END FROM job_runs WHERE job = $1 ORDER BY started_at DESC, id DESC LIMIT 1), 1)
       RETURNING id, attempt`,
      [job],
    );
    return run as BegunRun;
  }

  /** @param dueInSeconds when the job is to come again */
  async succeed({ id }: BegunRun, outcome: JobOutcome, dueInSeconds: number): Promise<JobRun> {
    const detail = JSON.stringify({ ...outcome.detail, more: outcome.more });
    return this.#finish(id, 'succeeded', detail, null, dueInSeconds);
  }

  /** @param dueInSeconds when the job is to come again */
  async fail({ id }: BegunRun, error: unknown, dueInSeconds: number): Promise<JobRun> {
    const message = error instanceof Error ? error.message : String(error);
    return this.#finish(id, 'failed', null, message.slice(0, MAX_ERROR_LENGTH), dueInSeconds);
  }

  /**
   * Whether somebody has finished the job within the last seconds without leaving work behind. A run in the future
   * was logged by a clock that has been set back since: it must not keep the job from running until then.
   */
  async finishedWithin(job: string, seconds: number): Promise<boolean> {
    const rows = await this.#database.query(
      `SELECT FROM job_runs WHERE job = $1 AND started_at > clock_timestamp() - make_interval(secs => $2)
         AND started_at <= clock_timestamp() AND result = 'succeeded' AND NOT (detail ->> 'more')::boolean`,
      [job, seconds],
    );
    return rows.length > 0;
  }

  /** The last run of each job, by name. */
  async lastRuns(jobs: readonly string[]): Promise<Map<string, JobRun>> {
    const rows = await this.#database.query<JobRun & Record<string, unknown>>(
      `SELECT r.* FROM unnest($1::text[]) AS name
       CROSS JOIN LATERAL (SELECT ${COLUMNS} FROM job_runs WHERE job = name ORDER BY started_at DESC LIMIT 1) r`,
      [jobs],
    );
    return new Map(rows.map((run) => [run.job, run]));
  }

  /** The last runs, newest first. @param job null: of all jobs */
  async history(job: string | null, limit: number): Promise<JobRun[]> {
    return this.#database.query<JobRun & Record<string, unknown>>(
      `SELECT ${COLUMNS} FROM job_runs WHERE $1::text IS NULL OR job = $1 ORDER BY started_at DESC, id DESC LIMIT $2`,
      [job, limit],
    );
  }

  async #finish(
    id: number,
    result: string,
    detail: string | null,
    error: string | null,
    dueInSeconds: number,
  ): Promise<JobRun> {
    const [run] = await this.#database.query<JobRun & Record<string, unknown>>(
      `UPDATE job_runs SET finished_at = clock_timestamp(), result = $2, detail = $3::jsonb, error = $4,
         due_at = clock_timestamp() + make_interval(secs => $5) WHERE id = $1
       RETURNING ${COLUMNS}`,
      [id, result, detail, error, dueInSeconds],
    );
    return run as JobRun;
  }
}
