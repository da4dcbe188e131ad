/** Device state in Redis: a hash `device:{device_id}:stats` or `:det` for every device. */
import { Redis } from 'ioredis';
import type { Events } from '../monitoring/events.js';
import { OperationalError } from '../telemetry/operational-error.js';
import type { DeviceStateKind, DeviceStateStore, SavedState } from './device-state.js';

/** Devices in one round trip: bounds the bytes in flight, and how long one transaction keeps other clients waiting. */
const DEVICES_PER_LOAD = 1000;
const DEVICES_PER_SAVE = 250;
/** A device that has been silent for so long is gone. Its baseline, which forgets within days, is no loss. */
const EXPIRY_SECONDS = 30 * 86_400;
/** Longest silence of a server that owes an answer; then the connection is given up. */
const ANSWER_TIMEOUT_MS = 5000;
const LONGEST_RECONNECT_MS = 2000;

const OPTIONS = {
  lazyConnect: true,
  connectionName: 'downhole',
  connectTimeout: ANSWER_TIMEOUT_MS,
  socketTimeout: ANSWER_TIMEOUT_MS,
  // While Redis is away a call fails at once: the pipeline goes on from memory and does not wait.
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  retryStrategy: (attempt: number) =>
    Math.min(LONGEST_RECONNECT_MS, 50 * 2 ** Math.min(attempt, 10)) * (0.5 + Math.random() / 2),
};

/** What Redis answers when it does not know who calls. */
const REFUSAL = /^(WRONGPASS|NOAUTH|ERR invalid password)/;

type Reply = readonly [error: Error | null, value: unknown];

/**
 * Everything in a hash is text. A number is the shortest decimal that reads back as the same double (`81.25`, `-0`,
 * `1e-7`, `NaN`, `-Infinity`), so that other programs can read `temp_mean` and `temp_std` as they always did; a string has
 * an apostrophe in front, as in a spreadsheet, so that the string `1` is not the number 1.
 *
 * What survives a restart of Redis is as new as its own persistence makes it. Whatever is missing afterwards is
 * learned again from stored rows (pipeline/device-states.ts).
 */
export class RedisDeviceStateStore implements DeviceStateStore {
  readonly #redis: Redis;
  readonly #where: string;
  readonly #password: string;
  /** Why there is no connection at present: a call that fails for want of one says so. */
  #connectionError: Error | undefined;

  private constructor(url: URL) {
    this.#redis = new Redis(url.href, OPTIONS);
    this.#where = url.host;
    this.#password = decodeURIComponent(url.password);
    // Without a listener ioredis writes to the terminal. Whoever makes the next call is told.
    this.#redis.on('error', (error: Error) => (this.#connectionError = error));
    this.#redis.on('ready', () => (this.#connectionError = undefined));
  }

  /**
   * Connects. A server that is not there is reported, and connected to when it is: nothing that Redis holds is worth
   * not taking records for.
   * @param url `redis://` or `rediss://`
   * @throws OperationalError `state_refused`: the server is there and does not let this user in
   */
  static async open(url: URL, events: Events): Promise<RedisDeviceStateStore> {
    const store = new RedisDeviceStateStore(url);
    try {
      await store.#redis.connect();
    } catch (reason) {
      const error = store.#failure(reason);
      if (REFUSAL.test(store.#connectionError?.message ?? '')) {
        await store.close();
        throw new OperationalError(
          'state_refused',
          `Redis at ${store.#where} lets nobody in with this user and password: correct them in state.url.`,
          { cause: error.cause },
        );
      }
      events.emit('device_state_unavailable', { devices: 0, error });
    }
    return store;
  }

  /**
   * Which Redis answers, in words; keeps no connection.
   * @throws OperationalError `state_unavailable`
   */
  static async inspect(url: URL): Promise<string> {
    const store = new RedisDeviceStateStore(url);
    try {
      await store.#redis.connect();
      await store.#redis.ping();
      const info = await store.#redis.info().catch(() => ''); // a user need not have the right to ask for it
      const fact = (name: string): string => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1] ?? 'unknown';
      return `Redis ${fact('redis_version')}, maxmemory-policy ${fact('maxmemory_policy')}`;
    } catch (reason) {
      throw store.#failure(reason);
    } finally {
      await store.close();
    }
  }

