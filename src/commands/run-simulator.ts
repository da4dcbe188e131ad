/** Simulated wells against a running service. */
import type { ServiceAccess } from '../gateway/service-client.js';
import { createFleet } from '../gateway/simulator/fleet.js';
import { startSimulator, type Simulator } from '../gateway/simulator/start-simulator.js';
import { MICROS_PER_DAY } from '../telemetry/timestamp.js';
import type { Database } from '../storage/database.js';
import type { Settings } from './load-settings.js';

/**
 * Starts the fleet of the configuration; undefined when it has no wells. The history that the database has already is
 * not sent again: it would only come back as duplicates.
 */
export async function runSimulator(
  settings: Settings,
  database: Database,
  service: ServiceAccess,
): Promise<Simulator | undefined> {
  const { simulator } = settings.config;
  if (simulator.wells === 0) return undefined;
  const backfillDays = Math.min(simulator.backfillDays, await daysMissing(database, simulator));
  return startSimulator({ ...simulator, backfillDays, service, events: settings.events });
}

/** Days since the whole fleet was last heard of; Infinity when a well never was. */
async function daysMissing(database: Database, fleet: { wells: number; seed: number }): Promise<number> {
  const ids = createFleet(fleet).wells.map(({ deviceId }) => deviceId);
  const [seen] = await database.query<{ wells: number; oldest_us: number | null }>(
    `SELECT count(last_seen) AS wells, (extract(epoch FROM min(last_seen)) * 1000000)::bigint AS oldest_us
     FROM devices WHERE device_id = ANY($1::text[])`,
    [ids],
  );
  if (seen === undefined || seen.wells < ids.length || seen.oldest_us === null) return Number.POSITIVE_INFINITY;
  return Math.max(0, Date.now() * 1000 - seen.oldest_us) / MICROS_PER_DAY;
}
