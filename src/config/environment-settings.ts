/** Settings from environment variables: `DOWNHOLE_HTTP_PORT=9000`, secrets also `DOWNHOLE_DATABASE_URL_FILE=/run/…`. */
import { readFileSync } from 'node:fs';
import { CONFIGURATION_KEYS, type ConfigurationKey } from './keys.js';
import { nearestName } from './nearest-name.js';
import { parseText, type ReadSettings } from './settings.js';

export type Environment = Readonly<Record<string, string | undefined>>;

const PREFIX = 'DOWNHOLE_';
const FILE_SUFFIX = '_FILE';
/** The variable that names the configuration file. */
export const CONFIG_FILE_VARIABLE = 'DOWNHOLE_CONFIG';

/** Reads every `DOWNHOLE_*` variable; those that belong to no key are problems, those of tests are not ours. */
export function readEnvironmentSettings(environment: Environment): ReadSettings {
  const found: ReadSettings = { settings: [], problems: [] };
  const remaining = new Set(
    Object.keys(environment).filter(
      (name) =>
        name.startsWith(PREFIX) &&
        !name.startsWith(`${PREFIX}TEST_`) &&
        name !== CONFIG_FILE_VARIABLE &&
        environment[name] !== undefined,
    ),
  );
  for (const key of CONFIGURATION_KEYS) {
    const fileVariable = key.environmentName + FILE_SUFFIX;
    const direct = remaining.delete(key.environmentName) ? environment[key.environmentName] : undefined;
    const fileName =
      key.schema.secret === true && remaining.delete(fileVariable) ? environment[fileVariable] : undefined;
    if (direct !== undefined && fileName !== undefined) {
      found.problems.push(`${key.environmentName} and ${fileVariable} are both set; unset one of them`);
    } else if (direct !== undefined) {
      addText(found, key, direct, key.environmentName);
    } else if (fileName !== undefined) {
      addFromFile(found, key, fileName, fileVariable);
    }
  }
  for (const name of remaining) found.problems.push(unknownVariable(name));
  return found;
}

function addText(found: ReadSettings, key: ConfigurationKey, text: string, origin: string): void {
  found.settings.push({ path: key.path, value: parseText(text, key.schema), origin });
}

function addFromFile(found: ReadSettings, key: ConfigurationKey, fileName: string, variable: string): void {
  let text: string;
  try {
    text = readFileSync(fileName, 'utf8');
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? String(error);
    found.problems.push(
      `${key.path} (${variable}) cannot be read from ${JSON.stringify(fileName)} (${reason}); name a readable file`,
    );
    return;
  }
  // Editors and `echo` end a file with a newline that is no part of the secret.
  addText(found, key, text.replace(/\r?\n$/, ''), variable);
}

function unknownVariable(name: string): string {
  const key = CONFIGURATION_KEYS.find((candidate) => candidate.environmentName + FILE_SUFFIX === name);
  if (key !== undefined) return `${name} is not read: ${key.path} is no secret; set ${key.environmentName} instead`;
  const nearest = nearestName(
    name.slice(PREFIX.length),
    CONFIGURATION_KEYS.map((candidate) => candidate.environmentName.slice(PREFIX.length)),
  );
  return `${name} is not a known variable; ${nearest === undefined ? 'unset it' : `did you mean ${PREFIX}${nearest}?`}`;
}
