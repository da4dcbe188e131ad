/** Bad requests as values: what a route throws to refuse one, and the shape in which every error leaves the API. */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { OperationalError } from '../telemetry/operational-error.js';

/** A request that cannot be answered; the message names the value and the remedy. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly statusCode: number;
  readonly code: string;
  readonly field: string | undefined;

  constructor(statusCode: number, code: string, message: string, field?: string) {
    super(message);
    this.statusCode = statusCode;
    this.code = code;
    this.field = field;
  }
}

export function notFound(what: string, remedy: string): RequestError {
  return new RequestError(404, 'not_found', `${what} is not known. ${remedy}`);
}

export function invalidParameter(field: string, message: string): RequestError {
  return new RequestError(400, 'invalid_parameter', message, field);
}

/** The query parameter that a schema violation is about: `/points` → `points`. */
function fieldOf(error: FastifyError): string {
  const first = error.validation?.[0];
  const extra: unknown = first?.params['additionalProperty'];
  return typeof extra === 'string' ? extra : (first?.instancePath ?? '').replaceAll('/', '');
}

/** Answers refused requests and unavailable dependencies; anything else is a defect and goes to the server's handler. */
export function answerError(error: FastifyError, _request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (error instanceof RequestError) {
    const { code, message, field } = error;
    return reply.code(error.statusCode).send({ error: { code, message, ...(field === undefined ? {} : { field }) } });
  }
  if (error.validation !== undefined) {
    const field = fieldOf(error);
    const message = `${error.message}. The parameters and their bounds are in /v1/openapi.json.`;
    return reply.code(400).send({ error: { code: 'invalid_parameter', message, field } });
  }
  if (error instanceof OperationalError) {
    return reply.code(503).send({ error: { code: error.code, message: error.message } });
  }
  throw error;
}
