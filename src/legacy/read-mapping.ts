/** The file behind `--mapping`: which columns of the old table are which columns of `telemetry`. */
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { OperationalError } from '../telemetry/operational-error.js';
import type { LegacyMapping } from './column-plan.js';

const TEXT_KEYS = ['device', 'time', 'timeZone'] as const;

/** @throws OperationalError `file_unreadable`, `wrong_usage` naming what is wrong in it */
export async function readLegacyMapping(path: string): Promise<LegacyMapping> {
  let content: unknown;
  try {
    content = parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new OperationalError('file_unreadable', `${path} cannot be read as YAML: ${String(error)}`, { cause: error });
  }
  const refuse = (what: string): OperationalError => new OperationalError('wrong_usage', `${path}: ${what}`);
  if (typeof content !== 'object' || content === null || Array.isArray(content))
    throw refuse('it needs keys: device, time, timeZone, columns.');
  for (const [key, value] of Object.entries(content as Record<string, unknown>)) {
    if (key === 'columns') {
      if (
        typeof value !== 'object' ||
        value === null ||
        Object.values(value as Record<string, unknown>).some((name) => typeof name !== 'string')
      )
        throw refuse('columns are "column of the old table: column of telemetry".');
    } else if (!(TEXT_KEYS as readonly string[]).includes(key)) throw refuse(`there is no key ${key}.`);
    else if (typeof value !== 'string') throw refuse(`${key} is a text.`);
  }
  return content;
}
