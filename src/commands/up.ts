/** `downhole up`: everything in one process. */
import { Closers } from './closers.js';
import { loadSettings, type GlobalOptions } from './load-settings.js';
import { openPlatform } from './open-platform.js';
import { runSimulator } from './run-simulator.js';
import { serve } from './serve.js';
import { publishStorageGauges } from './storage-gauges.js';
import { untilStopped } from './until-stopped.js';

/**
 * Brings up database, queue, pipeline, jobs, API, console and simulated wells, prints the console's URL on stdout and
 * returns after SIGINT or SIGTERM once everything is put away.
 */
export async function up(options: GlobalOptions, version: string): Promise<void> {
  const settings = loadSettings(options);
  const { config, events } = settings;
  const closers = new Closers();
  try {
    const platform = await openPlatform(settings, 'up');
    closers.add(() => platform.close());
    const server = await serve(settings, platform, version);
    closers.add(() => server.close());
    platform.jobs.start();
    closers.add(publishStorageGauges(platform.database, settings.metrics, events));
    const simulator = await runSimulator(settings, platform.database, server.url);
    closers.add(() => simulator?.stop());
    events.emit('started', { version, dataDir: config.dataDir });
    process.stdout.write(`Downhole ${version} is running: ${server.url}\nPress Ctrl-C to stop.\n`);
    await untilStopped(events, platform.failed, () => closers.close());
  } finally {
    await closers.close();
  }
}
