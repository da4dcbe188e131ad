/** `downhole storage`: how large everything is, what has become of the chunks, and when the disk is full. */
import type { StorageStatus } from '../console/api-schemas.js';
import { readStorage } from '../console/storage-query.js';
import { nowRfc3339 } from '../console/timestamps.js';
import { measureSizes } from '../storage/measure-sizes.js';
import { askPlatform } from './ask-platform.js';
import { loadQuietly, type GlobalOptions } from './load-settings.js';
import { storagePlaces } from './storage-places.js';
import { storageText } from './storage-text.js';

export interface StorageOptions extends GlobalOptions {
  readonly json?: boolean;
  readonly chunks?: boolean;
}

/**
 * Prints it; the sizes are measured now, or, while a service holds the embedded database, what that service says.
 * @throws OperationalError of the database, `schema_pending`, `service_unavailable`, `service_refused`
 */
export async function showStorage(options: StorageOptions): Promise<void> {
  const settings = loadQuietly(options);
  const withChunks = options.chunks === true;
  const path = `/v1/storage?chunks=${String(withChunks)}`;
  const status = await askPlatform(settings, 'storage', path, async (database): Promise<StorageStatus> => {
    const sizes = await measureSizes(database, storagePlaces(settings.config));
    const { rawDays } = settings.config.retention;
    return { as_of: nowRfc3339(), ...(await readStorage(database, { rawDays, withChunks, sizes })) };
  });
  process.stdout.write(options.json === true ? `${JSON.stringify(status, null, 2)}\n` : storageText(status));
}
