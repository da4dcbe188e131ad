/**
 * What each channel of a device counts and may shift: the defaults, or what the well's own profile says. Wells with the
 * same settings share them.
 */
import { CHANNEL_COUNT, CHANNELS } from '../../telemetry/channels.js';
import type { DetectionProfile } from '../../telemetry/detection-profile.js';
import { SharedSettings } from '../shared-settings.js';
import { CHANNEL_DEFAULTS } from './level-shift-parameters.js';

/** By catalogue position. */
export interface ChannelSettings {
  readonly weight: Float64Array;
  readonly fastLeastShift: Float64Array;
  readonly mediumLeastShift: Float64Array;
  readonly coarsestStep: Float64Array;
}

export class LevelShiftProfiles extends SharedSettings<DetectionProfile, ChannelSettings> {
  constructor() {
    super(settingsOf);
  }
}

function settingsOf(profile: DetectionProfile | undefined): ChannelSettings {
  const sensitivity = profile?.sensitivity ?? 1;
  const settings: ChannelSettings = {
    weight: new Float64Array(CHANNEL_COUNT),
    fastLeastShift: new Float64Array(CHANNEL_COUNT),
    mediumLeastShift: new Float64Array(CHANNEL_COUNT),
    coarsestStep: new Float64Array(CHANNEL_COUNT),
  };
  for (const { name, index } of CHANNELS) {
    const defaults = CHANNEL_DEFAULTS[name];
    const own = profile?.channels[name];
    settings.weight[index] = defaults.weight * (own?.weight ?? 1) * sensitivity;
    settings.fastLeastShift[index] = own?.leastShift ?? defaults.fastLeastShift;
    settings.mediumLeastShift[index] = own?.leastShift ?? defaults.mediumLeastShift;
    settings.coarsestStep[index] = defaults.coarsestStep;
  }
  return settings;
}
