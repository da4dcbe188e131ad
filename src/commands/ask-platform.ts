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
  const { config } = settings;
  const url = config.database.url === '' ? readDirectoryLock(config.dataDir)?.serviceUrl : undefined;
  if (url == null)
    return withDatabase(settings, command, async (database) => {
      await refuseOlderSchema(database, settings);
      return read(database);
    });
  const service = new ServiceClient(ownServiceAccess(config, url));
  try {
    return (await askService(service, path)) as T;
  } finally {
    service.close();
  }
}

/** The answer's JSON. Not tried again: a person does that. */
async function askService(service: ServiceClient, path: string): Promise<unknown> {
  const answer = await service.call({ method: 'GET', path }).catch((error: unknown) => {
    throw new OperationalError(
      'service_unavailable',
      `The service at ${service.url} holds the database and does not answer: ${explainNoAnswer(error)}.`,
      { retryable: true, cause: error },
    );
  });
  if (answer.status === 200) return JSON.parse(answer.text) as unknown;
  const isRefused = answer.status === 401 || answer.status === 403;
  const remedy = isRefused ? ' Give a key with the scope read in DOWNHOLE_API_KEY.' : '';
  throw new OperationalError(
    'service_refused',
    `The service at ${service.url} refused (${answer.status}): ${answer.text.slice(0, 500)}${remedy}`,
    { retryable: answer.status >= 500 },
  );
}
