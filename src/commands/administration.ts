/**
 * Where administrative commands act: on the database or, while a service holds the embedded one, through the API of that
 * service. Each act leaves its entry in the audit log.
 */
import { userInfo } from 'node:os';
import type { Silence, TestAnswers } from '../alerts/alert-schemas.js';
import { createSilence, liftSilence, type NewSilence } from '../alerts/silences.js';
import { testChannels } from '../alerts/test-channels.js';
import { explainNoAnswer, ServiceClient } from '../gateway/service-client.js';
import { createKey, listKeys, revokeKey, type KeyInfo, type NewKey } from '../ingest/keys/key-table.js';
import { readAuditLog, type LoggedAct } from '../storage/audit-log.js';
import type { Database } from '../storage/database.js';
import { createHold, listHolds, releaseHold, type Hold, type NewHold } from '../storage/holds.js';
import { readDirectoryLock } from '../storage/directory-lock.js';
import { migrate, migrationStatus } from '../storage/migrator.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { formatTimestamp } from '../telemetry/timestamp.js';
import { alertChannels } from './alert-channels.js';
import type { Settings } from './load-settings.js';
import { refuseOlderSchema } from './schema-state.js';
import { ownServiceAccess } from './service-access.js';
import { withDatabase } from './with-database.js';

export interface Administration {
  /** @returns the key as text, which cannot be had again */
  createKey(key: NewKey): Promise<{ readonly text: string; readonly info: KeyInfo }>;
  /** The newest first. */
  listKeys(): Promise<readonly KeyInfo[]>;
  /** Resolves to undefined when there is no such key. */
  revokeKey(id: string): Promise<KeyInfo | undefined>;
  createHold(hold: NewHold): Promise<Hold>;
  /** The newest first. */
  listHolds(): Promise<readonly Hold[]>;
  /** Resolves to undefined when there is no such hold. */
  releaseHold(id: number): Promise<Hold | undefined>;
  /** Begins a maintenance window. */
  createSilence(silence: NewSilence): Promise<Silence>;
  /** Resolves to undefined when there is no such window. */
  liftSilence(id: number): Promise<Silence | undefined>;
  /** Sends a test alert through every channel. */
  testAlerts(): Promise<TestAnswers>;
  /** The newest first. @param sinceUs epoch microseconds; null: from the beginning */
  readAuditLog(sinceUs: number | null, limit: number): Promise<readonly LoggedAct[]>;
}

/**
 * Does `work` where it can be done.
 * @param command shown to whoever finds the data directory taken meanwhile
 * @throws OperationalError of the database, `schema_pending`, `service_unavailable`, `service_refused`
 */
export async function withAdministration<T>(
  settings: Settings,
  command: string,
  work: (administration: Administration) => Promise<T>,
): Promise<T> {
  const { config } = settings;
  const holder = config.database.url === '' ? readDirectoryLock(config.dataDir) : undefined;
  if (holder?.serviceUrl != null) {
    const service = new ServiceClient(ownServiceAccess(config, holder.serviceUrl));
    try {
      return await work(throughService(service));
    } finally {
      service.close();
    }
  }
  return withDatabase(settings, command, async (database) => {
    await prepareSchema(settings, database);
    return work(onDatabase(database, settings));
  });
}

/** The first key is made before the first start: then the tables are, too. A database in use is not migrated on the side. */
async function prepareSchema(settings: Settings, database: Database): Promise<void> {
  const { config, events, schemaSubset } = settings;
  const isEmpty = (await migrationStatus(database)).every(({ state }) => state === 'pending');
  if (!isEmpty) return refuseOlderSchema(database, settings);
  await migrate(database, { events, variables: { chunkHours: config.storage.chunkHours }, subset: schemaSubset });
}

function onDatabase(database: Database, { config }: Settings): Administration {
  const actor = `cli:${userName()}`;
  return {
    createKey: (key) => createKey(database, key, actor),
    listKeys: () => listKeys(database),
    revokeKey: (id) => revokeKey(database, id, actor),
    createHold: (hold) => createHold(database, hold, actor),
    listHolds: () => listHolds(database),
    releaseHold: (id) => releaseHold(database, id, actor),
    createSilence: (silence) => createSilence(database, silence, actor),
    liftSilence: (id) => liftSilence(database, id, actor),
    testAlerts: () => testChannels(database, alertChannels(config), actor),
    readAuditLog: (sinceUs, limit) => readAuditLog(database, sinceUs, limit),
  };
}

