/** `downhole storage`: how large everything is, what has become of the chunks, and when the disk is full. */
import type { StorageStatus } from '../console/api-schemas.js';
import { readStorage } from '../console/storage-query.js';
import { nowRfc3339 } from '../console/timestamps.js';
import { explainNoAnswer, ServiceClient } from '../gateway/service-client.js';
import { readDirectoryLock } from '../storage/directory-lock.js';
import { measureSizes } from '../storage/measure-sizes.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { loadQuietly, type GlobalOptions, type Settings } from './load-settings.js';
import { refuseOlderSchema } from './schema-state.js';
import { ownServiceAccess } from './service-access.js';
import { storagePlaces } from './storage-places.js';
import { storageText } from './storage-text.js';
import { withDatabase } from './with-database.js';

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
  const { config } = settings;
  const withChunks = options.chunks === true;
  const holder = config.database.url === '' ? readDirectoryLock(config.dataDir) : undefined;
  const status =
    holder?.serviceUrl == null
      ? await fromDatabase(settings, withChunks)
      : await fromService(settings, holder.serviceUrl, withChunks);
  process.stdout.write(options.json === true ? `${JSON.stringify(status, null, 2)}\n` : storageText(status));
}

function fromDatabase(settings: Settings, withChunks: boolean): Promise<StorageStatus> {
  return withDatabase(settings, 'storage', async (database) => {
    await refuseOlderSchema(database, settings);
    const sizes = await measureSizes(database, storagePlaces(settings.config));
    const { rawDays } = settings.config.retention;
    return { as_of: nowRfc3339(), ...(await readStorage(database, { rawDays, withChunks, sizes })) };
  });
}

async function fromService({ config }: Settings, url: string, withChunks: boolean): Promise<StorageStatus> {
  const service = new ServiceClient(ownServiceAccess(config, url));
  try {
    const answer = await service.call({ method: 'GET', path: `/v1/storage?chunks=${String(withChunks)}` });
    if (answer.status === 200) return JSON.parse(answer.text) as StorageStatus;
    throw new OperationalError(
      'service_refused',
      `The service at ${url} refused (${answer.status}): ${answer.text.slice(0, 500)} Give a key with the scope read in DOWNHOLE_API_KEY where it asks for one.`,
    );
  } catch (error) {
    if (error instanceof OperationalError) throw error;
    throw new OperationalError(
      'service_unavailable',
      `The service at ${url} holds the database and does not answer: ${explainNoAnswer(error)}.`,
      { retryable: true, cause: error },
    );
  } finally {
    service.close();
  }
}
