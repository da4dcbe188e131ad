/** Puts the configuration together: defaults ← YAML file ← environment ← command line, validated as a whole. */
import { Ajv } from 'ajv';
import { OperationalError } from '../telemetry/operational-error.js';
import { showValue } from '../telemetry/rejection.js';
import { CONFIG_FILE_VARIABLE, readEnvironmentSettings, type Environment } from './environment-settings.js';
import { CONFIGURATION_KEYS, describeExpected, findKey, type ConfigurationKey } from './keys.js';
import { ConfigSchema, type Config } from './schema.js';
import { exposedSecrets } from './secrets.js';
import { parseText, unknownKey, type ReadSettings, type Setting } from './settings.js';
import { readYamlSettings } from './yaml-settings.js';

export interface LoadConfigOptions {
  /** YAML file; when absent the one that DOWNHOLE_CONFIG names, if any. */
  readonly file?: string | undefined;
  readonly environment: Environment;
  /** By path (`http.port`); text is read as in the environment. Keys that are undefined are not given. */
  readonly overrides?: Readonly<Record<string, unknown>> | undefined;
}

const validate = new Ajv({ allErrors: true, strict: true, allowUnionTypes: true })
  .addVocabulary(['secret', 'protocols'])
  .compile<Config>(ConfigSchema);

/** The configuration that applies, and where it comes from. */
export interface ResolvedConfig {
  readonly config: Config;
  /** Every value that was given, by path; the others are defaults. */
  readonly given: ReadonlyMap<string, Setting>;
  /** What works and should be changed all the same: a sentence each. */
  readonly warnings: readonly string[];
}

/**
 * The configuration that applies.
 *
 * @throws OperationalError `invalid_configuration` whose message lists every problem, each with key, value and remedy.
 */
export function loadConfig(options: LoadConfigOptions): Config {
  return resolveConfig(options).config;
}

/** The same with the origin of every value. @throws OperationalError as `loadConfig` */
export function resolveConfig(options: LoadConfigOptions): ResolvedConfig {
  const file = options.file ?? options.environment[CONFIG_FILE_VARIABLE];
  const sources: ReadSettings[] = [
    file === undefined || file === '' ? { settings: [], problems: [] } : readYamlSettings(file),
    readEnvironmentSettings(options.environment),
    readOverrides(options.overrides ?? {}),
  ];
  const problems = sources.flatMap((source) => source.problems);
  const given = new Map<string, Setting>();
  for (const setting of sources.flatMap((source) => source.settings)) given.set(setting.path, setting);

  const config: unknown = assemble(given);
  if (validate(config)) problems.push(...wrongUrls(given), ...contradictions(config));
  else problems.push(...invalidValues(given));
  if (problems.length > 0) {
    const list = problems.map((problem) => `\n  ${problem}`).join('');
    throw new OperationalError('invalid_configuration', `the configuration is not valid:${list}`);
  }
  const warnings = file === undefined ? [] : exposedSecrets(file, (sources[0] as ReadSettings).settings);
  return { config: config as Config, given, warnings };
}

function readOverrides(overrides: Readonly<Record<string, unknown>>): ReadSettings {
  const found: ReadSettings = { settings: [], problems: [] };
  for (const [path, value] of Object.entries(overrides)) {
    const key = findKey(path);
    if (value === undefined) continue;
    if (key === undefined) found.problems.push(unknownKey(path, 'command line'));
    else {
      const parsed = typeof value === 'string' ? parseText(value, key.schema) : value;
      found.settings.push({ path, value: parsed, origin: 'command line' });
    }
  }
  return found;
}

/** The tree of sections with what was given, and the defaults elsewhere. */
function assemble(given: ReadonlyMap<string, Setting>): Record<string, unknown> {
  const tree: Record<string, unknown> = {};
  for (const key of CONFIGURATION_KEYS) {
    const setting = given.get(key.path);
    // Lists are cloned: a configuration may be changed by a test without changing the schema.
    const value = setting === undefined ? structuredClone(key.schema.default) : setting.value;
    const names = key.path.split('.');
    const last = names.pop() as string;
    let section = tree;
    for (const name of names) section = (section[name] ??= {}) as Record<string, unknown>;
    if (value !== undefined) section[last] = value;
  }
  return tree;
}

