/**
 * Who may talk to the server at all. Without keys and TLS: programs on this machine, and pages that this server delivered;
 * binding to loopback keeps other machines out. The checks of Host and Origin keep out web pages that a browser happens
 * to show (DNS rebinding, cross-site requests).
 */
import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify';
import { OperationalError } from '../telemetry/operational-error.js';
import { HttpError } from './http-error.js';
import { isLoopback, type OwnNames } from './own-names.js';

/** @throws OperationalError `refused_bind` for an address that other machines could reach, unless keys and TLS protect it. */
export function refusePublicBind(host: string, { tls, requireKeys }: { tls: boolean; requireKeys: boolean }): void {
  if (isLoopback(host) || (tls && requireKeys)) return;
  const missing = [
    ...(requireKeys ? [] : ['keys that tell senders apart (http.requireKeys)']),
    ...(tls ? [] : ['TLS that keeps them secret (http.tls.certificateFile and http.tls.keyFile)']),
  ];
  throw new OperationalError(
    'refused_bind',
    `http.host is ${JSON.stringify(host)}, which other machines could reach, and that needs ${missing.join(' and ')}; ` +
      'turn that on, or set http.host to 127.0.0.1',
  );
}

/** `onRequest` hook: refuses requests whose Host or Origin is not this server, before anything of them is read. */
export function guardRequests(names: OwnNames, scheme: 'http' | 'https'): onRequestHookHandler {
  return (request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void => {
    const port = request.raw.socket.localPort ?? 0;
    const { host = '', origin } = request.headers;
    if (!names.has(host, port)) {
      const message =
        `the Host header is not this server; call it as ${scheme}://127.0.0.1:${port} or ${scheme}://localhost:${port}, ` +
        'or add the name to http.publicNames';
      return done(new HttpError(403, 'forbidden_host', message));
    }
    if (
      origin !== undefined &&
      !(origin.startsWith(`${scheme}://`) && names.has(origin.slice(scheme.length + 3), port))
    ) {
      const message = 'the request comes from a page of another origin; only pages of this server may call it';
      return done(new HttpError(403, 'forbidden_origin', message));
    }
    done();
  };
}

/** Sent with every answer. The page loads nothing from elsewhere and cannot be framed. */
export const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
} as const;
