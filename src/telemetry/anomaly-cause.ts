/**
 * What an anomaly is attributed to, as stored in `anomaly_cause smallint`: the catalogue position of the channel
 * that deviates most, or one of the codes from 100 on, which the rules set. Rules about one channel have a code for each: that of
 * the rule, plus the catalogue position. NULL where there is no anomaly. Codes are part of the schema: never renumber.
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
  /** All downhole channels of a running pump have gone, and the surface lives on. */
  gaugeLoss: 103,
  /** A reading has moved faster than the process can; 200 … 219, by channel. */
  rateOfChange: 200,
  /** A lively channel repeats one value; 300 … 319, by channel. */
  frozen: 300,
} as const;

export type RuleCause = (typeof RuleCause)[keyof typeof RuleCause];

/** The code of a rule about one channel. */
export const causeOf = (rule: RuleCause, channelIndex: number): number => rule + channelIndex;

const RULE_NAMES: ReadonlyMap<number, string> = new Map([
  [RuleCause.outsideWellLimits, 'outside_well_limits'],
  [RuleCause.dischargeBelowIntake, 'discharge_below_intake'],
  [RuleCause.currentWithoutFrequency, 'current_without_frequency'],
  [RuleCause.gaugeLoss, 'gauge_loss'],
  ...CHANNELS.flatMap(({ name, index }): [number, string][] => [
    [causeOf(RuleCause.rateOfChange, index), `rate_of_change:${name}`],
    [causeOf(RuleCause.frozen, index), `frozen:${name}`],
  ]),
]);

/** The words for a stored cause. */
export function anomalyCauseName(cause: number | null): string | null {
  if (cause === null) return null;
  return CHANNELS[cause]?.name ?? RULE_NAMES.get(cause) ?? `cause ${cause}`;
}
