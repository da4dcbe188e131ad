/**
 * The keys in force, in memory: no request waits for the database because of its key. All of them are read again every
 * few seconds, so that a revocation takes effect within that time everywhere. While the database is away the ring stays
 * as it is for a day: telemetry goes on, and a revocation waits until it is back. After that no key is known any more.
 */
import type { Events } from '../../monitoring/events.js';
import type { Health } from '../../monitoring/readiness.js';
import type { Session } from '../../storage/database.js';
import { OperationalError } from '../../telemetry/operational-error.js';
import type { Scope } from '../scopes.js';
import { newApiKeyText } from './api-key.js';
import { DeviceSites } from './device-sites.js';
import { noteLastUse, readActiveKeys, type ActiveKey } from './key-table.js';

export interface KeyRingOptions {
  /** May reject while it is away, from the beginning on. */
  readonly database: Session;
  readonly events: Events;
  /** Most devices of the installation: beyond them a key of one site registers none. */
  readonly maxDevices: number;
  readonly refreshIntervalMs?: number;
  /** How long keys let in that could not be read again. */
  readonly trustMs?: number;
}

/** Within this time a revoked key stops to work. */
const REFRESH_INTERVAL_MS = 5000;
/** A night and a morning: long enough to get a database back, and an end to what a revoked key may do meanwhile. */
const TRUST_MS = 86_400_000;
/** How often last uses are written, and the sites of devices read again. */
const HOUSEKEEPING_INTERVAL_MS = 60_000;
/** A key that is not in the ring may have been made a moment ago: looked for at most so often, for all that ask. */
const LOOK_INTERVAL_MS = 1000;
/** A request waits no longer than this to hear whether its unknown key exists. */
const LONGEST_LOOK_MS = 5000;

export class KeyRing {
  /** Where devices are, for keys that are restricted to sites. */
  readonly sites: DeviceSites;
  readonly #database: Session;
  readonly #events: Events;
  #keys: ReadonlyMap<string, ActiveKey> = new Map();
  /** Of this process alone, stored nowhere. */
  readonly #ownKeys = new Map<string, ActiveKey>();
  #lastUsedUs = new Map<string, number>();
  #refreshing: Promise<void> | undefined;
  /** When the last successful reading began, milliseconds of a clock that does not jump. */
  #readAt = Number.NEGATIVE_INFINITY;
  /** When the last reading began, whatever became of it. */
  #triedAt = Number.NEGATIVE_INFINITY;
  readonly #trustMs: number;
  #failure: OperationalError | undefined;
  #noting: Promise<void> = Promise.resolve();
  readonly #timers: NodeJS.Timeout[];

  private constructor(options: KeyRingOptions) {
    this.#database = options.database;
    this.#events = options.events;
    this.#trustMs = options.trustMs ?? TRUST_MS;
    this.sites = new DeviceSites(options);
    this.#timers = [
      setInterval(() => void this.refresh(), options.refreshIntervalMs ?? REFRESH_INTERVAL_MS).unref(),
      setInterval(() => void this.#keepHouse(), HOUSEKEEPING_INTERVAL_MS).unref(),
    ];
  }

  /** Opens the ring and reads the keys; where the database is away it is empty at first, and says so. */
  static async open(options: KeyRingOptions): Promise<KeyRing> {
    const ring = new KeyRing(options);
    await ring.refresh();
    return ring;
  }

  /** The key of this id if the ring has it; no I/O. */
  peek(id: string): ActiveKey | undefined {
    return this.#ownKeys.get(id) ?? (this.#isTrusted ? this.#keys.get(id) : undefined);
  }

  get #isTrusted(): boolean {
    return performance.now() - this.#readAt <= this.#trustMs;
  }

  /** Whether keys can let in. */
  health(): Health {
    if (!this.#isTrusted)
      return {
        ok: false,
        detail: `no key lets in: ${this.#failure?.message ?? 'they have not been read for too long'}`,
      };
    if (this.#failure === undefined) return { ok: true, detail: `${this.#keys.size} keys in force` };
    const hours = Math.floor((this.#trustMs - (performance.now() - this.#readAt)) / 3_600_000);
    return { ok: true, detail: `those known here let in for ${hours} h more while they cannot be read again` };
  }

  /**
   * The key of this id after a look into the database.
   * @throws OperationalError `keys_unavailable` (retryable) when there can be no look: then nobody can say that it is wrong
   */
  async look(id: string): Promise<ActiveKey | undefined> {
    const since = performance.now() - LOOK_INTERVAL_MS;
    if (this.#readAt < since && (this.#triedAt < since || this.#refreshing !== undefined)) await this.#refreshInTime();
    const key = this.peek(id);
    if (key === undefined && this.#readAt < since)
      throw new OperationalError(
        'keys_unavailable',
        'the key is not known here, and the database that knows all keys is not available; send again later',
        { retryable: true },
      );
    return key;
  }

  /** Reads the keys again. Does not reject: what cannot be read stays as it was. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#read().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  /** As `refresh`, but with what was committed before the call in any case. */
  async refreshAfterChange(): Promise<void> {
    await this.#refreshing;
    await this.refresh();
  }

  async #read(): Promise<void> {
    const startedAt = performance.now();
    this.#triedAt = startedAt;
    try {
      const keys = await readActiveKeys(this.#database);
      this.#keys = new Map(keys.map((key) => [key.id, key]));
      this.#readAt = startedAt;
      this.#failure = undefined;
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
      if (this.#failure === undefined) this.#events.emit('keys_stale', { error }); // once an outage
      this.#failure = error;
    }
  }

  async #refreshInTime(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LONGEST_LOOK_MS);
    });
    await Promise.race([this.refresh(), tooLong]);
    clearTimeout(timer);
  }

  /** Remembers that a key was used; written a minute later at most. */
  used(id: string): void {
    this.#lastUsedUs.set(id, Date.now() * 1000);
  }

  /** Writes the uses since the last time. What cannot be written is tried again with the next. */
  noteUses(): Promise<void> {
    this.#noting = this.#noting.then(() => this.#note());
    return this.#noting;
  }

  async #keepHouse(): Promise<void> {
    await Promise.all([this.noteUses(), this.sites.refresh()]);
  }

  async #note(): Promise<void> {
    const uses = this.#lastUsedUs;
    if (uses.size === 0) return;
    this.#lastUsedUs = new Map();
    try {
      await noteLastUse(this.#database, uses);
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
      this.#events.emit('keys_stale', { error });
      for (const [id, us] of uses) if (!this.#lastUsedUs.has(id)) this.#lastUsedUs.set(id, us);
    }
  }

  /**
   * A key for a part of this very process, which dies with it.
   * @param id names that part in logs and sources: `simulator` becomes `key:simulator`
   */
  issueOwnKey(id: string, scopes: readonly Scope[]): string {
    const { text, secretHash } = newApiKeyText(id);
    this.#ownKeys.set(id, {
      id,
      secretHash,
      scopes: new Set(scopes),
      fleet: undefined,
      requestsPerSecond: Number.POSITIVE_INFINITY,
      recordsPerSecond: Number.POSITIVE_INFINITY,
      expiresAtMs: Number.POSITIVE_INFINITY,
    });
    return text;
  }

  /** Ends the refreshing and writes the last uses. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#refreshing;
    await this.noteUses();
  }
}
