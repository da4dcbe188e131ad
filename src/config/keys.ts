/**
 * The keys of the configuration, derived from its schema: a key added there is known here, in the environment and in
 * the error messages without another line.
 */
import { ConfigSchema } from './schema.js';

/** The part of JSON Schema that a key of the configuration may use. */
export interface KeySchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly minLength?: number;
  readonly items?: KeySchema;
  readonly properties?: Readonly<Record<string, KeySchema>>;
  /** The value is empty or a URL with one of these. */
  readonly protocols?: readonly string[];
  /** The value is not shown in messages and may come from a file named by `<variable>_FILE`. */
  readonly secret?: boolean;
}

export interface ConfigurationKey {
  /** `http.port` */
  readonly path: string;
  /** `DOWNHOLE_HTTP_PORT` */
  readonly environmentName: string;
  readonly schema: KeySchema;
}

/** The environment variable of a key: `http.maxBodyBytes` → `DOWNHOLE_HTTP_MAX_BODY_BYTES`. */
export function environmentName(path: string): string {
  return `DOWNHOLE_${path
    .replaceAll('.', '_')
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toUpperCase()}`;
}

function collect(properties: Readonly<Record<string, KeySchema>>, prefix: string): ConfigurationKey[] {
  return Object.entries(properties).flatMap(([name, schema]) => {
    const path = `${prefix}${name}`;
    return schema.properties === undefined
      ? [{ path, environmentName: environmentName(path), schema }]
      : collect(schema.properties, `${path}.`);
  });
}

/** Every key, in the order of the schema. */
export const CONFIGURATION_KEYS: readonly ConfigurationKey[] = collect(
  (ConfigSchema as unknown as { properties: Record<string, KeySchema> }).properties,
  '',
);

const KEY_BY_PATH: ReadonlyMap<string, ConfigurationKey> = new Map(CONFIGURATION_KEYS.map((key) => [key.path, key]));

/** The key of this path, or undefined when there is none (sections are no keys). */
export function findKey(path: string): ConfigurationKey | undefined {
  return KEY_BY_PATH.get(path);
}

/** Whether keys lie below this path. */
export function isSection(path: string): boolean {
  return CONFIGURATION_KEYS.some((key) => key.path.startsWith(`${path}.`));
}

/** What a key takes, for a person: `a whole number from 0 to 65535`. */
export function describeExpected(schema: KeySchema): string {
  if (schema.enum !== undefined) return `one of ${schema.enum.join(', ')}`;
  if (schema.protocols !== undefined)
    return `a URL that begins with ${schema.protocols.map((protocol) => `${protocol}//`).join(' or ')}`;
  switch (schema.type) {
    case 'integer':
      return `a whole number${describeRange(schema)}`;
    case 'number':
      return `a number${describeRange(schema)}`;
    case 'boolean':
      return 'true or false';
    case 'array':
      return `a list, each ${describeExpected(schema.items ?? {})}`;
    case 'string':
      return schema.minLength === undefined ? 'text' : 'text that is not empty';
    default:
      return 'a value of the documented shape';
  }
}

function describeRange({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: KeySchema): string {
  const above = exclusiveMinimum === undefined ? '' : ` above ${exclusiveMinimum}`;
  const below = exclusiveMaximum === undefined ? '' : ` below ${exclusiveMaximum}`;
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`;
  if (minimum !== undefined) return ` of at least ${minimum}${below}`;
  if (maximum !== undefined) return `${above}${above === '' ? '' : ' and'} up to ${maximum}`;
  return above + below;
}
