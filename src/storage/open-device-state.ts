/** Chooses where device state lives by `state.url` and by nothing else. */
import type { Config } from '../config/schema.js';
import type { Events } from '../monitoring/events.js';
import { OperationalError } from '../telemetry/operational-error.js';
import type { Database } from './database.js';
import type { DeviceStateStore } from './device-state.js';
import { DatabaseDeviceStateStore } from './device-state-store.js';
import { RedisDeviceStateStore } from './redis-device-state-store.js';

/**
 * Opens the store that the configuration names: Redis where there is a URL, otherwise a table of the database.
 * @throws OperationalError `invalid_configuration`, `state_refused`
 */
export async function openDeviceState(
  { state }: Pick<Config, 'state'>,
  database: Database,
  events: Events,
): Promise<DeviceStateStore> {
  if (state.url === '') return new DatabaseDeviceStateStore(database);
  const url = URL.canParse(state.url) ? new URL(state.url) : undefined;
  if (url === undefined || url.hostname === '' || !['redis:', 'rediss:'].includes(url.protocol)) {
    throw new OperationalError(
      'invalid_configuration',
      'state.url (not shown: it is a secret) is not the URL of a Redis server: write redis://HOST:PORT, or rediss:// for TLS',
    );
  }
  return RedisDeviceStateStore.open(url, events);
}
