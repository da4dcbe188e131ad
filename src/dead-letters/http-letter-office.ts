/** The dead letters of a running service, over its API. */
import { OperationalError } from '../telemetry/operational-error.js';
import type { DeadLetterOffice } from './dead-letter-office.js';
import type {
  GroupsQuery,
  LetterDetail,
  LetterGroups,
  LetterList,
  ListQuery,
  PurgeRequest,
  PurgeResult,
  ReplayRequest,
  ReplayResult,
} from './letter-schemas.js';

export class HttpLetterOffice implements DeadLetterOffice {
  readonly #url: string;
  readonly #key: string | undefined;

  /** @param url base URL of the service @param key API key, where the service asks for one */
  constructor(url: string, key?: string) {
    this.#url = url;
    this.#key = key;
  }

  list(query: ListQuery): Promise<LetterList> {
    return this.#ask('GET', `/v1/dead-letters?${parametersOf(query)}`);
  }

  groups(query: GroupsQuery): Promise<LetterGroups> {
    return this.#ask('GET', `/v1/dead-letters/groups?${parametersOf(query)}`);
  }

  show(id: string): Promise<LetterDetail> {
    return this.#ask('GET', `/v1/dead-letters/${encodeURIComponent(id)}`);
  }

  replay(request: ReplayRequest): Promise<ReplayResult> {
    return this.#ask('POST', '/v1/dead-letters/replay', request);
  }

  purge(request: PurgeRequest): Promise<PurgeResult> {
    return this.#ask('POST', '/v1/dead-letters/purge', request);
  }

  async #ask<T>(method: string, path: string, body?: object): Promise<T> {
    let response: Response;
    let text: string;
    try {
      response = await fetch(new URL(path, this.#url), {
        method,
        headers: {
          ...(this.#key === undefined ? {} : { authorization: `Bearer ${this.#key}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      text = await response.text();
    } catch (error) {
      // fetch rejects only when there is no answer; whatever became of the request, making it again is harmless.
      const message = `The service at ${this.#url} does not answer. When it is back, run the command again.`;
      throw new OperationalError('service_unavailable', message, { retryable: true, cause: error });
    }
    if (response.ok) return JSON.parse(text) as T;
    const usage = response.status === 400 || response.status === 404;
    throw new OperationalError(
      usage ? 'wrong_usage' : 'service_refused',
      `The service at ${this.#url} answers with ${response.status}: ${text.slice(0, 500)}`,
      { retryable: response.status >= 500 },
    );
  }
}

function parametersOf(query: object): string {
  const given = Object.entries(query).filter((entry): entry is [string, string | number] => entry[1] !== undefined);
  return new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)])).toString();
}
