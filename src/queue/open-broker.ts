/** Chooses the broker by `queue.url` and by nothing else. */
import { join } from 'node:path';
import type { Config } from '../config/schema.js';
import type { Events } from '../monitoring/events.js';
import type { SharedDirectoryLock } from '../storage/shared-directory-lock.js';
import { openEmbeddedBroker } from './embedded-broker.js';
import type { Broker } from './queue.js';
import { rabbitmqAddress } from './rabbitmq-address.js';
import { openRabbitmqBroker } from './rabbitmq-broker.js';

/**
 * Opens the queues that the configuration names: without `queue.url` those below `dataDir`, which hold a share of the
 * directory's lock until they are closed.
 * @param directory of the process; without it the caller has locked the directory, and frees it after closing
 * @throws OperationalError `invalid_configuration`; of the embedded queue `queue_unwritable`, `queue_format_newer`; of
 *   RabbitMQ those of `connectionError` and `queue_topology_mismatch`; and those of the lock
 */
export async function openBroker(
  config: Pick<Config, 'dataDir' | 'queue'>,
  events: Events,
  directory?: SharedDirectoryLock,
): Promise<Broker> {
  if (config.queue.url === '') return openEmbedded(config, events, directory);
  const { partitions, consumePartitions } = config.queue;
  return await openRabbitmqBroker({ ...rabbitmqAddress(config.queue), partitions, consumePartitions, events });
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
