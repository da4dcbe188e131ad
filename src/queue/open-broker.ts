/** Chooses the broker by `queue.url` and by nothing else. */
import { join } from 'node:path';
import type { Config } from '../config/schema.js';
import type { Events } from '../monitoring/events.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { openEmbeddedBroker } from './embedded-broker.js';
import type { Broker } from './queue.js';

/**
 * Opens the queues that the configuration names: without `queue.url` those below `dataDir`, which the caller has locked.
 * @throws OperationalError `not_supported`, `queue_unwritable`, `queue_format_newer`
 */
export async function openBroker(config: Pick<Config, 'dataDir' | 'queue'>, events: Events): Promise<Broker> {
  const { url, maxBytes, segmentBytes } = config.queue;
  if (url !== '') {
    throw new OperationalError(
      'not_supported',
      'queue.url is set, and support for RabbitMQ arrives with the next release: leave it empty to use the embedded queue',
    );
  }
  return await openEmbeddedBroker({ directory: join(config.dataDir, 'queue'), maxBytes, segmentBytes, events });
}
