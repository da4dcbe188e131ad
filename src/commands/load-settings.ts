/** What every command begins with: configuration, logger, metrics, events. */
import type { Logger } from 'pino';
import { resolveConfig } from '../config/load-config.js';
import type { Config } from '../config/schema.js';
import { createEvents, type Events } from '../monitoring/events.js';
import { createLogger } from '../monitoring/logger.js';
import { Metrics } from '../monitoring/metrics.js';

/** Options that all commands take. */
export interface GlobalOptions {
  readonly config?: string;
}

export interface Settings {
  readonly config: Config;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly events: Events;
  /** Set by tests alone: the tables without chunks and aggregates, on a PostgreSQL without TimescaleDB. */
  readonly schemaSubset?: 'plain';
}

/** Tests of whole processes run on the PostgreSQL that a distribution has. Nothing else may: it would not scale. */
const PLAIN_SCHEMA_VARIABLE = 'DOWNHOLE_TEST_PLAIN_SCHEMA';

export function loadSettings(options: GlobalOptions, overrides: Readonly<Record<string, unknown>> = {}): Settings {
  const { config, warnings } = resolveConfig({ file: options.config, environment: process.env, overrides });
  const logger = createLogger(config.logLevel);
  const metrics = new Metrics();
  const settings = { config, logger, metrics, events: createEvents(logger, metrics) };
  for (const warning of warnings) settings.events.emit('configuration_doubtful', { warning });
  return process.env[PLAIN_SCHEMA_VARIABLE] === '1' ? { ...settings, schemaSubset: 'plain' } : settings;
}

/** For commands whose answer is on stdout: the log says only what is wrong, unless somebody asks for more. */
export function loadQuietly(options: GlobalOptions): Settings {
  return loadSettings(options, process.env['DOWNHOLE_LOG_LEVEL'] === undefined ? { logLevel: 'warn' } : {});
}
