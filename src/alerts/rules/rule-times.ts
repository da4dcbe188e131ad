import type { AlertRule, Severity } from '../alert.js';

/** What every rule has in the configuration. */
export interface RuleSettings {
  readonly severity: 'off' | Severity;
  readonly forMinutes: number;
  readonly resolveMinutes: number;
}

/** The part of a rule that the configuration says. One that is `off` is made to find nothing, and its severity is of no account. */
export function ruleTimes({
  severity,
  forMinutes,
  resolveMinutes,
}: RuleSettings): Pick<AlertRule, 'severity' | 'forSeconds' | 'resolveSeconds'> {
  return {
    severity: severity === 'off' ? 'warning' : severity,
    forSeconds: forMinutes * 60,
    resolveSeconds: resolveMinutes * 60,
  };
}
