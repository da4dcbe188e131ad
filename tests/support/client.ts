/** A client that can send what browsers and fetch refuse to: any header, broken bodies, half requests. */
import { once } from 'node:events';
import { request as startRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { request as startSecureRequest } from 'node:https';
import { connect } from 'node:net';
import type { ConnectionOptions } from 'node:tls';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body as JSON; throws when it is none. */
  json<T = Record<string, unknown>>(): T;
}

export interface RequestOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | undefined;
}

/** Talks to one server over real sockets, a connection per request. */
export class Client {
  readonly url: string;
  readonly port: number;
  readonly #tls: ConnectionOptions;

  /** @param tls for https: whom to trust, which version to speak */
  constructor(url: string, tls: ConnectionOptions = {}) {
    this.url = url;
    this.port = Number(new URL(url).port);
    this.#tls = tls;
  }

  async request(path: string, options: RequestOptions = {}): Promise<Answer> {
    const { method = 'GET', headers = {}, body } = options;
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const all = { method, headers: { ...length, ...headers }, agent: false };
    const url = `${this.url}${path}`;
    const request = url.startsWith('https:')
      ? startSecureRequest(url, { ...all, ...this.#tls })
      : startRequest(url, all);
    request.end(body);
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString('utf8');
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      text,
      json: <T>() => JSON.parse(text) as T,
    };
  }

  get(path: string): Promise<Answer> {
    return this.request(path);
  }

  /** Posts a value as JSON; text and bytes go as they are. */
  post(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const bytes = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
    return this.request(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: bytes,
    });
  }

  /** Writes bytes to a bare connection and returns everything that comes back until it is closed. */
  async exchange(text: string): Promise<string> {
    const socket = connect(this.port, '127.0.0.1');
    socket.write(text);
    const chunks: Buffer[] = [];
    for await (const chunk of socket as AsyncIterable<Buffer>) chunks.push(chunk);
    return Buffer.concat(chunks).toString('utf8');
  }
}
