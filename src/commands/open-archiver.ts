import { Archiver } from '../archive/archiver.js';
import { openObjectStore } from '../archive/open-object-store.js';
import type { Database } from '../storage/database.js';
import type { Settings } from './load-settings.js';

/** The archive of this database, where the configuration says. Nothing is connected to until it is used. */
export async function openArchiver({ config, events }: Settings, database: Database): Promise<Archiver> {
  const store = await openObjectStore(config);
  return new Archiver({ database, store, events, afterDays: config.archive.afterDays });
}
