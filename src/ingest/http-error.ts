/** How everything that goes wrong leaves the API: `{"error": {"code", "message", "field"?}}`, never a stack trace. */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import type { Events } from '../monitoring/events.js';
import { OperationalError } from '../telemetry/operational-error.js';

/** A request that is refused; the message names what is wrong and the remedy. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly statusCode: number;
  readonly code: string;
  readonly field: string | undefined;
  /** When to come back; for 429. */
  readonly retryAfterSeconds: number | undefined;

  constructor(statusCode: number, code: string, message: string, field?: string, retryAfterSeconds?: number) {
    super(message);
    this.statusCode = statusCode;
    this.code = code;
    this.field = field;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** Seconds after which a sender should try again: a full queue drains thousands of records in that time. */
const RETRY_AFTER_SECONDS = 2;

interface Answer {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly field?: string | undefined;
}

/** What fastify's own refusals are called here. */
const FRAMEWORK_CODES: Readonly<Record<string, Pick<Answer, 'code' | 'message'>>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    code: 'unsupported_media_type',
    message: 'the content type is not taken; send Content-Type: application/json or application/x-ndjson',
  },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    code: 'incomplete_body',
    message: 'the body has not the length that Content-Length says; send it again',
  },
  FST_ERR_BAD_URL: { code: 'malformed_url', message: 'the path cannot be decoded; percent-encode it as UTF-8' },
};

function answerTo(error: FastifyError, requestId: string): Answer {
  if (error instanceof OperationalError)
    return { status: error.retryable ? 503 : 500, code: error.code, message: error.message };
  const status = error.statusCode ?? 500;
  if (error.validation !== undefined) {
    const first = error.validation[0];
    const extra: unknown = first?.params['additionalProperty'];
    const field = typeof extra === 'string' ? extra : (first?.instancePath ?? '').slice(1).replaceAll('/', '.');
    const message = `${error.message}; the parameters and their bounds are in /v1/openapi.json`;
    return { status: 400, code: 'invalid_request', message, field };
  }
  if (status >= 400 && (status < 500 || error instanceof HttpError)) {
    const framework = FRAMEWORK_CODES[error.code];
    const field: unknown = 'field' in error ? error.field : undefined;
    return {
      status,
      code: framework?.code ?? (error.code?.startsWith('FST_') === false ? error.code : 'bad_request'),
      message: framework?.message ?? error.message,
      field: typeof field === 'string' ? field : undefined,
    };
  }
  return {
    status: 500,
    code: 'internal_error',
    message: `the request failed for a reason that is not yours; the log says why under request id ${requestId}`,
  };
}

/** The error handler of the server. What is neither a refusal nor a passing outage is a defect, and logged as one. */
export function createErrorHandler(events: Events) {
  return (error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const { status, code, message, field } = answerTo(error, request.id);
    if (status === 500) events.emit('request_failed', { error, requestId: request.id });
    const retryAfter = error instanceof HttpError ? error.retryAfterSeconds : undefined;
    if (status === 503 || status === 429) reply.header('retry-after', String(retryAfter ?? RETRY_AFTER_SECONDS));
    if (status === 401) reply.header('www-authenticate', 'Bearer realm="downhole"');
    // Fastify closes the connection after a refused body, in case more of it comes. Where it has come in full, there is no need.
    if (request.raw.complete) reply.removeHeader('connection');
    return reply.code(status).send({ error: { code, message, ...(field === undefined ? {} : { field }) } });
  };
}
