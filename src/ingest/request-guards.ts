/**
 * Who may talk to a server that has no keys yet: programs on this machine, and pages that this server delivered.
 * The bind to loopback keeps other machines out; the checks of Host and Origin keep out web pages that a browser on
 * this machine happens to show (DNS rebinding, cross-site requests).
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { OperationalError } from '../telemetry/operational-error.js';
import { HttpError } from './http-error.js';

/** Whether a host name or address (without brackets) means this machine and no other. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1|::ffff:127(\.\d{1,3}){3})$/i.test(host);
}

/** @throws OperationalError `refused_bind` for an address that other machines could reach. */
export function refusePublicBind(host: string): void {
  if (isLoopback(host)) return;
  throw new OperationalError(
    'refused_bind',
    `http.host is ${JSON.stringify(host)}, which other machines could reach, and there are no keys yet to tell them apart; ` +
      'set http.host to 127.0.0.1 and put a tunnel or an authenticating proxy on this machine in front of it',
  );
}

/** Takes `host:port` apart; the port of a bare host is HTTP's 80. */
function splitAuthority(authority: string): { host: string; port: number } | undefined {
  const parts = /^(?:\[([0-9a-f:.]+)\]|([^:[\]/@\s]+))(?::(\d{1,5}))?$/i.exec(authority);
  if (parts === null) return undefined;
  return { host: (parts[1] ?? parts[2]) as string, port: parts[3] === undefined ? 80 : Number(parts[3]) };
}

function isOwn(authority: string, port: number): boolean {
  const parts = splitAuthority(authority);
  return parts !== undefined && isLoopback(parts.host) && parts.port === port;
}

/** `onRequest` hook: refuses requests whose Host or Origin is not this server, before anything of them is read. */
export function guardRequest(request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void {
  const port = request.raw.socket.localPort ?? 0;
  const { host = '', origin } = request.headers;
  if (!isOwn(host, port)) {
    const message = `the Host header is not this server; call it as http://127.0.0.1:${port} or http://localhost:${port}`;
    return done(new HttpError(403, 'forbidden_host', message));
  }
  if (origin !== undefined && !(origin.startsWith('http://') && isOwn(origin.slice(7), port))) {
    const message = 'the request comes from a page of another origin; only pages of this server may call it';
    return done(new HttpError(403, 'forbidden_origin', message));
  }
  done();
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
