/** Chooses the broker by `queue.url` and by nothing else. */
import { join } from 'node:path';
import type { Config } from '../config/schema.js';
import type { Events } from '../monitoring/events.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { openEmbeddedBroker } from './embedded-broker.js';
import type { Broker } from './queue.js';
import { openRabbitmqBroker } from './rabbitmq-broker.js';

/**
 * Opens the queues that the configuration names: without `queue.url` those below `dataDir`, which the caller has locked.
 * @throws OperationalError `invalid_configuration`; of the embedded queue `queue_unwritable`, `queue_format_newer`; of
 *   RabbitMQ `queue_unavailable` (retryable), `queue_access_refused`, `queue_topology_mismatch`
 */
export async function openBroker(config: Pick<Config, 'dataDir' | 'queue'>, events: Events): Promise<Broker> {
  const { url: address, maxBytes, segmentBytes } = config.queue;
  if (address === '') {
    return await openEmbeddedBroker({ directory: join(config.dataDir, 'queue'), maxBytes, segmentBytes, events });
  }
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || url.hostname === '' || !['amqp:', 'amqps:'].includes(url.protocol)) {
    throw new OperationalError(
      'invalid_configuration',
      'queue.url (not shown: it is a secret) is not the URL of a RabbitMQ server: write amqp://USER:PASSWORD@HOST:PORT/VHOST, or amqps:// for TLS',
    );
  }
  return await openRabbitmqBroker({ url, events });
}