  async load(kind: DeviceStateKind, deviceIds: readonly string[]): Promise<Map<string, SavedState>> {
    const states = new Map<string, SavedState>();
    for (let from = 0; from < deviceIds.length; from += DEVICES_PER_LOAD) {
      const ids = deviceIds.slice(from, from + DEVICES_PER_LOAD);
      const replies = await this.#call(this.#redis.pipeline(ids.map((id) => ['hgetall', keyOf(kind, id)])));
      replies.forEach(([error, hash], index) => {
        // A key of another type is nobody's saved state, and the next save replaces it.
        if (error !== null && !error.message.startsWith('WRONGTYPE')) throw this.#failure(error);
        const state = error === null ? decodeHash(hash as Record<string, string>) : {};
        if (Object.keys(state).length > 0) states.set(ids[index] as string, state);
      });
    }
    return states;
  }

  async save(kind: DeviceStateKind, entries: ReadonlyMap<string, SavedState>): Promise<void> {
    // The texts are made now: the caller's objects may change.
    const saved = [...entries].map(([id, state]) => [keyOf(kind, id), encodeFields(state)] as const);
    for (let from = 0; from < saved.length; from += DEVICES_PER_SAVE) {
      const commands = saved.slice(from, from + DEVICES_PER_SAVE).flatMap(([key, fields]) => [
        ['del', key],
        ['hset', key, ...fields],
        ['expire', key, EXPIRY_SECONDS],
      ]);
      for (const [error] of await this.#call(this.#redis.multi(commands)))
        if (error !== null) throw this.#failure(error);
    }
  }

  async check(): Promise<string> {
    try {
      await this.#redis.ping();
      return `Redis at ${this.#where} answers`;
    } catch (reason) {
      throw this.#failure(reason);
    }
  }

  async close(): Promise<void> {
    this.#redis.disconnect();
    return Promise.resolve();
  }

  async #call(commands: {
    exec(): Promise<[error: Error | null, result: unknown][] | null>;
  }): Promise<readonly Reply[]> {
    try {
      return (await commands.exec()) ?? [];
    } catch (reason) {
      throw this.#failure(reason);
    }
  }

  /**
   * Every failure of a call is one that may pass: an operator may free memory or give a permission back, and until then
   * the pipeline goes on without. Only the text of ioredis' errors is passed on: they carry the command with its
   * arguments, the password among them.
   */
  #failure(reason: unknown): OperationalError {
    const lost = this.#connectionError ?? new Error('the connection was lost');
    const shown = this.#textOf(this.#redis.status === 'ready' ? reason : lost);
    return new OperationalError(
      'state_unavailable',
      `Redis at ${this.#where} is not available: ${shown}. Device state stays in memory and is saved when Redis is back.`,
      { retryable: true, cause: new Error(shown) },
    );
  }

  #textOf(reason: unknown): string {
    if (!(reason instanceof Error)) return String(reason);
    // A transaction that was refused says why in the errors of its commands.
    const first: unknown =
      'previousErrors' in reason && Array.isArray(reason.previousErrors) && reason.previousErrors[0];
    const text = first instanceof Error ? first.message : reason.message;
    return this.#password === '' ? text : text.replaceAll(this.#password, '***');
  }
}

const keyOf = (kind: DeviceStateKind, deviceId: string): string => `device:${deviceId}:${kind}`;

function encodeFields(state: SavedState): string[] {
  return Object.entries(state).flatMap(([field, value]) => [field, encodeValue(value)]);
}

function encodeValue(value: number | string): string {
  if (typeof value === 'string') return `'${value}`;
  return Object.is(value, -0) ? '-0' : String(value);
}

function decodeHash(hash: Readonly<Record<string, string>>): SavedState {
  return Object.fromEntries(
    Object.entries(hash).map(([field, text]) => [field, text.startsWith("'") ? text.slice(1) : Number(text)]),
  );
}
