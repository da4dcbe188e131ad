/**
 * What an anomaly is attributed to, as stored in `anomaly_cause smallint`: the catalogue position of the channel
 * that deviates most, or one of the codes from 100 on, which the rules set. NULL where there is no anomaly.
 */
import { CHANNELS } from './channels.js';

/** Codes below are channels. */
export const FIRST_RULE_CAUSE = 100;

/** The words for a stored cause. */
export function anomalyCauseName(cause: number | null): string | null {
  if (cause === null) return null;
  return CHANNELS[cause]?.name ?? `cause ${cause}`;
}
