/**
 * What an anomaly is attributed to, as stored in `anomaly_cause smallint`: the catalogue position of the channel
 * that deviates most, or one of the codes from 100 on, which the rules set. NULL where there is no anomaly. Codes are part of the
 * schema: never renumber.
 */
import { CHANNELS } from './channels.js';

/** Codes below are channels. */
export const FIRST_RULE_CAUSE = 100;

export const RuleCause = {
  /** A value outside the limits of the well's own profile; it is stored as NULL, and kept in `raw_values`. */
  outsideWellLimits: 100,
  /** The discharge pressure of a running pump lies below its intake pressure. */
  dischargeBelowIntake: 101,
  /** The motor draws current although the drive gives no frequency. */
  currentWithoutFrequency: 102,
} as const;

export type RuleCause = (typeof RuleCause)[keyof typeof RuleCause];

const RULE_NAMES: ReadonlyMap<number, string> = new Map([
  [RuleCause.outsideWellLimits, 'outside_well_limits'],
  [RuleCause.dischargeBelowIntake, 'discharge_below_intake'],
  [RuleCause.currentWithoutFrequency, 'current_without_frequency'],
]);

/** The words for a stored cause. */
export function anomalyCauseName(cause: number | null): string | null {
  if (cause === null) return null;
  return CHANNELS[cause]?.name ?? RULE_NAMES.get(cause) ?? `cause ${cause}`;
}
