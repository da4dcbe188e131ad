/** The part `detection` of a stored profile. */
import { CHANNELS, type ChannelName } from '../telemetry/channels.js';
import type { ChannelDetection, DetectionProfile } from '../telemetry/detection-profile.js';

/** Beyond these a well would be judged by a slip of the pen: 100 for 1.00. */
const LEAST_SENSITIVITY = 0.1;
const MOST_SENSITIVITY = 10;
const MOST_WEIGHT = 10;

/** What people have written, as far as it makes sense: a setting that does not must not stop a well, and sets nothing. */
export function storedDetection(value: unknown): DetectionProfile | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { sensitivity, channels } = value as { readonly sensitivity?: unknown; readonly channels?: unknown };
  const own: Partial<Record<ChannelName, ChannelDetection>> = {};
  const given = (typeof channels === 'object' && channels !== null ? channels : {}) as Readonly<
    Record<string, unknown>
  >;
  for (const { name } of CHANNELS) {
    const settings = channelSettings(given[name]);
    if (settings !== undefined) own[name] = settings;
  }
  return {
    ...(isBetween(sensitivity, LEAST_SENSITIVITY, MOST_SENSITIVITY) ? { sensitivity } : {}),
    channels: own,
  };
}

function channelSettings(value: unknown): ChannelDetection | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { weight, leastShift } = value as { readonly weight?: unknown; readonly leastShift?: unknown };
  return {
    ...(isBetween(weight, 0, MOST_WEIGHT) ? { weight } : {}),
    ...(isBetween(leastShift, 0, 1) ? { leastShift } : {}),
  };
}

function isBetween(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && value >= least && value <= most;
}
