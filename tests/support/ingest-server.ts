/** The ingest API on a free port, with an embedded queue of its own. */
import type { FastifyInstance } from 'fastify';
import { loadConfig } from '../../src/config/load-config.js';
import { consoleRoutes } from '../../src/console/console-routes.js';
import { buildHttpServer, listenHttp, type HttpServerOptions } from '../../src/ingest/http-server.js';
import type { EventFields, EventName, Events } from '../../src/monitoring/events.js';
import { createEvents } from '../../src/monitoring/events.js';
import { createLogger } from '../../src/monitoring/logger.js';
import { Metrics } from '../../src/monitoring/metrics.js';
import { Readiness } from '../../src/monitoring/readiness.js';
import { openEmbeddedBroker } from '../../src/queue/embedded-broker.js';
import type { Broker, Delivery } from '../../src/queue/queue.js';
import { Client } from './client.js';
import { createTemporaryDirectory } from './temporary-directory.js';

export interface RecordedEvent {
  readonly name: EventName;
  readonly fields: object;
}

export interface IngestServer {
  readonly client: Client;
  readonly server: FastifyInstance;
  readonly broker: Broker;
  readonly metrics: Metrics;
  /** What was emitted, in order. */
  readonly events: RecordedEvent[];
  /** Log lines. */
  readonly log: string[];
  /** Takes everything out of the queue of telemetry. */
  drain(): Promise<Delivery[]>;
  close(): Promise<void>;
}

export interface IngestServerOptions extends Partial<Omit<HttpServerOptions, 'config'>> {
  readonly settings?: Record<string, unknown>;
  readonly queueMaxBytes?: number;
  /** Serves the read API and the page as well; needs a database. */
  readonly console?: boolean;
  /** Directory of a page that was built for the test. */
  readonly webRoot?: string;
  /** PEM of the authority that the client trusts. */
  readonly ca?: string;
}

export async function startIngestServer(options: IngestServerOptions = {}): Promise<IngestServer> {
  const { settings = {}, queueMaxBytes = 1_073_741_824, console = false, webRoot, routes = [], ca, ...rest } = options;
  const config = loadConfig({ environment: {}, overrides: { 'http.port': 0, ...settings } });
  const directory = createTemporaryDirectory('ingest');
  const metrics = new Metrics();
  const log: string[] = [];
  const recorded: RecordedEvent[] = [];
  const logged = createEvents(createLogger('debug', { write: (line) => void log.push(line) }), metrics);
  const events: Events = {
    emit<N extends EventName>(name: N, fields: EventFields<N>) {
      recorded.push({ name, fields });
      logged.emit(name, fields);
    },
  };
  const broker = await openEmbeddedBroker({
    directory: directory.path,
    maxBytes: queueMaxBytes,
    segmentBytes: 16_777_216,
    events,
  });
  const { database } = rest;
  const server = buildHttpServer({
    config,
    events,
    metrics,
    broker,
    version: '0.0.0-test',
    readiness: () => new Readiness([]).report(),
    ...rest,
    routes: [
      ...routes,
      ...(console && database
        ? [consoleRoutes({ database, metrics, broker, hasPipeline: true, config, events, webRoot })]
        : []),
    ],
  });
  const url = await listenHttp(server, config.http, events);

  return {
    // Node would expect a certificate for whatever name a test puts into the header Host.
    client: new Client(url, ca === undefined ? {} : { ca, servername: 'localhost' }),
    server,
    broker,
    metrics,
    events: recorded,
    log,
    drain: () => drain(broker),
    close: async () => {
      await server.close();
      await broker.close();
      await directory.remove();
    },
  };
}

async function drain(broker: Broker): Promise<Delivery[]> {
  const expected = broker.telemetry.depth().messages;
  const deliveries: Delivery[] = [];
  if (expected === 0) return deliveries;
  let arrived = (): void => undefined;
  const all = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const consumer = await broker.telemetry.consume(
    { prefetchMessages: expected, prefetchBytes: 1_073_741_824 },
    (delivery) => {
      deliveries.push(delivery);
      if (deliveries.length === expected) arrived();
    },
  );
  await all;
  await consumer.acknowledgeThrough(deliveries.at(-1)?.tag ?? 0);
  await consumer.stop();
  return deliveries;
}
