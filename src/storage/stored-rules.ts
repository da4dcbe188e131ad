/** The parts `rated` and `rules` of a stored profile, checked field by field. */
import { CHANNEL_NAMES, CHANNELS, type ChannelName } from '../telemetry/channels.js';
import type { ChannelRules, RuleProfile } from '../telemetry/rule-profile.js';
import { isObject, numberAt, objectAt } from './profile-fields.js';

export interface StoredRules {
  /** Undefined: the defaults. */
  readonly rules: RuleProfile | undefined;
  /** What cannot be used: field, value and remedy. Whatever it is, the default stands in: a slip of the pen must not stop a well. */
  readonly problems: readonly string[];
}

/** Beyond these a value is a slip of the pen: other units, a zero too many. */
const RATED = {
  currentA: { least: 1, most: 1000, unit: 'A' },
  frequencyHz: { least: 10, most: 400, unit: 'Hz' },
} as const;
/** A run that a lively channel has every day is no sign of anything; nor is anything frozen that nobody lives to see. */
const LEAST_FROZEN = 30;
const MOST_FROZEN = 1_000_000;

/** @param profile column `profile`, and `reportingMode` column `reporting_mode` of the device */
export function storedRules(profile: unknown, reportingMode: unknown): StoredRules {
  const problems: string[] = [];
  const { rated, rules } = (isObject(profile) ? profile : {}) as { rated?: unknown; rules?: unknown };
  const ratedFields = objectAt(rated, 'rated', Object.keys(RATED), problems);
  const currentA = numberAt(ratedFields, 'currentA', 'rated', RATED.currentA, problems);
  const frequencyHz = numberAt(ratedFields, 'frequencyHz', 'rated', RATED.frequencyHz, problems);
  const { channels } = objectAt(rules, 'rules', ['channels'], problems);
  const given = objectAt(channels, 'rules.channels', CHANNEL_NAMES, problems);
  const own: Partial<Record<ChannelName, ChannelRules>> = {};
  for (const { name, unit, maximum, minimum } of CHANNELS) {
    const path = `rules.channels.${name}`;
    const fields = objectAt(given[name], path, ['ratePerSecond', 'frozenAfter'], problems);
    const range = { least: 0, most: maximum - minimum, unit: `${unit} per second`, isAbove: true, isNullable: true };
    const runs = {
      least: LEAST_FROZEN,
      most: MOST_FROZEN,
      unit: 'equal values in a row',
      isWhole: true,
      isNullable: true,
    };
    const ratePerSecond = numberAt(fields, 'ratePerSecond', path, range, problems);
    const frozenAfter = numberAt(fields, 'frozenAfter', path, runs, problems);
    if (ratePerSecond === undefined && frozenAfter === undefined) continue;
    own[name] = {
      ...(ratePerSecond === undefined ? {} : { ratePerSecond }),
      ...(frozenAfter === undefined ? {} : { frozenAfter }),
    };
  }
  const result: RuleProfile = {
    ...(typeof currentA === 'number' ? { ratedCurrentA: currentA } : {}),
    ...(typeof frequencyHz === 'number' ? { ratedFrequencyHz: frequencyHz } : {}),
    ...(reportingMode === 'by_exception' ? { reportsByException: true } : {}),
    channels: own,
  };
  const saysSomething = Object.keys(result).length > 1 || Object.keys(own).length > 0;
  return { rules: saysSomething ? result : undefined, problems };
}
