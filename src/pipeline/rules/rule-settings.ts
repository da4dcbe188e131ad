/**
 * What the rules that look back go by, for each device: the defaults, or what the well's own profile says. Wells with the same
 * settings share them.
 */
import { CHANNEL_COUNT, CHANNELS, channel } from '../../telemetry/channels.js';
import type { RuleProfile } from '../../telemetry/rule-profile.js';
import { SharedSettings } from '../shared-settings.js';
import { FROZEN_RUN } from './frozen-value.js';
import { RATE_LIMITS, RATED_CURRENTS_PER_SECOND, RPM_PER_SECOND_AND_HZ } from './rate-of-change.js';

/** By catalogue position. */
export interface RuleSettings {
  /** Canonical unit per second. */
  readonly limits: Float64Array;
  /** Equal values in a row. */
  readonly frozenRuns: Int32Array;
  /** Bit mask of the channels that may be called frozen. */
  readonly watched: number;
}

const MOST_RUN = 2 ** 31 - 1;
/** Set, not measured: it stands still by itself. */
const SET = channel('drive_frequency').index;

export class RuleProfiles extends SharedSettings<RuleProfile, RuleSettings> {
  constructor() {
    super(settingsOf);
  }
}

function settingsOf(profile: RuleProfile = { channels: {} }): RuleSettings {
  const { ratedCurrentA, ratedFrequencyHz, reportsByException = false } = profile;
  const limits = new Float64Array(CHANNEL_COUNT);
  const frozenRuns = new Int32Array(CHANNEL_COUNT).fill(MOST_RUN);
  let watched = 0;
  for (const { name, index } of CHANNELS) {
    const own = profile.channels[name];
    const limit = own?.ratePerSecond === undefined ? RATE_LIMITS[name] : own.ratePerSecond;
    limits[index] = limit ?? Number.POSITIVE_INFINITY;
    const run = own?.frozenAfter === undefined ? FROZEN_RUN : own.frozenAfter;
    if (run === null || reportsByException || index === SET) continue;
    frozenRuns[index] = run;
    watched |= 1 << index;
  }
  if (ratedCurrentA !== undefined && profile.channels.motor_current?.ratePerSecond === undefined)
    limits[channel('motor_current').index] = RATED_CURRENTS_PER_SECOND * ratedCurrentA;
  if (ratedFrequencyHz !== undefined && profile.channels.rpm?.ratePerSecond === undefined)
    limits[channel('rpm').index] = RPM_PER_SECOND_AND_HZ * ratedFrequencyHz;
  return { limits, frozenRuns, watched };
}
