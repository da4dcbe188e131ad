/** `downhole simulate`: a simulated fleet that sends to a service, until it is stopped. */
import { writeFileSync } from 'node:fs';
import type { Config } from '../config/schema.js';
import type { ServiceAccess } from '../gateway/service-client.js';
import { FAULT_SHARES } from '../gateway/simulator/faults/fault-plan.js';
import { createFleet } from '../gateway/simulator/fleet.js';
import { startSimulator } from '../gateway/simulator/start-simulator.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { formatTimestamp, MICROS_PER_DAY } from '../telemetry/timestamp.js';
import { loadSettings, type GlobalOptions } from './load-settings.js';
import { ownServiceAccess, ownUrl, serviceAccess } from './service-access.js';
import { untilStopped } from './until-stopped.js';

/** How far ahead the labels go. */
const TRUTH_DAYS = 30;

/** As the command line gives them: texts. */
export interface SimulateOptions extends GlobalOptions {
  readonly url?: string;
  readonly wells?: string;
  readonly interval?: string;
  readonly seed?: string;
  readonly backfillDays?: string;
  readonly backfillInterval?: string;
  readonly faults?: boolean | string;
  /** File for the labels of what is wrong with which well. */
  readonly truth?: string;
}

/**
 * Sends history and then live records; what is not given comes from the configuration's section `simulator`.
 * @throws OperationalError `wrong_usage`, `invalid_configuration`
 */
export async function simulate(options: SimulateOptions): Promise<void> {
  const given: Record<string, string | undefined> = {
    'simulator.wells': options.wells,
    'simulator.intervalSeconds': options.interval,
    'simulator.seed': options.seed,
    // History is for the first start of a database; a fleet beside it sends one only when asked to.
    'simulator.backfillDays': options.backfillDays ?? '0',
    'simulator.backfillIntervalSeconds': options.backfillInterval,
    'simulator.faults': options.faults === true ? 'some' : options.faults === false ? 'none' : options.faults,
  };
  const overrides = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const { config, events } = loadSettings(options, overrides);
  if (config.simulator.wells === 0) throw new OperationalError('wrong_usage', 'No wells to simulate; give --wells.');
  const service = accessTo(config, options.url);
  if (options.truth !== undefined) writeTruth(options.truth, config.simulator);
  const simulator = startSimulator({ service, ...config.simulator, events });
  process.stdout.write(`Simulating ${config.simulator.wells} wells for ${service.url}\nPress Ctrl-C to stop.\n`);
  await untilStopped(events, new Promise<never>(() => undefined), () => simulator.stop());
}

/** The faults of the history and of the next thirty days, a line of JSON each. */
function writeTruth(path: string, { wells, seed, faults, backfillDays }: Config['simulator']): void {
  const nowUs = Date.now() * 1000;
  const fleet = createFleet({ wells, seed, faultShare: FAULT_SHARES[faults] });
  const labels = fleet.faults(nowUs - backfillDays * MICROS_PER_DAY, nowUs + TRUTH_DAYS * MICROS_PER_DAY);
  const lines = labels.map(({ fromUs, toUs, foundByUs, ...label }) =>
    JSON.stringify({
      ...label,
      from: formatTimestamp(fromUs),
      to: formatTimestamp(toUs),
      foundBy: formatTimestamp(foundByUs),
    }),
  );
  try {
    writeFileSync(path, lines.map((line) => `${line}\n`).join(''));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    throw new OperationalError('wrong_usage', `--truth ${path} cannot be written: ${error.message}`, { cause: error });
  }
}

/** The service at that URL, or the one that the configuration describes. */
function accessTo(config: Config, url: string | undefined): ServiceAccess {
  if (url === undefined) return ownServiceAccess(config, ownUrl(config));
  if (!URL.canParse(url))
    throw new OperationalError('wrong_usage', `--url ${url} is no URL; write e.g. http://127.0.0.1:8080`);
  return serviceAccess(config, url);
}
