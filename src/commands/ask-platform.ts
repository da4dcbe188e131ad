/** Questions that a running service answers as well as the database itself does. */
import { explainNoAnswer, ServiceClient } from '../gateway/service-client.js';
import type { Database } from '../storage/database.js';
import { readDirectoryLock } from '../storage/directory-lock.js';
import { OperationalError } from '../telemetry/operational-error.js';
import type { Settings } from './load-settings.js';
import { refuseOlderSchema } from './schema-state.js';
import { ownServiceAccess } from './service-access.js';
import { withDatabase } from './with-database.js';

/** The part of a path after `?`; what is undefined is left out. */
export function queryText(values: Readonly<Record<string, string | number | undefined>>): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value !== undefined) given.set(name, String(value));
  return given.toString();
}

/**
 * The answer from the service that holds the embedded database; else from the database.
 * @param path of the read API, with its parameters
 * @throws OperationalError `service_unavailable`, `service_refused`, or what the database says
 */
export async function askPlatform<T>(
  settings: Settings,
  command: string,
  path: string,
  read: (database: Database) => Promise<T>,
): Promise<T> {
  return through(settings, command, { method: 'GET', path, scope: 'read' }, read);
}

/** The same for something that need not be there: then it is undefined. */
export async function lookUp<T>(
  settings: Settings,
  command: string,
  path: string,
  read: (database: Database) => Promise<T | undefined>,
): Promise<T | undefined> {
  return through<T | undefined>(settings, command, { method: 'GET', path, scope: 'read', mayBeMissing: true }, read);
}

/**
 * Has the service that holds the embedded database do something, or does it in the database.
 * @returns undefined for what is not there
 * @throws OperationalError as askPlatform
 */
export async function tellPlatform<T>(
  settings: Settings,
  command: string,
  { path, body }: { readonly path: string; readonly body: object },
  act: (database: Database) => Promise<T | undefined>,
): Promise<T | undefined> {
  return through<T | undefined>(
    settings,
    command,
    { method: 'POST', path, body, scope: 'admin', mayBeMissing: true },
    act,
  );
}

interface Question {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: object;
  /** That a key needs for it. */
  readonly scope: 'read' | 'admin';
  readonly mayBeMissing?: boolean;
}

async function through<T>(
  settings: Settings,
  command: string,
  question: Question,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  const { config } = settings;
  const url = config.database.url === '' ? readDirectoryLock(config.dataDir)?.serviceUrl : undefined;
  if (url == null)
    return withDatabase(settings, command, async (database) => {
      await refuseOlderSchema(database, settings);
      return work(database);
    });
  const service = new ServiceClient(ownServiceAccess(config, url));
  try {
    return (await askService(service, question)) as T;
  } finally {
    service.close();
  }
}

/** The answer's JSON. Not tried again: a person does that. */
async function askService(service: ServiceClient, question: Question): Promise<unknown> {
  const { method, path, body, scope, mayBeMissing = false } = question;
  const json = body === undefined ? {} : { body: Buffer.from(JSON.stringify(body)), contentType: 'application/json' };
  const answer = await service.call({ method, path, ...json }).catch((error: unknown) => {
    throw new OperationalError(
      'service_unavailable',
      `The service at ${service.url} holds the database and does not answer: ${explainNoAnswer(error)}.`,
      { retryable: true, cause: error },
    );
  });
  if (answer.status === 200) return JSON.parse(answer.text) as unknown;
  if (answer.status === 404 && mayBeMissing) return undefined;
  const isRefused = answer.status === 401 || answer.status === 403;
  const remedy = isRefused ? ` Give a key with the scope ${scope} in DOWNHOLE_API_KEY.` : '';
  throw new OperationalError(
    'service_refused',
    `The service at ${service.url} refused (${answer.status}): ${answer.text.slice(0, 500)}${remedy}`,
    { retryable: answer.status >= 500 },
  );
}
