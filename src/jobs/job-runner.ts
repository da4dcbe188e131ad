/**
 * Runs the jobs on their schedules, the same way on the embedded database and on a server.
 *
 * - A job never overlaps itself, jobs of a lane never overlap each other, in this process or in another one.
 * - A run is bounded: after ten seconds it hands back and comes again after the others of its lane.
 * - A failing job is recorded and tried again; the others go on.
 * - Without the database nothing can be recorded: the failure is an event, and the next time comes all the same.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Events } from '../monitoring/events.js';
import type { Database } from '../storage/database.js';
import { OperationalError } from '../telemetry/operational-error.js';
import type { JobContext, JobDefinition, JobLane, JobOutcome } from './job.js';
import { JobRunLog, type JobRun } from './job-run-log.js';
import { SerialQueue } from './serial-queue.js';

export interface JobStatus {
  readonly name: string;
  readonly description: string;
  readonly intervalSeconds: number;
  readonly lastRun: JobRun | null;
  /** Epoch seconds; null while the runner is not started. */
  readonly nextRunSeconds: number | null;
  /** What is wrong, judged by effect; null: healthy. */
  readonly fault: string | null;
}

export interface JobRunnerOptions {
  readonly database: Database;
  readonly events: Events;
  readonly jobs: readonly JobDefinition[];
  /** After which a run is asked to hand back; default 10 s. */
  readonly runBudgetMs?: number;
}

const DEFAULT_RUN_BUDGET_MS = 10_000;
/** A run that left work behind comes again this soon, so that others of its lane get in between. */
const MORE_WORK_DELAY_MS = 50;
/** The lane is busy in another process. */
const BUSY_RETRY_MS = 5_000;
const FAILURE_RETRY_MS = 60_000;
/** How long `runNow` waits for another process. */
const RUN_NOW_WAIT_MS = 60_000;
const RUN_NOW_POLL_MS = 200;
/** The longest pause after a slice, where everybody waits for one connection. */
const MAX_PAUSE_MS = 1000;

interface Entry {
  readonly definition: JobDefinition;
  timer: NodeJS.Timeout | undefined;
  /** On the clock that nobody sets. */
  nextRunMs: number | null;
  /** Whether its last run here left work behind: then what is overdue is being worked on. */
  more: boolean;
}

export class JobRunner {
  readonly #database: Database;
  readonly #events: Events;
  readonly #runBudgetMs: number;
  readonly #log: JobRunLog;
  readonly #entries: ReadonlyMap<string, Entry>;
  readonly #lanes = new Map<JobLane, SerialQueue>();
  readonly #stopping = new AbortController();
  #startedMs: number | undefined;

  constructor({ database, events, jobs, runBudgetMs = DEFAULT_RUN_BUDGET_MS }: JobRunnerOptions) {
    this.#database = database;
    this.#events = events;
    this.#runBudgetMs = runBudgetMs;
    this.#log = new JobRunLog(database);
    this.#entries = new Map(
      jobs.map((definition) => [definition.name, { definition, timer: undefined, nextRunMs: null, more: false }]),
    );
    for (const { lane } of jobs) if (!this.#lanes.has(lane)) this.#lanes.set(lane, new SerialQueue());
  }

