/** What a route throws to refuse a request; the server's error handler gives it its shape. */

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
