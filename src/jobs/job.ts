/** What a job is. The list of them: job-definitions.ts; who runs them: job-runner.ts. */
import type { Events } from '../monitoring/events.js';
import type { Database } from '../storage/database.js';

/**
 * Jobs of one lane never run at the same time, in this process or another: refreshing an aggregate while its source
 * is being dropped would delete what it can no longer compute.
 */
export type JobLane = 'aggregates' | 'chunks' | 'housekeeping' | 'episodes';

/** What a run is given. */
export interface JobContext {
  readonly database: Database;
  readonly events: Events;
  /** The clock of the run's beginning, epoch seconds. */
  readonly nowSeconds: number;
  /**
   * Asked between slices: true once the run has had its time or the runner is stopping. Then the job returns with
   * `more`, and comes again after the others of its lane.
   */
  shouldYield(): boolean;
  /** Aborts when the runner is stopping: for slices that can take longer than anybody wants to wait for a stop. */
  readonly stopping?: AbortSignal;
  /**
   * Runs one slice of work. Where there is a single connection (the embedded database) it is then left alone for as
   * long as the slice took, at most a second: everybody else would otherwise wait for the whole backlog.
   */
  slice<T>(work: () => Promise<T>): Promise<T>;
}

export interface JobOutcome {
  /** What it did, for the run log. */
  readonly detail: Readonly<Record<string, number | string>>;
  /** There is work left: run again soon rather than at the next regular time. */
  readonly more: boolean;
}

export interface JobDefinition {
  readonly name: string;
  readonly description: string;
  readonly lane: JobLane;
  readonly intervalSeconds: number;
  /** After the start of the runner. */
  readonly initialDelaySeconds: number;
  /** Does its work in slices; throws an OperationalError when it cannot. */
  run(context: JobContext): Promise<JobOutcome>;
  /**
   * What is wrong, judged by the effect that the job should have had, in words; null when all is well. (The status of
   * the last run proves nothing: on PostgreSQL 15.20 TimescaleDB calls every run failed whose work is done.)
   */
  findFault(database: Database): Promise<string | null>;
}
