/** `downhole config show | check`: what the configuration is, where it comes from, and whether it works. */
import { CONFIGURATION_KEYS } from '../config/keys.js';
import { resolveConfig, type ResolvedConfig } from '../config/load-config.js';
import { maskSecret } from '../config/secrets.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { checkConnections } from './check-connections.js';
import { loadSettings, type GlobalOptions } from './load-settings.js';

export interface ShowOptions extends GlobalOptions {
  readonly json?: boolean;
}

export interface CheckOptions extends GlobalOptions {
  readonly connect?: boolean;
}

interface ShownKey {
  readonly key: string;
  /** Secrets masked. */
  readonly value: unknown;
  /** `default`, `downhole.yaml:3:9`, `DOWNHOLE_HTTP_PORT`. */
  readonly origin: string;
}

/** Prints every key with its value and origin, secrets masked. @throws OperationalError `invalid_configuration` */
export function showConfig(options: ShowOptions): void {
  const shown = shownKeys(resolveConfig({ file: options.config, environment: process.env }));
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify(shown, null, 2)}\n`);
    return;
  }
  const rows = shown.map(({ key, value, origin }) => [key, JSON.stringify(value), origin] as const);
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => (row[column] as string).length)));
  for (const [key, value, origin] of rows)
    process.stdout.write(`${key.padEnd(widths[0] as number)}  ${value.padEnd(widths[1] as number)}  ${origin}\n`);
}

/**
 * Says whether the configuration is valid; with `connect` also what answers at its URLs. Nothing is changed anywhere.
 * @throws OperationalError `invalid_configuration` with every problem (exit code 2), `dependency_unavailable`
 */
export async function checkConfig(options: CheckOptions): Promise<void> {
  const { warnings } = resolveConfig({ file: options.config, environment: process.env });
  for (const warning of warnings) process.stderr.write(`downhole: ${warning}\n`);
  process.stdout.write('The configuration is valid.\n');
  if (options.connect !== true) return;
  const { config } = loadSettings(options);
  const findings = await checkConnections(config);
  for (const { dependency, ok, detail } of findings)
    process.stdout.write(`${dependency.padEnd(8)}  ${ok ? 'ok' : 'FAILED'}  ${detail}\n`);
  const failed = findings.filter(({ ok }) => !ok).map(({ dependency }) => dependency);
  if (failed.length > 0)
    throw new OperationalError(
      'dependency_unavailable',
      `Not usable: ${failed.join(', ')}; the reason is shown above.`,
    );
}

function shownKeys({ config, given }: ResolvedConfig): ShownKey[] {
  return CONFIGURATION_KEYS.map(({ path, schema }) => {
    const value = path
      .split('.')
      .reduce<unknown>((section, name) => (section as Record<string, unknown>)[name], config);
    const isSecret = schema.secret === true && typeof value === 'string';
    return {
      key: path,
      value: isSecret ? maskSecret(value) : value,
      origin: given.get(path)?.origin ?? 'default',
    };
  });
}
