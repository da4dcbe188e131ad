/** A server that requires keys, on a database of its own, with every route there is. */
import { KeyRing } from '../../src/ingest/keys/key-ring.js';
import { createKey, type NewKey } from '../../src/ingest/keys/key-table.js';
import type { Database } from '../../src/storage/database.js';
import type { Answer } from './client.js';
import { startIngestServer, type IngestServer, type IngestServerOptions } from './ingest-server.js';
import { startPostgres, type PostgresServer } from './postgres.js';
import { recordEvents, type RecordedEvents } from './record-events.js';
import { openPlainTarget } from './storage-targets.js';

export interface KeyedServer extends IngestServer {
  readonly postgres: PostgresServer;
  readonly database: Database;
  readonly keys: KeyRing;
  /** What the ring of keys had to say. */
  readonly ringEvents: RecordedEvents;
  /** The clock by which keys expire, epoch milliseconds. */
  setNow(ms: number): void;
  /** A new key that the server knows already. */
  makeKey(wanted: Partial<NewKey>): Promise<string>;
  /** A request with a key; POST when it has a body. */
  ask(key: string | undefined, path: string, body?: unknown, method?: string): Promise<Answer>;
}

/** @param options.trustMs how long keys let in that could not be read again */
export async function startKeyedServer({
  trustMs,
  ...options
}: IngestServerOptions & { trustMs?: number } = {}): Promise<KeyedServer> {
  const postgres = await startPostgres();
  const { database, remove } = await openPlainTarget(postgres);
  const ringEvents = recordEvents();
  let nowMs: number | undefined;
  const keys = await KeyRing.open({
    database,
    events: ringEvents,
    maxDevices: 50,
    // Tests say when: nothing happens in the background.
    refreshIntervalMs: 2 ** 30,
    ...(trustMs === undefined ? {} : { trustMs }),
  });
  const ingest = await startIngestServer({
    database,
    keys,
    nowMs: () => nowMs ?? Date.now(),
    console: true,
    pipeline: {
      ingestNow: async () => ({ outcomes: { stored: 1, merged: 0, duplicate: 0, dead_lettered: 0, rejected: 0 } }),
    },
    ...options,
    settings: { 'http.requireKeys': true, ...options.settings },
  });
  return {
    ...ingest,
    postgres,
    database,
    keys,
    ringEvents,
    setNow: (ms) => (nowMs = ms),
    async makeKey(wanted) {
      const { text } = await createKey(database, newKey(wanted), 'cli:test');
      await keys.refreshAfterChange();
      return text;
    },
    ask(key, path, body, method = body === undefined ? 'GET' : 'POST') {
      return ingest.client.request(path, {
        method,
        headers: {
          ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
      });
    },
    async close() {
      await ingest.close();
      await keys.close();
      await remove();
      await postgres.remove();
    },
  };
}

/** A key without restrictions, but for what is given. */
function newKey(wanted: Partial<NewKey>): NewKey {
  return {
    name: 'test',
    scopes: ['write'],
    sites: null,
    devices: null,
    requestsPerSecond: null,
    recordsPerSecond: null,
    expiresAtUs: null,
    ...wanted,
  };
}
