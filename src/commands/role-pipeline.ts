/** The role `pipeline`: from the queue into the database. It also drains the dead letters into their table. */
import { startTelemetryRouter, type TelemetryRouter } from '../ingest/telemetry-router.js';
import type { Events } from '../monitoring/events.js';
import type { Pipeline } from '../pipeline/pipeline.js';
import { startDeadLetterDrainer } from '../queue/dead-letter-drainer.js';
import type { Broker } from '../queue/queue.js';
import { openDeviceState } from '../storage/open-device-state.js';
import { buildPipeline } from './build-pipeline.js';
import { Closers } from './closers.js';
import { HeldWrites } from './held-writes.js';
import type { ProcessParts } from './process-parts.js';
import { consumingProbe, stateProbe, writesProbe } from './probes.js';
import type { StartedRole } from './started-role.js';

export interface StartedPipeline extends StartedRole {
  readonly pipeline: Pipeline;
  readonly stop: () => Promise<void>;
}

/** Opens database, queues and device state, and begins to consume. Stopped, it leaves the rest in the queue. */
export async function startPipeline(parts: ProcessParts): Promise<StartedPipeline> {
  const { config, events } = parts.settings;
  const closers = new Closers();
  try {
    const database = await parts.database();
    const broker = await parts.broker();
    const drainer = await startDeadLetterDrainer({ failed: broker.failed, database, events });
    closers.add(() => drainer.stop());
    const state = await openDeviceState(config, database, events);
    closers.add(() => state.close());
    const writes = new HeldWrites(events);
    const settings = { config, events: writes };
    const pipeline = await buildPipeline(settings, database, broker, state, parts.ledger());
    const { finished } = await pipeline.start();
    closers.add(() => pipeline.stop());
    const router = await startRouter(broker, events);
    if (router !== undefined) closers.add(() => router.stop());
    return {
      pipeline,
      probes: [parts.databaseProbe(), consumingProbe(broker.telemetry), writesProbe(writes), stateProbe(state)],
      failed: router === undefined ? rejectionOf(finished) : Promise.race([rejectionOf(finished), router.failed]),
      stop: () => closers.close(),
    };
  } catch (error) {
    await closers.close();
    throw error;
  }
}

/** Where the queue has partitions, somebody has to sort what comes without one. */
async function startRouter(broker: Broker, events: Events): Promise<TelemetryRouter | undefined> {
  const { unpartitioned, telemetry, partitions } = broker;
  if (unpartitioned === undefined) return undefined;
  return await startTelemetryRouter({ unpartitioned, telemetry, partitions, events, nowUs: () => Date.now() * 1000 });
}

/** Ends as `finished` does where that is a failure, and never otherwise. */
function rejectionOf(finished: Promise<void>): Promise<never> {
  const failed = finished.then(() => new Promise<never>(() => undefined));
  failed.catch(() => undefined); // whoever runs the role waits for it; an import that ends first need not
  return failed;
}
