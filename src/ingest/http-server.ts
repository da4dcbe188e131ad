/**
 * The HTTP server: the ingest API, health, metrics and the OpenAPI document, and whatever routes other rooms bring.
 * The order in which a request is judged: connection limits, header limits, Host and Origin, key, scope and rate, content
 * type, size, then the route.
 */
import type { IncomingMessage } from 'node:http';
import type { Server as TlsServer } from 'node:tls';
import swagger from '@fastify/swagger';
import { Ajv } from 'ajv';
import type { FastifyInstance, FastifyPluginAsync } from 'fastify';
import type { Config } from '../config/schema.js';
import type { Events } from '../monitoring/events.js';
import type { Metrics } from '../monitoring/metrics.js';
import type { Broker } from '../queue/queue.js';
import type { Database } from '../storage/database.js';
import { scanBody } from './body-scan.js';
import { explainListenError } from './check-address.js';
import { createServer } from './create-server.js';
import { healthRoutes, type ReadinessCheck } from './health-routes.js';
import { holdRoutes } from './hold-routes.js';
import { createErrorHandler, HttpError } from './http-error.js';
import { importRoute, type ImportPipeline } from './import-route.js';
import { auditRoute } from './keys/audit-route.js';
import { Authenticator } from './keys/authenticator.js';
import type { KeyRing } from './keys/key-ring.js';
import { keyRoutes } from './keys/key-routes.js';
import { RateGuard } from './keys/rate-guard.js';
import { sessionRoutes } from './keys/session-routes.js';
import { Sessions } from './keys/sessions.js';
import { KnownPaths } from './known-paths.js';
import { openApiOptions } from './openapi.js';
import { isUnspecified, OwnNames } from './own-names.js';
import { BodyBudget, dropBody, readRequestBody } from './request-body.js';
import { guardRequests, refusePublicBind, SECURITY_HEADERS } from './request-guards.js';
import { watchScopes } from './route-scopes.js';
import { telemetryRoute, type RejectionLedger } from './telemetry-route.js';
import { checkCertificate, readCertificateFiles, type Certificate } from './tls/certificate.js';
import { CertificateWatch } from './tls/certificate-watch.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The handler takes the bytes of the body; without it the body is JSON and validated by the route's schema. */
    rawBody?: boolean;
  }
  interface FastifyInstance {
    /** The certificate in use; null without TLS. */
    certificates: CertificateWatch | null;
  }
}

export interface HttpServerOptions {
  readonly config: Pick<Config, 'http'>;
  readonly events: Events;
  readonly metrics: Metrics;
  /** Serves `/v1/telemetry`. */
  readonly broker?: Pick<Broker, 'telemetry' | 'partitions'>;
  readonly version: string;
  readonly readiness: ReadinessCheck;
  /** Serves `/v1/import`. */
  readonly pipeline?: ImportPipeline;
  /** Told of what `/v1/telemetry` refuses. */
  readonly ledger?: RejectionLedger;
  /** Serves `/v1/holds`, `/v1/keys` and `/v1/audit`. */
  readonly database?: Database;
  /** The keys that let in; has to be there where `http.requireKeys` is set. */
  readonly keys?: KeyRing;
  /** Epoch milliseconds: when keys and sessions expire. */
  readonly nowMs?: () => number;
  /** Routes of other rooms; their errors leave in the same shape. */
  readonly routes?: readonly FastifyPluginAsync[];
}

const MAX_JSON_DEPTH = 64;
const BODY_TYPES = /^application\/(json|x-ndjson|ndjson|jsonl|x-jsonl)(?=\s*(;|$))/i;

/**
 * Builds the server; `listenHttp` starts it, `close()` ends it after the requests under way.
 * @throws OperationalError `refused_bind` when the configuration asks for an address beyond this machine without keys and
 *   TLS; `certificate_unusable`
 */
export function buildHttpServer(options: HttpServerOptions): FastifyInstance {
  const { config, events, database } = options;
  const { host, requireKeys, tls } = config.http;
  const isSecure = tls.certificateFile !== '';
  refusePublicBind(host, { tls: isSecure, requireKeys });
  const certificate = isSecure ? checkCertificate(readCertificateFiles(tls), tls) : undefined;
  const server = createServer(config.http, certificate, events);
  const certificates = watchCertificate(server, certificate, options);
  const names = new OwnNames({
    ...config.http,
    certificateNames: () => certificates?.current.names ?? [],
    defaultPort: isSecure ? 443 : 80,
  });

  const paths = new KnownPaths();
  paths.watch(server);
  watchScopes(server);
  watchRequests(server, events);
  server.addHook('onRequest', guardRequests(names, isSecure ? 'https' : 'http'));
  const { keysRequired, authenticator, sessions, guard } = authenticate(server, options, isSecure);
  takeBodies(server, config);
  server.setErrorHandler(createErrorHandler(events));
  answerUnknownPaths(server, paths);
  // Answers are written as they are: a serializer compiled from a schema would silently leave out what it does not list.
  server.setSerializerCompiler(() => (data) => JSON.stringify(data));
  validateParts(server);

  server.register(swagger, openApiOptions(options.version, isSecure));
  if (options.broker !== undefined) {
    const { broker, ledger } = options;
    server.register(
      telemetryRoute({
        queue: broker.telemetry,
        partitions: broker.partitions,
        events,
        limits: config.http,
        guard,
        sites: options.keys?.sites,
        ledger,
      }),
    );
  }
  server.register(healthRoutes(options));
  server.register(sessionRoutes({ keysRequired, authenticator, sessions, guard }));
  if (options.pipeline !== undefined) server.register(importRoute(options.pipeline, config.http, guard));
  if (database !== undefined) {
    for (const routes of [holdRoutes(database), keyRoutes(database, options.keys), auditRoute(database)])
      server.register(routes);
  }
  for (const routes of options.routes ?? []) server.register(routes);
  server.register(async (scope) => {
    const route = { config: { scope: 'read', keepsToFleet: true }, schema: { hide: true } } as const;
    scope.get('/v1/openapi.json', route, async () => server.swagger());
  });
  return server;
}

