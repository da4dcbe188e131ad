/** The role `ingest`: takes telemetry over HTTP and answers 202 once the queue has it. */
import type { Pipeline } from '../pipeline/pipeline.js';
import type { ProcessParts } from './process-parts.js';
import { publishingProbe } from './probes.js';
import type { StartedRole } from './started-role.js';

/**
 * Opens the queues. No database is needed, so that telemetry is taken while there is none; only the ledger of what is
 * refused asks for one, and waits for it.
 * @param pipeline of this process, if it has one: then imports are taken as well, and holds for what they bring
 */
export async function startIngest(parts: ProcessParts, pipeline: Pipeline | undefined): Promise<StartedRole> {
  const broker = await parts.broker();
  const imports = pipeline === undefined ? {} : { pipeline, database: await parts.database() };
  return {
    http: { broker, ledger: parts.ledger(), ...imports },
    probes: [publishingProbe(broker.telemetry)],
  };
}
