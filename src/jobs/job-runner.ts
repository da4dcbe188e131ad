/**
 * Runs the jobs on their schedules, the same way on the embedded database and on a server.
 *
 * - A job never overlaps itself, jobs of a lane never overlap each other, in this process or in another one.
 * - A run is bounded: after ten seconds it hands back and comes again after the others of its lane.
 * - A failing job is recorded and tried again after pauses that double, at its regular time at the latest; the others go on.
 *   Three failures in a row, in whichever process, are `job_failing`; the success that ends them is `job_recovered`.
 * - Without the database nothing can be recorded: the failure is an event, is counted here, and the job is tried again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Events } from '../monitoring/events.js';
import type { Database } from '../storage/database.js';
import { OperationalError } from '../telemetry/operational-error.js';
import type { JobContext, JobDefinition, JobLane, JobOutcome } from './job.js';
import { JobRunLog, type BegunRun, type JobRun } from './job-run-log.js';
import { retryDelaySeconds } from './retry-delay.js';
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
  /** Failures of a job one after another from which on it counts as failing; default 3. */
  readonly failingAfter?: number;
}

const DEFAULT_RUN_BUDGET_MS = 10_000;
/** A run that left work behind comes again this soon, so that others of its lane get in between. */
const MORE_WORK_DELAY_MS = 50;
/** The lane is busy in another process. */
const BUSY_RETRY_MS = 5_000;
const DEFAULT_FAILING_AFTER = 3;
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
  /** The failures in a row up to now. */
  failures: number;
}

export class JobRunner {
  readonly #database: Database;
  readonly #events: Events;
  readonly #runBudgetMs: number;
  readonly #failingAfter: number;
  readonly #log: JobRunLog;
  readonly #entries: ReadonlyMap<string, Entry>;
  readonly #lanes = new Map<JobLane, SerialQueue>();
  readonly #stopping = new AbortController();
  #startedMs: number | undefined;

  constructor(options: JobRunnerOptions) {
    const { database, events, jobs } = options;
    this.#database = database;
    this.#events = events;
    this.#runBudgetMs = options.runBudgetMs ?? DEFAULT_RUN_BUDGET_MS;
    this.#failingAfter = options.failingAfter ?? DEFAULT_FAILING_AFTER;
    this.#log = new JobRunLog(database);
    this.#entries = new Map(
      jobs.map((definition) => [
        definition.name,
        { definition, timer: undefined, nextRunMs: null, more: false, failures: 0 },
      ]),
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
        const finished = await this.#exclusively(entry, () => this.#run(entry));
        if (finished !== undefined) return finished.run;
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

  /** Of all jobs that there are here. */
  names(): string[] {
    return [...this.#entries.keys()];
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
    const startedMs = performance.now();
    let nextMs = startedMs + intervalMs;
    const failuresBefore = entry.failures;
    try {
      const run = await this.#laneOf(entry).run(() =>
        this.#stopping.signal.aborted ? Promise.resolve('skipped' as const) : this.#runInTurn(entry),
      );
      if (run === undefined) nextMs = startedMs + Math.min(intervalMs, BUSY_RETRY_MS);
      else if (run !== 'skipped') nextMs = performance.now() + run.dueInSeconds * 1000;
    } catch (error) {
      // The run log cannot be reached: most likely the database is away, and the job would have failed as well. Where it
      // did, that has been told already.
      const dueInSeconds =
        entry.failures > failuresBefore
          ? retryDelaySeconds(entry.failures, entry.definition.intervalSeconds, Math.random())
          : this.#noteFailure(entry, error);
      nextMs = performance.now() + dueInSeconds * 1000;
    }
    this.#schedule(entry, Math.max(MORE_WORK_DELAY_MS, nextMs - performance.now()));
  }

  /** The run; `skipped` when another process has just done it; undefined when another process has the lane. */
  #runInTurn(entry: Entry): Promise<FinishedRun | 'skipped' | undefined> {
    return this.#exclusively(entry, async () => {
      const { name, intervalSeconds } = entry.definition;
      // Runs from before our start do not count: after a restart everything is looked at once.
      const sinceStartSeconds = (performance.now() - (this.#startedMs ?? 0)) / 1000;
      const withinSeconds = Math.min(intervalSeconds * 0.9, sinceStartSeconds);
      if (!entry.more && (await this.#log.finishedWithin(name, withinSeconds))) {
        this.#noteSuccess(entry);
        return 'skipped';
      }
      return this.#run(entry);
    });
  }

  #exclusively<T>(entry: Entry, work: () => Promise<T>): Promise<T | undefined> {
    return this.#database.tryExclusive(`jobs:${entry.definition.lane}`, work);
  }

  async #run(entry: Entry): Promise<FinishedRun> {
    const { name, intervalSeconds } = entry.definition;
    const startedMs = performance.now();
    const begun = await this.#log.begin(name);
    // Others may have tried before; what could not be logged is known here alone.
    entry.failures = Math.max(entry.failures, begun.attempt - 1);
    let outcome: JobOutcome;
    try {
      outcome = await entry.definition.run(this.#context(startedMs));
    } catch (error) {
      entry.more = false;
      const dueInSeconds = this.#noteFailure(entry, error);
      return { run: await this.#log.fail(begun, error, dueInSeconds), dueInSeconds };
    }
    return this.#succeed(entry, begun, outcome, {
      milliseconds: Math.round(performance.now() - startedMs),
      dueInSeconds: outcome.more
        ? MORE_WORK_DELAY_MS / 1000
        : Math.max(0, intervalSeconds - (performance.now() - startedMs) / 1000),
    });
  }

  async #succeed(
    entry: Entry,
    begun: BegunRun,
    outcome: JobOutcome,
    { milliseconds, dueInSeconds }: { milliseconds: number; dueInSeconds: number },
  ): Promise<FinishedRun> {
    entry.more = outcome.more;
    this.#noteSuccess(entry);
    this.#events.emit('job_finished', { job: entry.definition.name, milliseconds, result: outcome.detail });
    return { run: await this.#log.succeed(begun, outcome, dueInSeconds), dueInSeconds };
  }

  /** Counts a failure and tells of it. Returns the seconds until the next attempt. */
  #noteFailure(entry: Entry, error: unknown): number {
    const { name: job, intervalSeconds } = entry.definition;
    const attempt = ++entry.failures;
    const dueInSeconds = retryDelaySeconds(attempt, intervalSeconds, Math.random());
    this.#events.emit('job_failed', { job, attempt, dueInSeconds: Math.round(dueInSeconds), error });
    if (attempt === this.#failingAfter) this.#events.emit('job_failing', { job, attempts: attempt, error });
    return dueInSeconds;
  }

  #noteSuccess(entry: Entry): void {
    const { failures: attempts } = entry;
    entry.failures = 0;
    if (attempts >= this.#failingAfter) this.#events.emit('job_recovered', { job: entry.definition.name, attempts });
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

/** A run that is in the log, and when the job comes again. */
interface FinishedRun {
  readonly run: JobRun;
  readonly dueInSeconds: number;
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
