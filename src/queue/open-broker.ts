/** Chooses the broker by `queue.url` and by nothing else. */
import { join } from 'node:path';
import type { Config } from '../config/schema.js';
import type { Events } from '../monitoring/events.js';
import type { SharedDirectoryLock } from '../storage/shared-directory-lock.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { openEmbeddedBroker } from './embedded-broker.js';
import type { Broker } from './queue.js';
import { openRabbitmqBroker } from './rabbitmq-broker.js';

/**
 * Opens the queues that the configuration names: without `queue.url` those below `dataDir`, which hold a share of the
 * directory's lock until they are closed.
 * @param directory of the process; without it the caller has locked the directory, and frees it after closing
 * @throws OperationalError `invalid_configuration`; of the embedded queue `queue_unwritable`, `queue_format_newer`; of
 *   RabbitMQ `queue_unavailable` (retryable), `queue_access_refused`, `queue_topology_mismatch`; and those of the lock
 */
export async function openBroker(
  config: Pick<Config, 'dataDir' | 'queue'>,
  events: Events,
  directory?: SharedDirectoryLock,
): Promise<Broker> {
  const { url: address } = config.queue;
  if (address === '') return openEmbedded(config, events, directory);
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || url.hostname === '' || !['amqp:', 'amqps:'].includes(url.protocol)) {
    throw new OperationalError(
      'invalid_configuration',
      'queue.url (not shown: it is a secret) is not the URL of a RabbitMQ server: write amqp://USER:PASSWORD@HOST:PORT/VHOST, or amqps:// for TLS',
    );
  }
  return await openRabbitmqBroker({ url, events });
}

async function openEmbedded(
  { dataDir, queue: { maxBytes, segmentBytes } }: Pick<Config, 'dataDir' | 'queue'>,
  events: Events,
  shared: SharedDirectoryLock | undefined,
): Promise<Broker> {
  const onClosed = await shared?.share();
  try {
    return await openEmbeddedBroker({ directory: join(dataDir, 'queue'), maxBytes, segmentBytes, events, onClosed });
  } catch (error) {
    onClosed?.();
    throw error;
  }
}
