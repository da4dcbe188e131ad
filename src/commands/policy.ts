/** `downhole policy check`: whether the ages of compression, refresh, archive and retention are safe together. */
import { lifecyclePolicy, type LifecyclePolicy } from '../storage/policy/lifecycle-policy.js';
import { checkPolicy, daysText, POLICY_RULES, type PolicyFinding } from '../storage/policy/policy-rules.js';
import { readStoredPolicies } from '../storage/policy/stored-policies.js';
import { loadQuietly, type GlobalOptions } from './load-settings.js';
import { printLine, printTable } from './print-table.js';
import { findingText, refuse } from './refuse-unsafe-policy.js';
import { refuseOlderSchema } from './schema-state.js';
import { withDatabase } from './with-database.js';

export interface PolicyOptions extends GlobalOptions {
  readonly connect?: boolean;
  readonly json?: boolean;
}

/**
 * Prints what applies and what is wrong with it.
 * @throws OperationalError `unsafe_policy` (exit code 2); with `connect` those of the database
 */
export async function checkPolicies(options: PolicyOptions): Promise<void> {
  const settings = loadQuietly(options);
  const stored =
    options.connect === true
      ? await withDatabase(settings, 'policy check', async (database) => {
          await refuseOlderSchema(database, settings);
          return readStoredPolicies(database);
        })
      : undefined;
  const policy = lifecyclePolicy(settings.config, stored);
  const findings = checkPolicy(policy);
  if (options.json === true) process.stdout.write(`${JSON.stringify({ policy, findings }, null, 2)}\n`);
  else printPolicy(policy, findings);
  refuse(findings);
}

function printPolicy(policy: LifecyclePolicy, findings: readonly PolicyFinding[]): void {
  printTable(
    ['WHAT', 'REFRESHED', 'COMPRESSED AFTER', 'ARCHIVED AFTER', 'KEPT'],
    [
      [
        'readings',
        '-',
        daysText(policy.compressAfterDays),
        daysText(policy.archiveAfterDays),
        daysText(policy.rawDays),
      ],
      ...policy.levels.map((level) => [
        level.name,
        `${daysText(level.refreshFromDays)} to ${daysText(level.refreshToDays)} ago`,
        Number.isFinite(level.compressAfterDays) ? daysText(level.compressAfterDays) : 'never',
        '-',
        daysText(level.retentionDays),
      ]),
    ],
  );
  printLine(
    `A chunk of readings spans ${daysText(policy.chunkDays)}; rows count as late after ${daysText(policy.lateAfterDays)}.`,
  );
  for (const finding of findings.filter(({ severity }) => severity === 'warning'))
    printLine(`warning: ${findingText(finding)}`);
  if (findings.length === 0) printLine(`Safe: all ${POLICY_RULES.length} rules hold.`);
}
