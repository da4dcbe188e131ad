/** A job that has failed several times in a row, in whichever process: the run log of the database counts them. */
import type { Config } from '../../config/schema.js';
import type { Database } from '../../storage/database.js';
import type { AlertRule } from '../alert.js';
import { ruleTimes } from './rule-times.js';

/** A run that is under way says nothing yet: the one before counts. */
const FAILING_SQL = `
  SELECT job, attempt, error FROM (
    SELECT DISTINCT ON (job) job, attempt, result, error FROM job_runs WHERE result <> 'running' ORDER BY job, started_at DESC, id DESC
  ) last WHERE result = 'failed' AND attempt >= $1 AND job = ANY($2::text[]) ORDER BY job`;

/** @param jobs those that there are: the log also has runs of jobs of earlier versions */
export function jobFailingRule(
  database: Database,
  settings: Config['alerts']['jobFailing'],
  jobs: readonly string[],
): AlertRule {
  return {
    name: 'job_failing',
    ...ruleTimes(settings),
    groupBy: [],
    async find() {
      const failing = await database.query<{ job: string; attempt: number; error: string | null }>(FAILING_SQL, [
        settings.failures,
        jobs,
      ]);
      return failing.map(({ job, attempt, error }) => ({
        labels: { job },
        summary: `The job ${job} has failed ${attempt} times in a row: ${error ?? 'no reason is known'}`,
        detail: { attempts: attempt, error },
      }));
    },
  };
}
