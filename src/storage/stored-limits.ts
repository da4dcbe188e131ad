/** The part `limits` of a stored profile. */
import { CHANNEL_NAMES, CHANNELS } from '../telemetry/channels.js';
import type { DeviceProfile } from './device-registry.js';
import { numberAt, objectAt } from './profile-fields.js';

/**
 * The bounds that narrow what is physically possible; they never widen it.
 * @param problems takes what cannot be used: such a limit limits nothing
 */
export function storedLimits(value: unknown, problems: string[]): DeviceProfile['limits'] {
  const given = objectAt(value, 'limits', CHANNEL_NAMES, problems);
  const result: Record<string, { min?: number; max?: number }> = {};
  for (const { name, unit, minimum, maximum } of CHANNELS) {
    const path = `limits.${name}`;
    const fields = objectAt(given[name], path, ['min', 'max'], problems);
    const range = { least: Number.NEGATIVE_INFINITY, most: Number.POSITIVE_INFINITY, unit, isNullable: true };
    const min = Math.max(numberAt(fields, 'min', path, range, problems) ?? minimum, minimum);
    const max = Math.min(numberAt(fields, 'max', path, range, problems) ?? maximum, maximum);
    if (min > max)
      problems.push(
        `${path} leaves no value: from ${min} to ${max} ${unit}; correct min or max in devices.profile, until then the channel has no limit of its own`,
      );
    if (min > max || (min === minimum && max === maximum)) continue;
    result[name] = { min, max };
  }
  return result;
}