/** In a container the user may have a number only. */
function userName(): string {
  try {
    return userInfo().username;
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    return String(process.getuid?.() ?? 'unknown');
  }
}

function throughService(service: ServiceClient): Administration {
  return {
    async createKey(key) {
      const { key: text, ...info } = (await call(service, 'POST', '/v1/keys', {
        name: key.name,
        scopes: key.scopes,
        ...(key.sites === null ? {} : { sites: key.sites }),
        ...(key.devices === null ? {} : { devices: key.devices }),
        ...(key.requestsPerSecond === null ? {} : { requests_per_second: key.requestsPerSecond }),
        ...(key.recordsPerSecond === null ? {} : { records_per_second: key.recordsPerSecond }),
        ...(key.expiresAtUs === null ? {} : { expires_at: formatTimestamp(key.expiresAtUs) }),
      })) as KeyInfo & { key: string };
      return { text, info };
    },
    async listKeys() {
      return ((await call(service, 'GET', '/v1/keys')) as { keys: KeyInfo[] }).keys;
    },
    async revokeKey(id) {
      return (await call(service, 'DELETE', `/v1/keys/${encodeURIComponent(id)}`)) as KeyInfo | undefined;
    },
    async createHold({ deviceId, fromUs, toUs, reason, expiresAtUs }) {
      return (await call(service, 'POST', '/v1/holds', {
        ...(deviceId === null ? {} : { device_id: deviceId }),
        from: formatTimestamp(fromUs),
        to: formatTimestamp(toUs),
        reason,
        ...(expiresAtUs === null ? {} : { expires_at: formatTimestamp(expiresAtUs) }),
      })) as Hold;
    },
    async listHolds() {
      return ((await call(service, 'GET', '/v1/holds')) as { holds: Hold[] }).holds;
    },
    async releaseHold(id) {
      return (await call(service, 'DELETE', `/v1/holds/${id}`)) as Hold | undefined;
    },
    async createSilence({ device, site, rule, fromUs, toUs, reason }) {
      return (await call(service, 'POST', '/v1/alerts/silences', {
        ...(device === null ? {} : { device }),
        ...(site === null ? {} : { site }),
        ...(rule === null ? {} : { rule }),
        from: formatTimestamp(fromUs),
        to: formatTimestamp(toUs),
        reason,
      })) as Silence;
    },
    async liftSilence(id) {
      return (await call(service, 'DELETE', `/v1/alerts/silences/${id}`)) as Silence | undefined;
    },
    async testAlerts() {
      return (await call(service, 'POST', '/v1/alerts/test')) as TestAnswers;
    },
    async readAuditLog(sinceUs, limit) {
      const since = sinceUs === null ? '' : `&since=${encodeURIComponent(formatTimestamp(sinceUs))}`;
      return ((await call(service, 'GET', `/v1/audit?limit=${limit}${since}`)) as { entries: LoggedAct[] }).entries;
    },
  };
}

/** The answer's JSON; undefined for 404. Not tried again: a person does that. */
async function call(service: ServiceClient, method: string, path: string, body?: object): Promise<unknown> {
  const json = body === undefined ? {} : { body: Buffer.from(JSON.stringify(body)), contentType: 'application/json' };
  const answer = await service.call({ method, path, ...json }).catch((error: unknown) => {
    throw new OperationalError(
      'service_unavailable',
      `The service at ${service.url} holds the database and does not answer: ${explainNoAnswer(error)}.`,
      { retryable: true, cause: error },
    );
  });
  if (answer.status >= 200 && answer.status < 300) return JSON.parse(answer.text) as unknown;
  if (answer.status === 404) return undefined;
  const remedy =
    answer.status === 401 || answer.status === 403 ? ' Give a key with the scope admin in DOWNHOLE_API_KEY.' : '';
  throw new OperationalError(
    'service_refused',
    `The service at ${service.url} refused (${answer.status}): ${answer.text.slice(0, 500)}${remedy}`,
  );
}
