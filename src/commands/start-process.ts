/** A process with some roles: started as a whole or not at all, stopped in the reverse order. */
import { checkAddress } from '../ingest/check-address.js';
import { Closers } from './closers.js';
import type { Settings } from './load-settings.js';
import { ProcessParts } from './process-parts.js';
import type { Role } from './roles.js';
import { findingsOf, refuse } from './refuse-unsafe-policy.js';
import { runSimulator } from './run-simulator.js';
import { serve } from './serve.js';
import { startRoles } from './start-roles.js';

export interface ProcessOptions {
  readonly version: string;
  readonly roles: readonly Role[];
  /** As it was called: `ingest`, `run ingest pipeline`, `up`. */
  readonly command: string;
  /** Whether it sends itself the telemetry of the simulated wells of the configuration. */
  readonly simulates?: boolean | undefined;
}

export interface RunningProcess {
  /** Where it answers. */
  readonly url: string;
  /** Never resolves; rejects when a role breaks down for good, which is a programming error. */
  readonly failed: Promise<never>;
  /** Requests are answered, batches under way are stored, the rest stays in the queue. */
  close(): Promise<void>;
}

/** Opens what the roles need, starts them and listens. @throws OperationalError */
export async function startProcess(settings: Settings, options: ProcessOptions): Promise<RunningProcess> {
  const { version, roles, command, simulates = false } = options;
  await checkAddress(settings.config.http);
  if (roles.includes('jobs')) refuse(findingsOf(settings.config));
  const closers = new Closers();
  try {
    const parts = new ProcessParts(settings, command);
    closers.add(() => parts.close());
    const started = await startRoles(parts, roles, closers);
    const server = await serve(parts, started, version);
    // Together: the server waits for its requests, and an import among them for a pipeline that holds what the
    // database does not take. Told to stop, it lets go of it.
    closers.addTogether([() => server.close(), ...started.map((role) => () => role.stop?.())]);
    if (takesImports(roles)) await parts.directory.setServiceUrl(server.url);
    if (simulates) {
      const simulator = await runSimulator(settings, await parts.database(), server.ownAccess('simulator', ['write']));
      closers.add(() => simulator?.stop());
    }
    // Put away first of all.
    closers.add(() => server.leave());
    const failed = Promise.race(started.flatMap((role) => role.failed ?? []));
    return { url: server.url, failed, close: () => closers.close() };
  } catch (error) {
    await closers.close();
    throw error;
  }
}

/** Then whoever finds the data directory taken may import through this process. */
const takesImports = (roles: readonly Role[]): boolean => roles.includes('ingest') && roles.includes('pipeline');
