/**
 * Fields of a stored profile, checked one by one. Whatever cannot be used is said with field, value and remedy, and its default
 * stands in: profiles are written by people, and a slip of the pen must not stop a well.
 */
import { nearestName } from '../config/nearest-name.js';

export type Fields = Readonly<Record<string, unknown>>;

export interface NumberRange {
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
export function numberAt(
  fields: Fields,
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
  const from = isAbove
    ? ` above ${least} and up to ${most}`
    : Number.isFinite(least)
      ? ` from ${least} to ${most}`
      : '';
  const off = isNullable ? ', or null to switch it off' : '';
  problems.push(
    `${path}.${field} is ${shown(value)}: it has to be ${kind}${from} (${unit})${off}; the default stands in until devices.profile is corrected and the process starts again`,
  );
  return undefined;
}

/** The fields of an object; none where there is no object. Says which of them are not known. */
export function objectAt(value: unknown, path: string, known: readonly string[], problems: string[]): Fields {
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

export const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const MOST_SHOWN = 60;
const shortened = (text: string): string => (text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text);
const shown = (value: unknown): string => shortened(JSON.stringify(value) ?? 'nothing');
