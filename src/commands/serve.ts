/** The HTTP side of a process: what its roles bring, and for all of them health and metrics. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { ServiceAccess } from '../gateway/service-client.js';
import type { Scope } from '../ingest/scopes.js';
import { buildHttpServer, listenHttp } from '../ingest/http-server.js';
import { KeyRing } from '../ingest/keys/key-ring.js';
import { Readiness, type Probe } from '../monitoring/readiness.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { Closers } from './closers.js';
import { databaseOnDemand } from './database-on-demand.js';
import { databaseProbe, diskProbe, keysProbe } from './probes.js';
import type { ProcessParts } from './process-parts.js';
import { trustIn } from './service-access.js';
import type { RoleHttp, StartedRole } from './started-role.js';

export interface RunningServer {
  readonly url: string;
  /** How a part of this very process gets in: with a key of its own, which nobody else has, where keys are required. */
  ownAccess(part: string, scopes: readonly Scope[]): ServiceAccess;
  /** Says that it is not ready, and for as long as `http.stopDelayMs` goes on as before. */
  leave(): Promise<void>;
  /** Takes no more requests and finishes those under way. */
  close(): Promise<void>;
}

/** Longer than the queue may take to confirm: who is not answered by then has not sent the whole request. */
const SLOWEST_REQUEST_MS = 15_000;

/** Starts to listen. Rejects with an OperationalError, e.g. `port_in_use`. */
export async function serve(
  parts: ProcessParts,
  roles: readonly StartedRole[],
  version: string,
): Promise<RunningServer> {
  const { config, events, metrics } = parts.settings;
  const closers = new Closers();
  try {
    const keys = config.http.requireKeys ? await openKeys(parts) : undefined;
    closers.add(() => keys?.close());
    const probes = roles.flatMap((role) => role.probes);
    if (keys !== undefined) probes.push(...keyProbes(parts, keys, probes));
    if (parts.directory.isHeld) probes.push(diskProbe(config));
    const readiness = new Readiness(probes);
    const server = buildHttpServer({
      config,
      events,
      metrics,
      version,
      readiness: () => readiness.report(),
      ...(keys === undefined ? {} : { keys }),
      ...roles.reduce<RoleHttp>((all, { http }) => ({ ...all, ...http }), {}),
      routes: roles.flatMap(({ http }) => http?.routes ?? []),
    });
    closers.add(() => closeInTime(server));
    const url = await listenHttp(server, config.http, events);
    // Without certificates the signal keeps its meaning: the terminal is gone.
    const reload = (): void => server.certificates?.reload();
    if (server.certificates !== null) process.on('SIGHUP', reload);
    closers.add(() => void process.off('SIGHUP', reload));
    const ownAccess = (part: string, scopes: readonly Scope[]): ServiceAccess => {
      const { certificates } = server;
      return {
        url,
        ...(keys === undefined ? {} : { apiKey: keys.issueOwnKey(part, scopes) }),
        ...(certificates === null ? {} : { trust: () => trustIn(certificates.current, url) }),
      };
    };
    const leave = async (): Promise<void> => {
      readiness.leave();
      await sleep(config.http.stopDelayMs);
    };
    return { url, ownAccess, leave, close: () => closers.close() };
  } catch (error) {
    await closers.close();
    throw error;
  }
}

/** The keys are in the database. A server that is away is waited for: until then nobody is let in. */
async function openKeys(parts: ProcessParts): Promise<KeyRing> {
  const { config, events } = parts.settings;
  try {
    await parts.database();
  } catch (error) {
    if (config.database.url === '' || !(error instanceof OperationalError && error.retryable)) throw error;
  }
  const database = databaseOnDemand(() => parts.database());
  return KeyRing.open({ database, events, maxDevices: config.pipeline.maxDevices });
}

/** Known keys let in without the database for a while: who needs it for nothing else is then degraded only. */
function keyProbes(parts: ProcessParts, keys: KeyRing, others: readonly Probe[]): Probe[] {
  const isLooked = others.some(({ name }) => name === 'database');
  return [keysProbe(keys), ...(isLooked ? [] : [databaseProbe(() => parts.database(), { isRequired: false })])];
}

/** Finishes the requests under way. A sender that dawdles is cut off: it has no answer, and sends again. */
async function closeInTime(server: FastifyInstance): Promise<void> {
  const timer = setTimeout(() => server.server.closeAllConnections(), SLOWEST_REQUEST_MS);
  try {
    await server.close();
  } finally {
    clearTimeout(timer);
  }
}
