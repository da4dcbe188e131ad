/** A platform of its own in a temporary directory, quiet, for a benchmark. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { openPlatform, type Platform } from '../src/commands/open-platform.js';
import { loadConfig } from '../src/config/load-config.js';
import { createEvents } from '../src/monitoring/events.js';
import { Metrics } from '../src/monitoring/metrics.js';

export interface ScratchPlatform extends Platform {
  readonly metrics: Metrics;
}

/** Opens one, lets `work` measure on it, and removes it. */
export async function withScratchPlatform<T>(work: (platform: ScratchPlatform) => Promise<T>): Promise<T> {
  const dataDir = await mkdtemp(join(tmpdir(), 'downhole-bench-'));
  const config = loadConfig({ environment: {}, overrides: { dataDir, logLevel: 'error' } });
  const logger = pino({ level: 'error' });
  const metrics = new Metrics();
  const platform = await openPlatform({ config, logger, metrics, events: createEvents(logger, metrics) }, 'benchmark');
  try {
    return await work({ ...platform, metrics });
  } finally {
    await platform.close();
    await rm(dataDir, { recursive: true, force: true });
  }
}
