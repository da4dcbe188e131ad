/** The role `jobs`: the scheduled work on the database, and how large it is. */
import { jobDefinitions } from '../jobs/job-definitions.js';
import { JobRunner } from '../jobs/job-runner.js';
import type { Events } from '../monitoring/events.js';
import type { Database } from '../storage/database.js';
import { Closers } from './closers.js';
import type { ProcessParts } from './process-parts.js';
import type { StartedRole } from './started-role.js';
import { publishStorageGauges } from './storage-gauges.js';

/** Opens the database and starts the jobs. Stopped, a job hands back after the slice under way. */
export async function startJobs(parts: ProcessParts): Promise<StartedRole> {
  const { events, metrics } = parts.settings;
  const database = await parts.database();
  const closers = new Closers();
  const jobs = buildJobRunner(database, events);
  jobs.start();
  closers.add(() => jobs.stop());
  closers.add(publishStorageGauges(database, metrics, events));
  return {
    probes: [parts.databaseProbe()],
    stop: () => closers.close(),
  };
}

/** All jobs that this database can have; not started: an import runs single ones. */
export function buildJobRunner(database: Database, events: Events): JobRunner {
  return new JobRunner({ database, events, jobs: jobDefinitions(database.capabilities.timescale) });
}
