/** A thread that publishes into `telemetry_queue`, with confirms, what it has prepared; the other side says how far it may be ahead. */
import { parentPort, workerData } from 'node:worker_threads';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../../src/config/load-config.js';
import { openBroker } from '../../src/queue/open-broker.js';
import { silentEvents } from '../../tests/support/inspection.js';
import { telemetryMessages } from '../workload.js';

export interface PublishWork {
  readonly queueUrl: string;
  readonly dataDir: string;
  readonly records: number;
  readonly devices: number;
  /** Records published and not yet stored. */
  readonly mostAhead: number;
}

const MESSAGES_AT_ONCE = 200;

const { queueUrl, dataDir, records, devices, mostAhead } = workerData as PublishWork;
const messages = telemetryMessages({ records, endUs: Date.now() * 1000, devices });
const config = loadConfig({ environment: {}, overrides: { dataDir, 'queue.url': queueUrl } });
const broker = await openBroker(config, silentEvents());
let stored = 0;
parentPort?.on('message', (count: number) => (stored = count));
parentPort?.postMessage('ready');
let published = 0;
for (let at = 0; at < messages.length; at += MESSAGES_AT_ONCE) {
  while (published - stored > mostAhead) await sleep(5);
  const part = messages.slice(at, at + MESSAGES_AT_ONCE);
  await broker.telemetry.publish(part);
  published += part.reduce((sum, { headers }) => sum + (headers.records ?? 0), 0);
}
await broker.close();
parentPort?.close();
