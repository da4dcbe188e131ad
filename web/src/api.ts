/** The read API from the browser's side: typed answers, one place that knows whether the service answers. */
import { signal } from '@preact/signals';

/** What the service said when it refused, or why it could not be asked. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: string;
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
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

const TIMEOUT_MS = 20_000;

/** GET a path of the read API. Rejects with an ApiError, or with an AbortError when `signal` was aborted. */
export async function getJson<T extends { as_of?: string }>(path: string, abort?: AbortSignal): Promise<T> {
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
    throw new ApiError(0, 'no_answer', 'The service does not answer.');
  }
  const body: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw refusal(response.status, body);
  awaySince.value = null;
  const answer = body as T;
  if (answer.as_of !== undefined) clockOffsetMs = Date.parse(answer.as_of) - Date.now();
  return answer;
}

function refusal(status: number, body: unknown): ApiError {
  const error = (body as { error?: { code?: string; message?: string } } | undefined)?.error;
  if (status >= 500) awaySince.value ??= Date.now();
  return new ApiError(status, error?.code ?? 'failed', error?.message ?? `The service answered with status ${status}.`);
}
