/** The rules of alerts that the role `jobs` looks at: a new one is a file in alerts/rules and a line here. */
import type { AlertRule } from '../alerts/alert.js';
import { archiveDamagedRule } from '../alerts/rules/archive-damaged.js';
import { deadLettersRule } from '../alerts/rules/dead-letters.js';
import { deviceSilentRule } from '../alerts/rules/device-silent.js';
import { diskFillingRule } from '../alerts/rules/disk-filling.js';
import { episodeOpenRule } from '../alerts/rules/episode-open.js';
import { jobFailingRule } from '../alerts/rules/job-failing.js';
import { jobOverdueRule } from '../alerts/rules/job-overdue.js';
import { qualityLowRule } from '../alerts/rules/quality-low.js';
import { queueDeepRule } from '../alerts/rules/queue-deep.js';
import { listDamagedParts } from '../archive/part-table.js';
import type { Config } from '../config/schema.js';
import type { JobRunner } from '../jobs/job-runner.js';
import type { Database } from '../storage/database.js';

/** What the rules look at. */
export interface AlertSubjects {
  readonly database: Database;
  readonly jobs: JobRunner;
  /** Messages that wait in the queue; undefined where it is embedded in another process, and then that rule is another's. */
  readonly queueDepth?: (() => number | Promise<number>) | undefined;
}

/** One that is switched off finds nothing, so that what it has told of before passes. */
export function alertRules({ database, jobs, queueDepth }: AlertSubjects, config: Config): AlertRule[] {
  const { alerts } = config;
  const rules: [{ readonly severity: string }, () => AlertRule][] = [
    [alerts.qualityLow, () => qualityLowRule(database, alerts.qualityLow, config.retention)],
    [alerts.deviceSilent, () => deviceSilentRule(database, alerts.deviceSilent)],
    [alerts.episodeOpen, () => episodeOpenRule(database, alerts.episodeOpen)],
    [alerts.deadLetters, () => deadLettersRule(database, alerts.deadLetters)],
    [alerts.jobFailing, () => jobFailingRule(database, alerts.jobFailing, jobs.names())],
    [alerts.jobOverdue, () => jobOverdueRule(() => jobs.list(), alerts.jobOverdue)],
    [alerts.diskFilling, () => diskFillingRule(database, alerts.diskFilling)],
    [alerts.archiveDamaged, () => archiveDamagedRule(() => listDamagedParts(database), alerts.archiveDamaged)],
  ];
  if (queueDepth !== undefined) rules.push([alerts.queueDeep, () => queueDeepRule(queueDepth, alerts.queueDeep)]);
  return rules.map(([{ severity }, make]) =>
    severity === 'off' ? { ...make(), resolveSeconds: 0, find: () => Promise.resolve([]) } : make(),
  );
}
