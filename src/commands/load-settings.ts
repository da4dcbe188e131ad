/** What every command begins with: configuration, logger, metrics, events. */
import type { Logger } from 'pino';
import { loadConfig } from '../config/load-config.js';
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
}

export function loadSettings(options: GlobalOptions, overrides: Readonly<Record<string, unknown>> = {}): Settings {
  const config = loadConfig({ file: options.config, environment: process.env, overrides });
  const logger = createLogger(config.logLevel);
  const metrics = new Metrics();
  return { config, logger, metrics, events: createEvents(logger, metrics) };
}
