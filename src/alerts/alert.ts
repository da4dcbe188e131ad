/** What an alert is. Whoever finds conditions: an AlertSource; who tells of them: alert-keeper.ts and its hook. */

/** Something that is the case and that somebody should know. */
export interface AlertCondition {
  /** The same for as long as it is the same trouble: `job_failing:compress`. */
  readonly key: string;
  readonly kind: 'job_failing' | 'job_overdue' | 'disk_filling' | 'archive_damaged';
  readonly severity: 'warning' | 'critical';
  /** One sentence for a person. */
  readonly summary: string;
  readonly detail: Readonly<Record<string, string | number>>;
}

/** Looks what is the case now. */
export interface AlertSource {
  readonly name: string;
  /** @throws OperationalError when it cannot tell: then what it found before stands */
  find(): Promise<readonly AlertCondition[]>;
}

/** What a hook is told: a condition that came up, or one that has passed. */
export interface Alert extends AlertCondition {
  readonly state: 'firing' | 'resolved';
  /** RFC 3339: when it was first seen. */
  readonly since: string;
  /** RFC 3339: when this was found. */
  readonly at: string;
}

/** Takes alerts and returns at once; delivers them as well as it can. */
export interface AlertHook {
  send(alert: Alert): void;
  /** Gives up what is under way. */
  stop(): Promise<void>;
}
