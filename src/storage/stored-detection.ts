/** The part `detection` of a stored profile. */
import { CHANNEL_NAMES, type ChannelName } from '../telemetry/channels.js';
import type { ChannelDetection, DetectionProfile } from '../telemetry/detection-profile.js';
import { isObject, numberAt, objectAt } from './profile-fields.js';

/** Beyond these a well would be judged by a slip of the pen: 100 for 1.00. */
const SENSITIVITY = { least: 0.1, most: 10, unit: '1 is the default' };
const WEIGHT = { least: 0, most: 10, unit: '1 is the default, 0 leaves the channel out' };
const LEAST_SHIFT = { least: 0, most: 1, unit: 'a share of the level' };

/**
 * What people have written, as far as it makes sense: a setting that does not sets nothing.
 * @param problems takes what cannot be used
 */
export function storedDetection(value: unknown, problems: string[]): DetectionProfile | undefined {
  const { sensitivity: written, channels } = objectAt(value, 'detection', ['sensitivity', 'channels'], problems);
  if (!isObject(value)) return undefined;
  const sensitivity = numberAt({ sensitivity: written }, 'sensitivity', 'detection', SENSITIVITY, problems);
  const given = objectAt(channels, 'detection.channels', CHANNEL_NAMES, problems);
  const own: Partial<Record<ChannelName, ChannelDetection>> = {};
  for (const name of CHANNEL_NAMES) {
    if (!isObject(given[name])) {
      objectAt(given[name], `detection.channels.${name}`, ['weight', 'leastShift'], problems);
      continue;
    }
    own[name] = channelSettings(given[name], `detection.channels.${name}`, problems);
  }
  return { ...(typeof sensitivity === 'number' ? { sensitivity } : {}), channels: own };
}

function channelSettings(value: unknown, path: string, problems: string[]): ChannelDetection {
  const fields = objectAt(value, path, ['weight', 'leastShift'], problems);
  const weight = numberAt(fields, 'weight', path, WEIGHT, problems);
  const leastShift = numberAt(fields, 'leastShift', path, LEAST_SHIFT, problems);
  return {
    ...(typeof weight === 'number' ? { weight } : {}),
    ...(typeof leastShift === 'number' ? { leastShift } : {}),
  };
}
