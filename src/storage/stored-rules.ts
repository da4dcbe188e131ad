/** The parts `rated` and `rules` of a stored profile, checked field by field. */
import { nearestName } from '../config/nearest-name.js';
import { CHANNEL_NAMES, CHANNELS, type ChannelName } from '../telemetry/channels.js';
import type { ChannelRules, RuleProfile } from '../telemetry/rule-profile.js';

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

interface NumberRange {
  readonly least: number;
  readonly most: number;
  readonly unit: string;
  /** `least` itself is too little. */
  readonly isAbove?: boolean;
  readonly isWhole?: boolean;
  /** null means something: off. */
  readonly isNullable?: boolean;
}

/** The number of a field; undefined where there is none, or none that can be used. */
function numberAt(
  fields: Readonly<Record<string, unknown>>,
  field: string,
  path: string,
  { least, most, unit, isAbove = false, isWhole = false, isNullable = false }: NumberRange,
  problems: string[],
): number | null | undefined {
  const value = fields[field];
  if (value === undefined || (value === null && isNullable)) return value;
  const isGood =
    typeof value === 'number' &&
    value <= most &&
    (isAbove ? value > least : value >= least) &&
    (!isWhole || Number.isInteger(value));
  if (isGood) return value;
  const kind = isWhole ? 'a whole number' : 'a number';
  const from = isAbove ? `above ${least} and up to ${most}` : `from ${least} to ${most}`;
  const off = isNullable ? ', or null to switch it off' : '';
  problems.push(
    `${path}.${field} is ${shown(value)}: it has to be ${kind} ${from} (${unit})${off}; the default stands in until devices.profile is corrected and the process starts again`,
  );
  return undefined;
}

/** The fields of an object; none where there is no object. Says which of them are not known. */
function objectAt(
  value: unknown,
  path: string,
  known: readonly string[],
  problems: string[],
): Readonly<Record<string, unknown>> {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) {
    problems.push(`${path} is ${shown(value)}: it has to be an object with ${known.join(', ')}; it is not used`);
    return {};
  }
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue;
    const nearest = nearestName(name, known);
    const remedy = nearest === undefined ? `it may have ${known.join(', ')}` : `is it meant to be ${nearest}?`;
    problems.push(`${path}.${shortened(name)} is ${shown(value[name])}: there is no such field, ${remedy}`);
  }
  return value;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const MOST_SHOWN = 60;
const shortened = (text: string): string => (text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text);
const shown = (value: unknown): string => shortened(JSON.stringify(value) ?? 'nothing');