  /** Begins to run the jobs on their schedules. */
  start(): void {
    if (this.#startedMs !== undefined) throw new Error('The job runner has been started before.');
    this.#startedMs = performance.now();
    for (const entry of this.#entries.values()) this.#schedule(entry, entry.definition.initialDelaySeconds * 1000);
  }

  /**
   * Runs a job as soon as its lane is free, whether the runner is started or not, and tells how it went: a failure is
   * in the returned run. A run may leave work behind (`detail.more`).
   * @throws OperationalError `unknown_job`, `job_busy` (another process has the lane), or when the log cannot be written
   */
  async runNow(name: string): Promise<JobRun> {
    const entry = this.#entryOf(name);
    return this.#laneOf(entry).run(async () => {
      const deadlineMs = performance.now() + RUN_NOW_WAIT_MS;
      for (;;) {
        const run = await this.#exclusively(entry, () => this.#run(entry));
        if (run !== undefined) return run;
        if (performance.now() >= deadlineMs || this.#stopping.signal.aborted) throw busy(entry.definition);
        await sleep(RUN_NOW_POLL_MS);
      }
    });
  }

  /** All jobs: when they ran, when they run next, and what is wrong. */
  async list(): Promise<JobStatus[]> {
    const lastRuns = await this.#log.lastRuns([...this.#entries.keys()]);
    const statuses: JobStatus[] = [];
    for (const { definition, nextRunMs, more } of this.#entries.values()) {
      const { name, description, intervalSeconds } = definition;
      statuses.push({
        name,
        description,
        intervalSeconds,
        lastRun: lastRuns.get(name) ?? null,
        nextRunSeconds: nextRunMs === null ? null : (Date.now() + nextRunMs - performance.now()) / 1000,
        // A backlog that shrinks is no fault: after a large import it is what is expected.
        fault: more ? null : await definition.findFault(this.#database),
      });
    }
    return statuses;
  }

  /** The last runs, newest first. @param job null: of all jobs @throws OperationalError `unknown_job` */
  async history(job: string | null, limit: number): Promise<JobRun[]> {
    if (job !== null) this.#entryOf(job);
    return this.#log.history(job, limit);
  }

  /** Lets the slices under way finish and starts nothing more. Afterwards the database may be closed. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const entry of this.#entries.values()) {
      clearTimeout(entry.timer);
      entry.nextRunMs = null;
    }
    await Promise.all([...this.#lanes.values()].map((lane) => lane.run(() => Promise.resolve())));
  }

  #entryOf(name: string): Entry {
    const entry = this.#entries.get(name);
    if (entry !== undefined) return entry;
    const known = [...this.#entries.keys()].join(', ');
    throw new OperationalError('unknown_job', `There is no job "${name}". The jobs are: ${known}.`);
  }

  #laneOf(entry: Entry): SerialQueue {
    return this.#lanes.get(entry.definition.lane) as SerialQueue;
  }

  #schedule(entry: Entry, delayMs: number): void {
    if (this.#stopping.signal.aborted) return;
    entry.nextRunMs = performance.now() + delayMs;
    entry.timer = setTimeout(() => void this.#runScheduled(entry), delayMs);
  }

  /** Never rejects: nobody waits for it. */
  async #runScheduled(entry: Entry): Promise<void> {
    const intervalMs = entry.definition.intervalSeconds * 1000;
    let delayMs = intervalMs;
    const startedMs = performance.now();
    try {
      const run = await this.#laneOf(entry).run(() =>
        this.#stopping.signal.aborted ? Promise.resolve('skipped' as const) : this.#runInTurn(entry),
      );
      if (run === undefined) delayMs = Math.min(intervalMs, BUSY_RETRY_MS);
      else if (run !== 'skipped' && run.result === 'failed') delayMs = Math.min(intervalMs, FAILURE_RETRY_MS);
      else if (entry.more) delayMs = MORE_WORK_DELAY_MS;
    } catch (error) {
      // The run log cannot be reached: most likely the database is away, and the job would have failed as well.
      this.#events.emit('job_failed', { job: entry.definition.name, error });
      delayMs = Math.min(intervalMs, FAILURE_RETRY_MS);
    }
    this.#schedule(entry, Math.max(MORE_WORK_DELAY_MS, startedMs + delayMs - performance.now()));
  }

  /** The run; `skipped` when another process has just done it; undefined when another process has the lane. */
  #runInTurn(entry: Entry): Promise<JobRun | 'skipped' | undefined> {
    return this.#exclusively(entry, async () => {
      const { name, intervalSeconds } = entry.definition;
      // Runs from before our start do not count: after a restart everything is looked at once.
      const sinceStartSeconds = (performance.now() - (this.#startedMs ?? 0)) / 1000;
      const withinSeconds = Math.min(intervalSeconds * 0.9, sinceStartSeconds);
      if (!entry.more && (await this.#log.finishedWithin(name, withinSeconds))) return 'skipped';
      return this.#run(entry);
    });
  }

  #exclusively<T>(entry: Entry, work: () => Promise<T>): Promise<T | undefined> {
    return this.#database.tryExclusive(`jobs:${entry.definition.lane}`, work);
  }

  async #run(entry: Entry): Promise<JobRun> {
    const { name } = entry.definition;
    const startedMs = performance.now();
    const id = await this.#log.begin(name);
    let outcome: JobOutcome;
    try {
      outcome = await entry.definition.run(this.#context(startedMs));
    } catch (error) {
      entry.more = false;
      this.#events.emit('job_failed', { job: name, error });
      return this.#log.fail(id, error);
    }
    entry.more = outcome.more;
    const milliseconds = Math.round(performance.now() - startedMs);
    this.#events.emit('job_finished', { job: name, milliseconds, result: outcome.detail });
    return this.#log.succeed(id, outcome);
  }

  #context(startedMs: number): JobContext {
    const stopping = this.#stopping.signal;
    const hasOtherConnections = this.#database.capabilities.concurrency > 1;
    return {
      database: this.#database,
      events: this.#events,
      nowSeconds: Date.now() / 1000,
      stopping,
      shouldYield: () => stopping.aborted || performance.now() - startedMs > this.#runBudgetMs,
      async slice(work) {
        const sliceStartedMs = performance.now();
        const result = await work();
        if (hasOtherConnections) return result;
        const pauseMs = Math.min(MAX_PAUSE_MS, performance.now() - sliceStartedMs);
        await pause(pauseMs, stopping);
        return result;
      },
    };
  }
}

/** A stop need not wait for the end of a pause, and one that it cuts short is no failure. */
async function pause(milliseconds: number, stopping: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal: stopping });
  } catch (error) {
    if (!stopping.aborted) throw error;
  }
}

function busy({ name, lane }: JobDefinition): OperationalError {
  return new OperationalError(
    'job_busy',
    `Another process has been running jobs of the lane "${lane}" for a minute, so ${name} did not run. Try again later.`,
    { retryable: true },
  );
}
