/** The API from the browser's side: typed answers, one place that knows whether the service answers and lets one in. */
import { signal } from '@preact/signals';
import { noteRefused } from './session.js';

/** What the service said when it refused, or why it could not be asked. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: string;
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** When the service wants to be asked again; undefined where it did not say. */
  readonly retryAfterSeconds: number | undefined;

  constructor(status: number, code: string, message: string, retryAfterSeconds?: number) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
  }

  /** Whether the same request may succeed in a moment. */
  get retryable(): boolean {
    return this.status === 0 || this.status >= 500;
  }
}

/** Set while the service does not answer: since when, epoch milliseconds. */
export const awaySince = signal<number | null>(null);

/** Server clock − browser clock, milliseconds: "now" and ages follow the server. */
let clockOffsetMs = 0;

/** The server's clock, epoch milliseconds. */
export function serverNowMs(): number {
  return Date.now() + clockOffsetMs;
}

/** Where sessions begin and end. */
export const SESSION_PATH = '/v1/session';

const TIMEOUT_MS = 20_000;
/** What changes something may take longer: a request that was given up may have been carried out. */
const SEND_TIMEOUT_MS = 120_000;

/** GET a path of the read API. Rejects with an ApiError, or with an AbortError when `signal` was aborted. */
export async function getJson<T extends object>(path: string, abort?: AbortSignal): Promise<T> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  let response: Response;
  try {
    response = await fetch(path, {
      headers: { accept: 'application/json' },
      signal: abort === undefined ? timeout : AbortSignal.any([abort, timeout]),
    });
  } catch (error) {
    if (abort?.aborted === true) throw error;
    awaySince.value ??= Date.now();
    throw noAnswer();
  }
  const answer = await readAnswer<T>(response);
  // What was asked before somebody signed in, or on a page that was left, says nothing of the session in force.
  if (answer instanceof ApiError && answer.status === 401 && abort?.aborted !== true) noteRefused(answer.code);
  if (response.status >= 500) awaySince.value ??= Date.now();
  else awaySince.value = null;
  if (answer instanceof ApiError) throw answer;
  if ('as_of' in answer && typeof answer.as_of === 'string') clockOffsetMs = Date.parse(answer.as_of) - Date.now();
  return answer;
}

/**
 * Has the service do something, once: whoever asked is told of the failure, and decides. Rejects with an ApiError. The
 * browser adds the page's origin, without which the service does not act on a cookie.
 */
export async function sendJson<T>(method: 'POST' | 'DELETE', path: string, body?: object): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers: { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(SEND_TIMEOUT_MS),
    });
  } catch (error) {
    if (error instanceof Error) throw noAnswer();
    throw error;
  }
  const answer = await readAnswer<T>(response);
  if (!(answer instanceof ApiError)) return answer;
  // Refused at the door: unless it was the form that asked, the session is over.
  if (answer.status === 401 && path !== SESSION_PATH) noteRefused(answer.code);
  throw answer;
}

const noAnswer = (): ApiError => new ApiError(0, 'no_answer', 'The service does not answer.');

/** The body of an answer, or what it refuses with. */
async function readAnswer<T>(response: Response): Promise<T | ApiError> {
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok) return body as T;
  const { status, headers } = response;
  const error = (body as { error?: { code?: string; message?: string } } | undefined)?.error;
  const retryAfter = Number(headers.get('retry-after') ?? Number.NaN);
  return new ApiError(
    status,
    error?.code ?? 'failed',
    error?.message ?? `The service answered with status ${status}.`,
    Number.isFinite(retryAfter) ? retryAfter : undefined,
  );
}