/** One problem a key, however many of its rules a value breaks. */
function invalidValues(given: ReadonlyMap<string, Setting>): string[] {
  const paths = new Set(
    (validate.errors ?? []).map((error) => {
      const missing = error.keyword === 'required' ? `/${String(error.params['missingProperty'])}` : '';
      return keyOfPointer(error.instancePath + missing);
    }),
  );
  return [...paths].map((path) => {
    const key = findKey(path);
    if (key === undefined) return `${path} is not valid; see the reference of the configuration`;
    return `${path} ${describeValue(key, given.get(path))}; give ${describeExpected(key.schema)}`;
  });
}

/** A URL of another protocol would be noticed when it is connected to, or never. */
function wrongUrls(given: ReadonlyMap<string, Setting>): string[] {
  return [...given].flatMap(([path, setting]) => {
    const key = findKey(path);
    const protocols = key?.schema.protocols;
    const { value } = setting;
    if (key === undefined || protocols === undefined || typeof value !== 'string' || value === '') return [];
    if (URL.canParse(value) && protocols.includes(new URL(value).protocol)) return [];
    return [`${path} ${describeValue(key, setting)}; give ${describeExpected(key.schema)}`];
  });
}

/** `/quality/expectedChannels/2` → `quality.expectedChannels`. */
function keyOfPointer(pointer: string): string {
  const names = pointer.split('/').slice(1);
  while (names.length > 1 && findKey(names.join('.')) === undefined) names.pop();
  return names.join('.');
}

function describeValue(key: ConfigurationKey, setting: Setting | undefined): string {
  if (setting === undefined) return `is missing (${key.environmentName} or the file)`;
  if (key.schema.secret === true)
    return `(${setting.origin}) has a value that does not fit (not shown: it is a secret)`;
  if (setting.value === null) return `(${setting.origin}) has no value`;
  return `(${setting.origin}) is ${showValue(setting.value)}`;
}

/** What the schema cannot say: keys that only make sense together. */
function contradictions({ pipeline, queue, http, archive, alerts }: Config): string[] {
  const problems: string[] = [];
  const atLeast = (larger: string, largerValue: number, smaller: string, smallerValue: number): void => {
    if (largerValue < smallerValue)
      problems.push(
        `${larger} is ${largerValue}, which is less than ${smaller} (${smallerValue}); raise it or lower ${smaller}`,
      );
  };
  atLeast('pipeline.maxBatchRecords', pipeline.maxBatchRecords, 'pipeline.batchRecords', pipeline.batchRecords);
  atLeast('queue.maxBytes', queue.maxBytes, 'queue.segmentBytes', queue.segmentBytes);
  atLeast('http.maxPendingBytes', http.maxPendingBytes, 'http.maxBodyBytes', http.maxBodyBytes);
  const beyond = queue.consumePartitions.filter((number) => number >= queue.partitions);
  if (beyond.length > 0)
    problems.push(
      `queue.consumePartitions names ${beyond.join(', ')}, and there are ${queue.partitions} (queue.partitions), counted from 0`,
    );
  const { certificateFile, keyFile } = http.tls;
  if ((certificateFile === '') !== (keyFile === ''))
    problems.push('http.tls.certificateFile and http.tls.keyFile belong together; give both or neither');
  const { smtpUrl, from, to } = alerts.email;
  if (smtpUrl !== '' && (from === '' || to.length === 0))
    problems.push(
      'alerts.email.smtpUrl is given without sender and recipients; set alerts.email.from and alerts.email.to',
    );
  problems.push(...wrongArchive(archive));
  return problems;
}

/** An address of Azure without a container, or one that would send readings through the network in the clear. */
function wrongArchive({ url, connectionString }: Config['archive']): string[] {
  const isAzure = url.startsWith('http');
  if (!isAzure)
    return connectionString === ''
      ? []
      : ['archive.connectionString is given, and archive.url names no Azure container; set it'];
  const { protocol, hostname, pathname, search } = new URL(url);
  const problems: string[] = [];
  if (!/^(\/[a-z0-9-]+){1,2}$/.test(pathname) || search !== '')
    problems.push(
      'archive.url does not end with the name of a container; give https://ACCOUNT.blob.core.windows.net/CONTAINER',
    );
  if (protocol === 'http:' && !['127.0.0.1', 'localhost', '[::1]'].includes(hostname))
    problems.push('archive.url begins with http://, which is for an emulator on this machine; give https://');
  return problems;
}
