/** Puts the roles of a process together. */
import type { Closers } from './closers.js';
import type { ProcessParts } from './process-parts.js';
import { startConsole } from './role-console.js';
import { startIngest } from './role-ingest.js';
import { startJobs } from './role-jobs.js';
import { startPipeline } from './role-pipeline.js';
import type { Role } from './roles.js';
import type { StartedRole } from './started-role.js';

/**
 * Starts the roles against the order of the data: when records are taken, somebody is there to store them.
 * @param closers puts away those that have started, also when a later one does not
 */
export async function startRoles(
  parts: ProcessParts,
  roles: readonly Role[],
  closers: Closers,
): Promise<StartedRole[]> {
  const started: StartedRole[] = [];
  const start = async <S extends StartedRole>(role: Role, begin: () => Promise<S>): Promise<S | undefined> => {
    if (!roles.includes(role)) return undefined;
    const running = await begin();
    started.push(running);
    closers.add(() => running.stop?.());
    return running;
  };
  const pipeline = await start('pipeline', () => startPipeline(parts));
  const hasQueue = roles.includes('ingest') || roles.includes('pipeline');
  await start('jobs', async () => startJobs(parts, hasQueue ? await parts.broker() : undefined));
  await start('ingest', () => {
    const hasDatabase = roles.some((role) => role !== 'ingest');
    return startIngest(parts, { pipeline: pipeline?.pipeline, hasDatabase });
  });
  await start('console', async () => {
    const broker = hasQueue ? await parts.broker() : undefined;
    return startConsole(parts, { broker, hasPipeline: pipeline !== undefined });
  });
  return started;
}
