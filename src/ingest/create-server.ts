/** The listening side: HTTP or, with a certificate, HTTPS, with its limits, before any route is known. */
import type { Socket } from 'node:net';
import { fastify, type FastifyInstance, type FastifyReply, type FastifyServerOptions } from 'fastify';
import { randomUUID } from 'node:crypto';
import type { Config } from '../config/schema.js';
import type { Events } from '../monitoring/events.js';
import type { Certificate } from './tls/certificate.js';
import { secureContext } from './tls/certificate-watch.js';
import { SECURITY_HEADERS } from './request-guards.js';

const MAX_HEADER_BYTES = 16_384;
const MAX_HEADERS = 100;
/** A percent-encoded device id of 128 characters outside ASCII. */
const MAX_PARAMETER_LENGTH = 128 * 12;
/** Whoever connects and then says nothing holds a connection no longer than this. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** @param certificate undefined: plain HTTP */
export function createServer(
  http: Config['http'],
  certificate: Certificate | undefined,
  events: Events,
): FastifyInstance {
  const limits = {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: Math.min(http.requestTimeoutMs, 20_000),
    connectionsCheckingInterval: Math.min(http.requestTimeoutMs, 5000),
  };
  const options = {
    logger: false,
    genReqId: () => randomUUID(),
    requestIdHeader: false,
    // Requests on open connections are served to the end, with Connection: close: queue and database close after the server.
    return503OnClosing: false,
    bodyLimit: http.maxBodyBytes,
    requestTimeout: http.requestTimeoutMs,
    keepAliveTimeout: http.keepAliveTimeoutMs,
    routerOptions: { maxParamLength: MAX_PARAMETER_LENGTH },
    clientErrorHandler: (error: ClientError, socket: Socket) => answerUnreadable(error, socket, events),
    // The router's own refusals, before any hook ran. Its reply is generic beyond use.
    frameworkErrors: (error, _request, reply) => {
      const message = `the path cannot be read: ${error.message.slice(0, 200)}`;
      (reply as unknown as FastifyReply)
        .code(400)
        .headers(SECURITY_HEADERS)
        .send({ error: { code: 'malformed_url', message } });
    },
  } satisfies FastifyServerOptions;
  const server =
    certificate === undefined
      ? fastify({ ...options, http: limits })
      : // The routes do not care which of the two they are served by.
        (fastify({
          ...options,
          https: { ...limits, ...secureContext(certificate), handshakeTimeout: HANDSHAKE_TIMEOUT_MS },
        }) as unknown as FastifyInstance);
  server.server.maxConnections = http.maxConnections;
  server.server.maxHeadersCount = MAX_HEADERS;
  return server;
}

type ClientError = Error & { code?: string; reason?: string };

/** What Node could not read as HTTP never reaches a route: answered on the bare socket. */
function answerUnreadable(error: ClientError, socket: Socket, events: Events): void {
  const tlsFailure = tlsFailureOf(error);
  if (tlsFailure !== undefined)
    events.emit('tls_failed', { reason: tlsFailure, address: socket.remoteAddress ?? null });
  if (tlsFailure !== undefined || !socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [status, code, message] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? ['431 Request Header Fields Too Large', 'headers_too_large', `the headers exceed ${MAX_HEADER_BYTES} bytes`]
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ['408 Request Timeout', 'request_timeout', 'the request took too long to arrive; send it again']
        : ['400 Bad Request', 'malformed_request', 'this is not HTTP/1.1 as RFC 9112 has it'];
  const body = JSON.stringify({ error: { code, message } });
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

const TLS_FAILURES: Readonly<Record<string, string>> = {
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'old_protocol',
  ERR_SSL_HTTP_REQUEST: 'plain_http',
  ERR_TLS_HANDSHAKE_TIMEOUT: 'timeout',
};

/** Why TLS did not come about or broke; undefined when it is not about TLS. */
function tlsFailureOf({ code = '', message }: ClientError): string | undefined {
  // How Node words it when the other side goes away in the middle of a handshake.
  if (code === 'ECONNRESET' && message.includes('TLS')) return 'connection_lost';
  if (!code.startsWith('ERR_SSL_') && !code.startsWith('ERR_TLS_') && code !== 'EPROTO') return undefined;
  // The client's alert: it does not know the authority, or the certificate is expired or of another name.
  if (/ALERT.*(CERTIFICATE|UNKNOWN_CA)/.test(code)) return 'certificate_refused';
  return TLS_FAILURES[code] ?? 'other';
}
