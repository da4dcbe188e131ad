// A program for tests to kill: a pipeline between the queue and the database that its argument names (JSON: `url` of a
// migrated database, `settings`). It says `{ ready: true }` to its parent and then answers the parent's messages.
import { buildPipeline } from '../../dist/src/commands/build-pipeline.js';
import { loadConfig } from '../../dist/src/config/load-config.js';
import { createEvents } from '../../dist/src/monitoring/events.js';
import { createLogger } from '../../dist/src/monitoring/logger.js';
import { Metrics } from '../../dist/src/monitoring/metrics.js';
import { LedgerKeeper } from '../../dist/src/pipeline/ledger-keeper.js';
import { LossLedger } from '../../dist/src/pipeline/loss-ledger.js';
import { startDeadLetterDrainer } from '../../dist/src/queue/dead-letter-drainer.js';
import { openBroker } from '../../dist/src/queue/open-broker.js';
import { LedgerStore } from '../../dist/src/storage/ledger-store.js';
import { openDatabase } from '../../dist/src/storage/open-database.js';
import { openDeviceState } from '../../dist/src/storage/open-device-state.js';

const overrides = JSON.parse(process.argv[2]);
const config = loadConfig({ environment: {}, overrides });
const metrics = new Metrics();
const events = createEvents(createLogger('error'), metrics);
const database = await openDatabase(config, events);
const broker = await openBroker(config, events);
const drainer = await startDeadLetterDrainer({ failed: broker.failed, database, events });
const state = await openDeviceState(config, database, events);
const ledger = new LossLedger(() => Date.now() * 1000);
const keeper = new LedgerKeeper({ ledger, sink: new LedgerStore(database), events });
const pipeline = await buildPipeline({ config, events }, database, broker, state, ledger);
await pipeline.start();

let peakBytes = 0;
setInterval(() => (peakBytes = Math.max(peakBytes, process.memoryUsage.rss())), 50).unref();

const commands = {
  /** Publishes bodies, each of so many records, blown up with blanks to `padBytes`. */
  async publish({ bodies, padBytes }) {
    const receivedUs = Date.now() * 1000;
    const messages = bodies.map(({ text, records }) => ({
      body: Buffer.from(text.padEnd(padBytes)),
      headers: { schemaVersion: 1, contentType: 'application/json', records, receivedUs, source: 'test' },
    }));
    await broker.telemetry.publish(messages);
    const accepted = bodies.reduce((sum, { records }) => sum + records, 0);
    events.emit('records_received', { accepted, rejected: 0, codes: {}, source: 'test' });
  },
  async look() {
    const [received, recovered, handedOver] = await Promise.all([
      metrics.value('telemetry_records_received_total'),
      metrics.value('telemetry_records_recovered_total'),
      metrics.value('telemetry_records_handed_over_total'),
    ]);
    const outcomes = {};
    for (const outcome of ['stored', 'merged', 'duplicate', 'dead_lettered'])
      outcomes[outcome] = await metrics.value('telemetry_records_total', { outcome });
    const { records, messages } = broker.telemetry.depth();
    return {
      came: received + recovered,
      went: records + handedOver + (await metrics.value('telemetry_records_total')),
      outcomes,
      waiting: messages + broker.failed.depth().messages,
      retries: await metrics.value('telemetry_write_retries_total'),
      rssBytes: process.memoryUsage.rss(),
      peakBytes: Math.max(peakBytes, process.memoryUsage.rss()),
    };
  },
  async stop() {
    await pipeline.stop();
    await state.close();
    await drainer.stop();
    await broker.close();
    await keeper.stop();
    await database.close();
  },
};

async function obey({ id, command, parameters }) {
  try {
    const answer = await commands[command](parameters);
    process.send({ id, answer });
  } catch (error) {
    process.send({ id, failure: { code: error.code ?? null, message: String(error.stack) } });
  }
  if (command === 'stop') process.disconnect();
}

process.on('message', (message) => void obey(message));
process.send({ ready: true });
