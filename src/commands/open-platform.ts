/** A platform without roles: what an import or a benchmark works with, in one process and without HTTP. */
import type { JobRunner } from '../jobs/job-runner.js';
import type { Pipeline } from '../pipeline/pipeline.js';
import type { Broker } from '../queue/queue.js';
import type { Database } from '../storage/database.js';
import { Closers } from './closers.js';
import type { Settings } from './load-settings.js';
import { ProcessParts } from './process-parts.js';
import { buildJobRunner } from './role-jobs.js';
import { startPipeline } from './role-pipeline.js';

export interface Platform {
  readonly database: Database;
  readonly broker: Broker;
  readonly pipeline: Pipeline;
  /** Not started: single jobs are run. */
  readonly jobs: JobRunner;
  /** Puts everything away: what is under way is finished, the rest stays in the queue. */
  close(): Promise<void>;
}

/**
 * Opens everything and starts the pipeline; on a failure half-way, what was opened is put away again. The data
 * directory is locked even where nothing embedded is in it: an import notes there how far it has come.
 * @param command shown to whoever finds the data directory taken
 * @throws OperationalError
 */
export async function openPlatform(settings: Settings, command: string): Promise<Platform> {
  const closers = new Closers();
  try {
    const parts = new ProcessParts(settings, command);
    closers.add(await parts.directory.share());
    closers.add(() => parts.close());
    const database = await parts.database();
    const broker = await parts.broker();
    const running = await startPipeline(parts);
    closers.add(() => running.stop());
    const jobs = await buildJobRunner(database, settings);
    closers.add(() => jobs.stop());
    return { database, broker, pipeline: running.pipeline, jobs, close: () => closers.close() };
  } catch (error) {
    await closers.close();
    throw error;
  }
}
