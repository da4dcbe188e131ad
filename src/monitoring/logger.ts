/** Structured log lines, one JSON object each, on stderr: stdout is for the results of commands. */
import { destination as openDestination, pino, stdTimeFunctions, type DestinationStream, type Logger } from 'pino';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Fields that hold secrets wherever they are logged. */
const SECRET_FIELDS = ['authorization', 'cookie', 'password', 'secret', 'apiKey', 'token', 'connectionString'];
/** The password in a URL, also within the message of an error: postgres://user:password@host. */
const URL_PASSWORD = /([a-z][a-z0-9+.-]*:\/\/[^\s:/@"\\]*):[^\s/@"\\]+@/gi;

/** The secret of an API key, wherever somebody put it: of dh_<id>_<secret> the id may be seen. */
const KEY_SECRET = /\bdh_([a-z0-9]{8,32})_[A-Za-z0-9_-]{43}/g;

/**
 * The logger of a process. Secrets are masked by field name, passwords in URLs and API keys wherever they stand.
 *
 * @param destination where lines go; stderr by default, written synchronously so that the last line before a crash is there.
 */
export function createLogger(
  level: LogLevel,
  destination: DestinationStream = openDestination({ fd: 2, sync: true }),
): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]), censor: '***' },
      hooks: { streamWrite: (line) => line.replace(URL_PASSWORD, '$1:***@').replace(KEY_SECRET, 'dh_$1_***') },
    },
    destination,
  );
}
