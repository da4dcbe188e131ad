/** The dead letters of a running service, over its API. */
import { explainNoAnswer, ServiceClient, type ServiceAccess, type ServiceAnswer } from '../gateway/service-client.js';
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
  readonly #service: ServiceClient;

  constructor(access: ServiceAccess) {
    this.#service = new ServiceClient(access);
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
    const { url } = this.#service;
    const json = body === undefined ? {} : { body: Buffer.from(JSON.stringify(body)), contentType: 'application/json' };
    let answer: ServiceAnswer;
    try {
      answer = await this.#service.call({ method, path, ...json });
    } catch (error) {
      // A call rejects only when there is no answer; whatever became of the request, making it again is harmless.
      const message = `The service at ${url} does not answer: ${explainNoAnswer(error)}. When it does, run the command again.`;
      throw new OperationalError('service_unavailable', message, { retryable: true, cause: error });
    }
    const { status, text } = answer;
    if (status >= 200 && status < 300) return JSON.parse(text) as T;
    const usage = status === 400 || status === 404;
    const remedy = status === 401 || status === 403 ? ' Give a key with the scope admin in DOWNHOLE_API_KEY.' : '';
    throw new OperationalError(
      usage ? 'wrong_usage' : 'service_refused',
      `The service at ${url} answers with ${status}: ${text.slice(0, 500)}${remedy}`,
      { retryable: status >= 500 },
    );
  }
}

function parametersOf(query: object): string {
  const given = Object.entries(query).filter((entry): entry is [string, string | number] => entry[1] !== undefined);
  return new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)])).toString();
}