function watchCertificate(
  server: FastifyInstance,
  current: Certificate | undefined,
  { config, events }: HttpServerOptions,
): CertificateWatch | undefined {
  if (current === undefined) {
    server.decorate('certificates', null);
    return undefined;
  }
  const secureServer = server.server as unknown as TlsServer;
  const watch = new CertificateWatch({ files: config.http.tls, current, server: secureServer, events });
  server.decorate('certificates', watch);
  server.addHook('onClose', () => watch.close());
  return watch;
}

interface Authentication {
  readonly keysRequired: boolean;
  readonly authenticator: Authenticator;
  readonly sessions: Sessions;
  readonly guard: RateGuard;
}

/** Has every request judged by its key before anything else of it is looked at. */
function authenticate(server: FastifyInstance, options: HttpServerOptions, isSecure: boolean): Authentication {
  const { events, keys, nowMs = () => Date.now() } = options;
  const { http } = options.config;
  const keysRequired = http.requireKeys;
  if (keysRequired && keys === undefined) throw new Error('keys are required, and the server has none to compare with');
  const sessions = new Sessions(nowMs, isSecure);
  const guard = new RateGuard(events);
  const rates = { requestsPerSecond: http.maxRequestsPerSecond, recordsPerSecond: http.maxRecordsPerSecond };
  const authenticator = new Authenticator({
    keys: keysRequired ? keys : undefined,
    sessions,
    guard,
    rates,
    events,
    nowMs,
  });
  server.decorateRequest('caller');
  server.addHook('onRequest', (request, _reply, done) => {
    request.caller = authenticator.stranger(request.ip);
    authenticator.admit(request, (refusal) => {
      if (refusal === undefined) return done();
      dropBody(request.raw, http.maxBodyBytes, () => done(refusal));
    });
  });
  return { keysRequired, authenticator, sessions, guard };
}

function watchRequests(server: FastifyInstance, events: Events): void {
  server.addHook('onRequest', async (request, reply) => {
    reply.headers(SECURITY_HEADERS).header('x-request-id', request.id);
  });
  server.addHook('onResponse', async (request, reply) => {
    events.emit('request_finished', {
      method: request.method,
      route: request.routeOptions.url ?? 'unknown',
      status: reply.statusCode,
      seconds: reply.elapsedTime / 1000,
      requestId: request.id,
    });
  });
}

/** Bodies come as bytes, bounded; routes that do not ask for bytes get them as JSON. */
function takeBodies(server: FastifyInstance, { http }: Pick<Config, 'http'>): void {
  const budget = new BodyBudget(http.maxPendingBytes);
  server.removeAllContentTypeParsers();
  server.addContentTypeParser(BODY_TYPES, async (request: { raw: IncomingMessage }) =>
    readRequestBody(request.raw, http.maxBodyBytes, budget),
  );
  server.addHook('onRequest', (request, reply, done) => {
    reply.raw.once('close', () => budget.release(request.raw));
    done();
  });
  server.addHook('preValidation', async (request) => {
    if (request.routeOptions.config.rawBody === true || !Buffer.isBuffer(request.body)) return;
    if (scanBody(request.body, 'application/json').depth > MAX_JSON_DEPTH)
      throw new HttpError(400, 'too_deep', `the body nests deeper than ${MAX_JSON_DEPTH} levels`);
    try {
      request.body = JSON.parse(request.body.toString('utf8'));
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw new HttpError(400, 'malformed_json', `the body is not JSON: ${error.message.slice(0, 160)}`);
    }
  });
}

function answerUnknownPaths(server: FastifyInstance, paths: KnownPaths): void {
  server.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0] as string;
    const methods = paths.methodsOf(path);
    if (methods.length > 0) {
      const message = `${request.method} is not a method of ${path.slice(0, 200)}; it has ${methods.join(', ')}`;
      return reply
        .code(405)
        .header('allow', methods.join(', '))
        .send({ error: { code: 'method_not_allowed', message } });
    }
    const message = `there is no ${path.slice(0, 200)}; the paths are in /v1/openapi.json`;
    return reply.code(404).send({ error: { code: 'not_found', message } });
  });
}

/** Bodies are taken as they are; what stands in a URL is text by nature and is converted. Nothing is left out silently. */
function validateParts(server: FastifyInstance): void {
  const settings = { strict: false, validateFormats: false, useDefaults: true, removeAdditional: false } as const;
  const body = new Ajv({ ...settings, coerceTypes: false });
  const url = new Ajv({ ...settings, coerceTypes: 'array' });
  server.setValidatorCompiler(({ schema, httpPart }) =>
    (httpPart === 'body' ? body : url).compile(schema as Record<string, unknown>),
  );
}

/**
 * Starts to listen and returns the URL for callers on this machine.
 * @throws OperationalError `port_in_use`, `port_not_permitted` or `address_not_available`
 */
export async function listenHttp(server: FastifyInstance, http: Config['http'], events: Events): Promise<string> {
  try {
    // With `localhost` fastify makes a second server for ::1, and that would not hear of a new certificate.
    const host = server.certificates !== null && http.host === 'localhost' ? '127.0.0.1' : http.host;
    const listening = await server.listen({ host, port: http.port });
    const url = isUnspecified(host) ? listening.replace(/\/\/.*:/, '//127.0.0.1:') : listening;
    events.emit('listening', { url });
    return url;
  } catch (error) {
    throw explainListenError(error, http);
  }
}
