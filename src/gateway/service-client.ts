/**
 * Calls a service of Downhole: over HTTP or HTTPS, with an API key where there is one, over connections that are kept. Node's
 * `fetch` would do, but it cannot be told whom to trust once the process runs.
 */
import { Agent as PlainAgent, request as startPlain, type ClientRequest, type IncomingMessage } from 'node:http';
import { Agent as SecureAgent, request as startSecure } from 'node:https';
import { checkServerIdentity, type ConnectionOptions, type PeerCertificate } from 'node:tls';

/** Where a service is and how to get in. */
export interface ServiceAccess {
  /** Base URL, e.g. https://127.0.0.1:8443. */
  readonly url: string;
  /** Shown as `Authorization: Bearer`; absent or empty: none. */
  readonly apiKey?: string;
  /** Asked for every connection, since certificates change; absent: what Node trusts, and the name in the URL. */
  readonly trust?: () => ServiceTrust;
}

export interface ServiceTrust {
  /** PEM: only what these vouch for, or are, is trusted. */
  readonly authorities: readonly string[];
  /** The name that the certificate has to have, where it is not the one in the URL. */
  readonly serverName?: string | undefined;
}

export interface ServiceCall {
  readonly method: string;
  readonly path: string;
  readonly body?: Uint8Array;
  readonly contentType?: string;
  readonly signal?: AbortSignal;
}

export interface ServiceAnswer {
  readonly status: number;
  readonly text: string;
  /** Seconds; NaN where the service does not say. */
  readonly retryAfterSeconds: number;
}

/** No service has more to say to a program; a stranger at the address may. */
const MAX_ANSWER_BYTES = 16_777_216;

export class ServiceClient {
  readonly url: string;
  readonly #access: ServiceAccess;
  readonly #isSecure: boolean;
  readonly #agent: PlainAgent | SecureAgent;

  constructor(access: ServiceAccess) {
    this.url = access.url;
    this.#access = access;
    this.#isSecure = new URL(access.url).protocol === 'https:';
    this.#agent = this.#isSecure ? new SecureAgent({ keepAlive: true }) : new PlainAgent({ keepAlive: true });
  }

  /**
   * One request and its answer, whatever its status. Redirects are not followed: the key is for this address.
   * Rejects when there is no answer; `explainNoAnswer` says why.
   */
  call({ method, path, body, contentType, signal }: ServiceCall): Promise<ServiceAnswer> {
    return new Promise((resolve, reject) => {
      const request = this.#start(new URL(path, this.url), {
        method,
        headers: {
          ...(contentType === undefined ? {} : { 'content-type': contentType }),
          ...(body === undefined ? {} : { 'content-length': String(body.length) }),
          ...(this.#access.apiKey ? { authorization: `Bearer ${this.#access.apiKey}` } : {}),
        },
        ...(signal === undefined ? {} : { signal }),
      });
      request.on('error', reject);
      request.once('response', (response) => {
        readAnswer(response).then(resolve, reject);
      });
      request.end(body);
    });
  }

  #start(url: URL, options: { method: string; headers: Record<string, string>; signal?: AbortSignal }): ClientRequest {
    if (!this.#isSecure) return startPlain(url, { ...options, agent: this.#agent });
    return startSecure(url, { ...options, ...trustOptions(this.#access.trust?.()), agent: this.#agent });
  }

  /** Closes what is kept open. */
  close(): void {
    this.#agent.destroy();
  }
}

function trustOptions(trust: ServiceTrust | undefined): ConnectionOptions {
  if (trust === undefined) return {};
  const { authorities, serverName } = trust;
  return {
    ca: [...authorities],
    // A certificate that is trusted by itself need not come with the authority that made it.
    allowPartialTrustChain: true,
    ...(serverName === undefined
      ? {}
      : { checkServerIdentity: (_host: string, shown: PeerCertificate) => checkServerIdentity(serverName, shown) }),
  };
}

async function readAnswer(response: IncomingMessage): Promise<ServiceAnswer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES) throw new Error('the answer is longer than any of this program');
    chunks.push(chunk);
  }
  return {
    status: response.statusCode ?? 0,
    text: Buffer.concat(chunks).toString('utf8'),
    retryAfterSeconds: Number(response.headers['retry-after'] ?? Number.NaN),
  };
}

const UNTRUSTED = /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|ERR_TLS_CERT_)/;

/** Why there was no answer, with the remedy where it is a certificate. */
export function explainNoAnswer(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = String((error as NodeJS.ErrnoException).code ?? '');
  if (!UNTRUSTED.test(code)) return error.message === '' ? code : error.message;
  return `its certificate is not trusted (${error.message}); name its authority with DOWNHOLE_HTTP_TLS_CA_FILE`;
}
