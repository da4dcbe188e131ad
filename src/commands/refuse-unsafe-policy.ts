/** Before jobs run: nothing may be configured that would lose aggregates or readings. */
import { lifecyclePolicy, type LifecycleConfig, type StoredPolicies } from '../storage/policy/lifecycle-policy.js';
import { checkPolicy, type PolicyFinding } from '../storage/policy/policy-rules.js';
import { OperationalError } from '../telemetry/operational-error.js';
import type { Settings } from './load-settings.js';

/**
 * Logs what is doubtful.
 * @param stored the policies of the database, once it is open
 * @throws OperationalError `unsafe_policy` (exit code 2) that lists every error
 */
export function refuseUnsafePolicy(
  { config, events }: Pick<Settings, 'config' | 'events'>,
  stored?: StoredPolicies,
): void {
  const findings = findingsOf(config, stored);
  refuse(findings);
  for (const finding of findings) events.emit('policy_doubtful', { warning: findingText(finding) });
}

/** What the rules say. */
export function findingsOf(config: LifecycleConfig, stored?: StoredPolicies): PolicyFinding[] {
  return checkPolicy(lifecyclePolicy(config, stored));
}

/** @throws OperationalError `unsafe_policy` where there is an error among them */
export function refuse(findings: readonly PolicyFinding[]): void {
  const errors = findings.filter(({ severity }) => severity === 'error');
  if (errors.length === 0) return;
  const list = errors.map((finding) => `\n  ${findingText(finding)}`).join('');
  throw new OperationalError(
    'unsafe_policy',
    `the ages of compression, refresh, archive and retention are not safe together:${list}`,
  );
}

/** `retention.rawDays (5 days), …: what would happen; safe: retention.rawDays at least 9` */
export function findingText({ settings, message, safeValue }: PolicyFinding): string {
  const named = settings.map(({ name, value }) => `${name} (${value})`).join(', ');
  return `${named}: ${message}. Safe: ${safeValue}.`;
}
