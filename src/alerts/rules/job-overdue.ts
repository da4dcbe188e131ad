/**
 * A job that is behind, judged by what it should have done (chunks not archived or compressed, aggregates behind), or that has not
 * begun a run for several times its interval.
 */
import type { Config } from '../../config/schema.js';
import type { JobStatus } from '../../jobs/job-runner.js';
import { parseTimestamp } from '../../telemetry/timestamp.js';
import type { AlertRule } from '../alert.js';
import { ruleTimes } from './rule-times.js';

const INTERVALS = 3;
/** Jobs of a lane wait for one another, and a run may take a while. */
const LEAST_SECONDS = 3600;

export function jobOverdueRule(
  listJobs: () => Promise<readonly JobStatus[]>,
  settings: Config['alerts']['jobOverdue'],
): AlertRule {
  return {
    name: 'job_overdue',
    ...ruleTimes(settings),
    groupBy: [],
    async find() {
      return (await listJobs()).flatMap((job) => {
        const fault = job.fault ?? notRun(job, Date.now() / 1000);
        if (fault === null) return [];
        return [{ labels: { job: job.name }, summary: `The job ${job.name} is behind: ${fault}.`, detail: { fault } }];
      });
    },
  };
}

function notRun({ lastRun, intervalSeconds }: JobStatus, nowSeconds: number): string | null {
  const startedUs = lastRun === null ? 'unknown' : parseTimestamp(lastRun.startedAt);
  if (typeof startedUs !== 'number') return null;
  const isOverdue = nowSeconds - startedUs / 1e6 > Math.max(LEAST_SECONDS, INTERVALS * intervalSeconds);
  return isOverdue ? `it has not begun a run since ${lastRun?.startedAt}` : null;
}
