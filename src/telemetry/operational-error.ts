/**
 * The one error type for operational failures: something outside the program did not do what it should.
 * (Bad data is a value, never an error; a programming error is any other Error, and crashes.)
 */
export class OperationalError extends Error {
  override readonly name = 'OperationalError';
  /** Stable, for programs: `database_unavailable`, `queue_full`, `directory_locked` … */
  readonly code: string;
  /** Whether the same call may succeed later without anyone changing anything. */
  readonly retryable: boolean;

  /** @param message what happened and what to do about it, in one or two sentences for a person. */
  constructor(code: string, message: string, options: { retryable?: boolean; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}
