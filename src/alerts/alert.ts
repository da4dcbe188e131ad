/** What an alert is: a rule finds conditions, alert-keeper.ts makes alerts of them, and channels tell of these. */

/** Every rule; the same names in the configuration, in camel case. */
export const RULE_NAMES = [
  'quality_low',
  'device_silent',
  'episode_open',
  'dead_letters',
  'queue_deep',
  'job_failing',
  'job_overdue',
  'disk_filling',
  'archive_damaged',
] as const;
export type RuleName = (typeof RULE_NAMES)[number];

export type Severity = 'warning' | 'critical';

/** Something that is the case. */
export interface AlertCondition {
  /** Which trouble it is: the same for as long as it lasts. `device` and `site` are what maintenance windows look at. */
  readonly labels: Readonly<Record<string, string>>;
  /** One sentence for a person. */
  readonly summary: string;
  readonly detail: Readonly<Record<string, string | number | null>>;
  /** Where it is not that of its rule; when it changes while the alert fires, that is told once. */
  readonly severity?: Severity;
  /** Between the two thresholds: no reason to raise an alert, and none to take one back. */
  readonly isLingering?: boolean;
}

/** Looks what is the case now, and says when that is worth telling. */
export interface AlertRule {
  readonly name: RuleName;
  readonly severity: Severity;
  /** So long it has to be the case without a break before it is an alert. */
  readonly forSeconds: number;
  /** So long it has to be no longer the case before the alert has passed. */
  readonly resolveSeconds: number;
  /** Labels whose alerts are told of in one message; none: all of the rule are. */
  readonly groupBy: readonly string[];
  /** @throws OperationalError when it cannot tell: then what it found before stands */
  find(): Promise<readonly AlertCondition[]>;
}

/** An alert as a message has it; its rule is `test` where somebody tries the channels. Instants are epoch microseconds. */
export interface ToldAlert {
  readonly fingerprint: string;
  readonly rule: string;
  readonly severity: Severity;
  readonly labels: Readonly<Record<string, string>>;
  readonly summary: string;
  readonly detail: Readonly<Record<string, string | number | null>>;
  readonly raisedAtUs: number;
  /** null: it still is the case. */
  readonly endedAtUs: number | null;
}
