/** The conditions that the role `jobs` looks at. */
import type { AlertCondition, AlertSource } from '../alerts/alert.js';
import { listDamagedParts } from '../archive/part-table.js';
import type { JobRunner } from '../jobs/job-runner.js';
import type { Database } from '../storage/database.js';
import { readForecast, readLastSizes } from '../storage/storage-days.js';
import { formatTimestamp } from '../telemetry/timestamp.js';

/** @param diskDays a disk that is full in fewer days is worth an alert */
export function alertSources(database: Database, jobs: JobRunner, diskDays: number): AlertSource[] {
  return [
    { name: 'jobs', find: () => Promise.resolve(jobs.failing().map(jobFailing)) },
    { name: 'faults', find: () => jobFaults(jobs) },
    { name: 'disk', find: () => diskFilling(database, diskDays) },
    { name: 'archive', find: () => damagedParts(database) },
  ];
}

const jobFailing = ({ job, attempts, error }: { job: string; attempts: number; error: string }): AlertCondition => ({
  key: `job_failing:${job}`,
  kind: 'job_failing',
  severity: 'critical',
  summary: `The job ${job} has failed ${attempts} times in a row: ${error}`,
  detail: { job, attempts, error },
});

/** Judged by effect: chunks that are not archived or compressed, aggregates behind. */
async function jobFaults(jobs: JobRunner): Promise<AlertCondition[]> {
  return (await jobs.list()).flatMap(({ name: job, fault }) =>
    fault === null
      ? []
      : [
          {
            key: `job_overdue:${job}`,
            kind: 'job_overdue',
            severity: 'warning',
            summary: `The job ${job} is behind: ${fault}.`,
            detail: { job, fault },
          },
        ],
  );
}

async function diskFilling(database: Database, diskDays: number): Promise<AlertCondition[]> {
  const freeBytes = (await readLastSizes(database))?.diskFreeBytes ?? null;
  const { daysUntilFull, basis } = await readForecast(database, freeBytes);
  if (daysUntilFull === null || freeBytes === null || daysUntilFull >= diskDays) return [];
  const days = Math.floor(daysUntilFull);
  return [
    {
      key: 'disk_filling',
      kind: 'disk_filling',
      severity: 'critical',
      summary: `The disk of the database is full in ${days} days, ${basis}.`,
      detail: { daysUntilFull: days, freeBytes },
    },
  ];
}

async function damagedParts(database: Database): Promise<AlertCondition[]> {
  return (await listDamagedParts(database)).map(({ fromUs, revision, damage }) => ({
    key: `archive_damaged:${fromUs}:${revision}`,
    kind: 'archive_damaged',
    severity: 'critical',
    summary: `The part of the archive from ${formatTimestamp(fromUs)}, revision ${revision}, is damaged: ${damage}`,
    detail: { from: formatTimestamp(fromUs), revision, damage },
  }));
}
