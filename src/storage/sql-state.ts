/**
 * What a failed database call means. The one place that decides whether trying again can help.
 *
 * Model: telegraf's postgresql output. We differ where holding a batch is cheaper than giving up good records:
 * a statement timeout, a cancelled statement and an I/O error of the server are retried here.
 */
import { OperationalError } from '../telemetry/operational-error.js';

/**
 * - `transient`: the same call may succeed later.
 * - `data`: a value in the call is at fault; the rest of a batch may be fine.
 * - `permanent`: neither; somebody has to change the schema, the configuration or the program.
 */
export type FailureKind = 'transient' | 'data' | 'permanent';

/** Whole classes of SQLSTATE (its first two characters). */
const CLASS_KINDS: Readonly<Record<string, FailureKind>> = {
  '08': 'transient', // connection exception
  '22': 'data', // data exception: out of range, invalid text …
  '23': 'data', // integrity constraint violation
  '40': 'transient', // transaction rollback: deadlock, serialization failure
  '53': 'transient', // insufficient resources: disk full, out of memory, too many connections
  '57': 'transient', // operator intervention: shutdown, crash of another backend, statement timeout
  '58': 'transient', // system error outside PostgreSQL: I/O error
};

/** Single states that differ from their class. */
const STATE_KINDS: Readonly<Record<string, FailureKind>> = {
  '08P01': 'permanent', // protocol violation: a parameter too few, for one
  '25006': 'transient', // read only: a replica that is about to be promoted, or a primary that has just been demoted
  '25P03': 'transient', // idle in transaction timeout
  '25P04': 'transient', // transaction timeout
  '53400': 'permanent', // configuration limit exceeded
  '54000': 'data', // program limit exceeded: a value or row too large
  '55006': 'transient', // object in use
  '55P03': 'transient', // lock not available
  '57P04': 'permanent', // database dropped
};

/** Errors of the network as Node names them: the server is away, restarting, or not reachable at present. */
const NETWORK_CODES: ReadonlySet<string> = new Set([
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETRESET',
  'ENETUNREACH',
  'ENOENT', // the directory of a Unix socket while the server is down
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
]);

/** What `pg` says, without a code, when a connection goes away or cannot be had. */
const CONNECTION_MESSAGE =
  /^Connection terminated|timeout exceeded when trying to connect|connection error and is not queryable|^Client was closed/;

const SQL_STATE = /^[0-9A-Z]{5}$/;

const codeOf = (error: Error): string | null => ('code' in error && typeof error.code === 'string' ? error.code : null);

/** The SQLSTATE in an error or in one of its causes; null where the database never answered. */
export function sqlStateOf(error: unknown): string | null {
  for (let link = error; link instanceof Error; link = link.cause) {
    const code = codeOf(link);
    // Every error that PostgreSQL itself reports has a severity; EPIPE has five capital letters too.
    if (code !== null && 'severity' in link && SQL_STATE.test(code)) return code;
  }
  return null;
}

/** What a failure with this SQLSTATE means. */
export function failureKind(sqlState: string): FailureKind {
  return STATE_KINDS[sqlState] ?? CLASS_KINDS[sqlState.slice(0, 2)] ?? 'permanent';
}

/** Whether this is the connection's failure and not the statement's: the connection must not be used again. */
export function isConnectionFailure(error: unknown): boolean {
  const sqlState = sqlStateOf(error);
  if (sqlState !== null) return /^08(?!P01)|^57P0[1-35]$|^25P0[34]$/.test(sqlState);
  if (!(error instanceof Error)) return false;
  const code = codeOf(error);
  return (code !== null && NETWORK_CODES.has(code)) || CONNECTION_MESSAGE.test(error.message);
}

/** Several addresses were tried: the message of the whole is empty, those of the parts are not. */
const messageOf = (error: Error): string =>
  error instanceof AggregateError
    ? error.errors.map((part) => (part instanceof Error ? part.message : String(part))).join('; ')
    : error.message;

const detailOf = (error: Error): string =>
  'detail' in error && typeof error.detail === 'string' ? ` (${error.detail})` : '';

/**
 * An error of the database or of the way to it as an OperationalError: `database_unavailable` (nobody there),
 * `database_full`, `statement_failed`. Anything else is a programming error and comes back as it is.
 */
export function toDatabaseError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof OperationalError) return error;
  const sqlState = sqlStateOf(error);
  if (isConnectionFailure(error)) {
    return new OperationalError(
      'database_unavailable',
      `The database cannot be reached: ${messageOf(error)}. Is it running, and is database.url right?`,
      {
        retryable: true,
        cause: error,
      },
    );
  }
  if (sqlState === null) return error;
  const retryable = failureKind(sqlState) === 'transient';
  if (sqlState === '53100') {
    return new OperationalError(
      'database_full',
      `The database has no space left: ${error.message}. Free some on its disk; writing goes on by itself.`,
      {
        retryable,
        cause: error,
      },
    );
  }
  return new OperationalError(
    'statement_failed',
    `The database refused a statement: ${error.message}${detailOf(error)} [${sqlState}]`,
    {
      retryable,
      cause: error,
    },
  );
}

/** Calls after `close()`. */
export const databaseClosed = (): OperationalError =>
  new OperationalError('database_closed', 'The database is closed: the program is stopping.');

/** More calls wait than the bound allows. */
export const databaseBusy = (waiting: number): OperationalError =>
  new OperationalError('database_busy', `The database cannot keep up: ${waiting} calls are waiting. Try again later.`, {
    retryable: true,
  });
