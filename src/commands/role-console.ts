/** The role `console`: the read API and the page, on the database. */
import { consoleRoutes } from '../console/console-routes.js';
import type { JobRunner } from '../jobs/job-runner.js';
import type { Broker } from '../queue/queue.js';
import { alertChannels } from './alert-channels.js';
import type { ProcessParts } from './process-parts.js';
import { buildJobRunner } from './role-jobs.js';
import type { StartedRole } from './started-role.js';

export interface ProcessShown {
  /** The queues, where another role of this process has them: their depth is shown. */
  readonly broker: Broker | undefined;
  /** Whether the pipeline is in this process: then its counts are the ones to show. */
  readonly hasPipeline: boolean;
}

/** Opens the database. What the page says of queue and pipeline is what this process knows of them. */
export async function startConsole(parts: ProcessParts, { broker, hasPipeline }: ProcessShown): Promise<StartedRole> {
  const { config, metrics, events } = parts.settings;
  const database = await parts.database();
  let jobs: Promise<JobRunner> | undefined;
  return {
    http: {
      database,
      routes: [
        consoleRoutes({
          database,
          metrics,
          broker,
          hasPipeline,
          config,
          events,
          jobs: () => (jobs ??= buildJobRunner(database, parts.settings)),
          alertChannels: alertChannels(config),
        }),
      ],
    },
    probes: [parts.databaseProbe()],
  };
}
