/** The role `ingest`: takes telemetry over HTTP and answers 202 once the queue has it. */
import type { Pipeline } from '../pipeline/pipeline.js';
import type { ProcessParts } from './process-parts.js';
import { publishingProbe } from './probes.js';
import type { StartedRole } from './started-role.js';

export interface IngestPartners {
  /** Of this process, if it has one: then imports are taken as well, and holds for what they bring. */
  readonly pipeline: Pipeline | undefined;
  /** Whether another role of this process has the database open. */
  readonly hasDatabase: boolean;
}

/**
 * Opens the queues. No database is needed, so that telemetry is taken while there is none; only the ledger of what is
 * refused asks for one, and waits for it.
 */
export async function startIngest(
  parts: ProcessParts,
  { pipeline, hasDatabase }: IngestPartners,
): Promise<StartedRole> {
  const broker = await parts.broker();
  const imports = pipeline === undefined ? {} : { pipeline, database: await parts.database() };
  return {
    http: { broker, ...(mayWriteLedger(parts, hasDatabase) ? { ledger: parts.ledger() } : {}), ...imports },
    probes: [publishingProbe(broker.telemetry)],
  };
}

/**
 * An embedded database is not opened for the sake of a refused record: it belongs to the process with the pipeline,
 * which could not start meanwhile, and its tables may not be there yet.
 */
function mayWriteLedger({ settings: { config, events } }: ProcessParts, hasDatabase: boolean): boolean {
  if (hasDatabase || config.database.url !== '') return true;
  const warning =
    'what this process refuses is counted in its metrics and not in the loss ledger, since the embedded database belongs ' +
    'to the process with the pipeline; set database.url, or run both in one process';
  events.emit('configuration_doubtful', { warning });
  return false;
}
