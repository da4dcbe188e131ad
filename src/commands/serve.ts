/** The HTTP side of a process: ingest API, read API, console page. */
import { consoleRoutes } from '../console/console-routes.js';
import { buildHttpServer, listenHttp } from '../ingest/http-server.js';
import { KeyRing } from '../ingest/keys/key-ring.js';
import { OperationalError } from '../telemetry/operational-error.js';
import type { Settings } from './load-settings.js';
import type { Platform } from './open-platform.js';

export interface RunningServer {
  readonly url: string;
  /** Ends the requests under way, and with them the pipeline. */
  close(): Promise<void>;
}

/** Starts to listen and tells the directory lock where. Rejects with an OperationalError, e.g. `port_in_use`. */
export async function serve(
  { config, events, metrics }: Settings,
  platform: Platform,
  version: string,
): Promise<RunningServer> {
  const { database, broker, pipeline } = platform;
  const keys = config.http.requireKeys ? await KeyRing.open({ database, events }) : undefined;
  const server = buildHttpServer({
    config,
    events,
    metrics,
    broker,
    pipeline,
    database,
    ...(keys === undefined ? {} : { keys }),
    version,
    readiness: async () => ({ database: await databaseState(platform), queue: queueState(platform) }),
    routes: [consoleRoutes({ database, metrics, broker, config })],
  });
  const url = await listenHttp(server, config.http, events);
  platform.lock.setServiceUrl(url);
  // Both at once: the server waits for its requests, and an import among them for a pipeline that holds what the
  // database does not take. Told to stop, it lets go of it.
  return {
    url,
    close: async () => {
      await Promise.all([server.close(), pipeline.stop()]);
      await keys?.close();
    },
  };
}

async function databaseState({ database }: Platform): Promise<{ ok: boolean; detail: string }> {
  try {
    await database.query('SELECT 1');
    return { ok: true, detail: `PostgreSQL ${database.capabilities.postgresVersion}` };
  } catch (error) {
    if (!(error instanceof OperationalError)) throw error;
    return { ok: false, detail: error.message };
  }
}

function queueState({ broker }: Platform): { ok: boolean; detail: string } {
  const { records, bytes } = broker.telemetry.depth();
  return { ok: true, detail: `${records} records (${bytes} bytes) in flight` };
}
