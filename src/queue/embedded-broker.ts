/** Both queues of the platform in one directory of one process, which the caller has locked. */
import { dirname, join } from 'node:path';
import type { Events } from '../monitoring/events.js';
import { EmbeddedQueue } from './embedded-queue.js';
import type { Broker } from './queue.js';
import { syncDirectory } from './segmented-log-files.js';

export interface EmbeddedBrokerOptions {
  readonly directory: string;
  /** Bound of each queue: bytes on disk that may be unacknowledged. The files may be longer by one segment. */
  readonly maxBytes: number;
  readonly segmentBytes: number;
  readonly events: Events;
  /** Called when nothing of it is in the directory any more. */
  readonly onClosed?: (() => void) | undefined;
}

/**
 * Opens the queues `telemetry` and `failed`, creating what is missing.
 * @throws OperationalError `queue_unwritable`, `queue_format_newer`
 */
export async function openEmbeddedBroker(options: EmbeddedBrokerOptions): Promise<Broker> {
  const { directory } = options;
  const openQueue = (name: string) => EmbeddedQueue.open({ ...options, name, directory: join(directory, name) });
  const telemetry = await openQueue('telemetry');
  try {
    const failed = await openQueue('failed');
    await syncDirectory(directory);
    await syncDirectory(dirname(directory));
    return new EmbeddedBroker(telemetry, failed, options.onClosed);
  } catch (error) {
    await telemetry.close();
    throw error;
  }
}

class EmbeddedBroker implements Broker {
  readonly telemetry: EmbeddedQueue;
  readonly failed: EmbeddedQueue;
  readonly partitions = 0;
  readonly #onClosed: (() => void) | undefined;

  constructor(telemetry: EmbeddedQueue, failed: EmbeddedQueue, onClosed: (() => void) | undefined) {
    this.telemetry = telemetry;
    this.failed = failed;
    this.#onClosed = onClosed;
  }

  async close(): Promise<void> {
    try {
      await this.telemetry.close();
      await this.failed.close();
    } finally {
      this.#onClosed?.();
    }
  }
}
