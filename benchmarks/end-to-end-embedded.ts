/**
 * Everything a record goes through after HTTP, embedded: published durably to the queue, decoded, evaluated, written
 * with its key, acknowledged. Its limit is the raw binary COPY of the same rows, encoded beforehand, into the same
 * table: what the database takes when nothing else is done.
 */
import type { OutgoingMessage } from '../src/queue/queue.js';
import { TELEMETRY_COPY_TARGET } from '../src/storage/copy-encoder.js';
import type { Database } from '../src/storage/database.js';
import { encodedStreams } from './encoded-rows.js';
import { measurement, median, type Measurement } from './measurement.js';
import { withScratchPlatform, type ScratchPlatform } from './scratch-platform.js';
import { telemetryMessages } from './workload.js';

const RECORDS = 400_000;
const ROUNDS = 3;
/** Messages that a publisher has on their way: as many requests as a busy API has. */
const PUBLISH_WINDOW = 50;

export async function benchmarkEndToEndEmbedded(): Promise<Measurement> {
  const messages = telemetryMessages({ records: RECORDS, endUs: Date.now() * 1000 });
  return withScratchPlatform(async (platform) => {
    const encoded = [...encodedStreams(messages)];
    const rates: number[] = [];
    const limits: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      await platform.database.execute('TRUNCATE telemetry');
      limits.push(await recordsPerSecond(() => copyAll(platform.database, encoded)));
      await platform.database.execute('TRUNCATE telemetry');
      rates.push(await recordsPerSecond(() => publishAndDrain(platform, messages)));
    }
    return measurement(
      'end-to-end-embedded',
      median(rates),
      'records/s',
      'raw binary COPY of the same rows',
      median(limits),
    );
  });
}

async function recordsPerSecond(run: () => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  await run();
  return (RECORDS / (performance.now() - startedMs)) * 1000;
}

async function publishAndDrain(
  { broker, metrics }: ScratchPlatform,
  messages: readonly OutgoingMessage[],
): Promise<void> {
  const storedBefore = await metrics.value('telemetry_records_total', { outcome: 'stored' });
  for (let at = 0; at < messages.length; at += PUBLISH_WINDOW) {
    await Promise.all(messages.slice(at, at + PUBLISH_WINDOW).map((message) => broker.telemetry.publish([message])));
  }
  while (broker.telemetry.depth().messages > 0) await new Promise((resolve) => setTimeout(resolve, 2));
  // The last batch is counted a moment after it is acknowledged.
  await new Promise((resolve) => setTimeout(resolve, 2));
  const stored = (await metrics.value('telemetry_records_total', { outcome: 'stored' })) - storedBefore;
  if (stored !== RECORDS) throw new Error(`${stored} of ${RECORDS} records were stored`);
}

async function copyAll(database: Database, encoded: readonly Uint8Array[][]): Promise<void> {
  for (const chunks of encoded) await database.copyBinary(TELEMETRY_COPY_TARGET, chunks);
}
