/**
 * At which site each device is, for keys that are restricted to sites. Kept in memory, so that a known device costs no I/O;
 * read again once a minute while it is in use, so that a device that moves is judged by its new site soon.
 */
import type { Events } from '../../monitoring/events.js';
import type { Session } from '../../storage/database.js';
import { OperationalError } from '../../telemetry/operational-error.js';

interface Entry {
  /** null: the device has none. */
  site: string | null;
  isUsed: boolean;
}

export interface DeviceSitesOptions {
  readonly database: Session;
  readonly events: Events;
  /** Beyond so many devices none is registered. */
  readonly maxDevices: number;
  /** Devices that are kept; the one met first is forgotten first. */
  readonly maxEntries?: number;
}

const MAX_ENTRIES = 200_000;
/** Devices in one query. */
const SLICE = 5000;

const READ_SQL = 'SELECT device_id, site FROM devices WHERE device_id = ANY($1::text[])';

/** As the pipeline registers them, but with their site; as many as there is room for. */
const REGISTER_SQL = `
  INSERT INTO devices (device_id, site)
  SELECT device_id, $2 FROM unnest($1::text[]) AS met (device_id)
  LIMIT greatest(0, $3::bigint - (SELECT count(*) FROM devices))
  ON CONFLICT (device_id) DO NOTHING`;

export class DeviceSites {
  readonly #options: DeviceSitesOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: DeviceSitesOptions) {
    this.#options = options;
  }

  /** The site of a device, null if it has none; undefined when it has to be looked up. No I/O. */
  peek(deviceId: string): string | null | undefined {
    const entry = this.#entries.get(deviceId);
    if (entry === undefined) return undefined;
    entry.isUsed = true;
    return entry.site;
  }

  /**
   * The sites of devices, in one query. Those that the database does not know are registered at `newSite`, where it is given.
   * @returns of all that exist now
   * @throws OperationalError when the database is away: then nobody can say whose they are
   */
  async look(deviceIds: readonly string[], newSite: string | undefined): Promise<ReadonlyMap<string, string | null>> {
    const { database, maxDevices } = this.#options;
    const found = await this.#read(deviceIds);
    const missing = deviceIds.filter((id) => !found.has(id));
    if (missing.length === 0 || newSite === undefined) return found;
    await database.execute(REGISTER_SQL, [missing, newSite, maxDevices]);
    // Somebody else may have registered them at the same moment, elsewhere: what stands in the table counts.
    for (const [id, site] of await this.#read(missing)) found.set(id, site);
    return found;
  }

  async #read(deviceIds: readonly string[]): Promise<Map<string, string | null>> {
    const rows = await this.#options.database.query<{ device_id: string; site: string | null }>(READ_SQL, [deviceIds]);
    for (const { device_id: id, site } of rows) this.#keep(id, site);
    return new Map(rows.map(({ device_id: id, site }) => [id, site]));
  }

  #keep(deviceId: string, site: string | null): void {
    this.#entries.set(deviceId, { site, isUsed: true });
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= (this.#options.maxEntries ?? MAX_ENTRIES)) break;
      this.#entries.delete(oldest);
    }
  }

  /** Reads the devices again that were in use since the last time, and forgets the others. What cannot be read stays. */
  async refresh(): Promise<void> {
    for (const [id, { isUsed }] of this.#entries) if (!isUsed) this.#entries.delete(id);
    const used = [...this.#entries.keys()];
    for (const { 1: entry } of this.#entries) entry.isUsed = false;
    try {
      for (let start = 0; start < used.length; start += SLICE) await this.#readAgain(used.slice(start, start + SLICE));
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
      for (const { 1: entry } of this.#entries) entry.isUsed = true; // or it would be forgotten while the database is away
      this.#options.events.emit('keys_stale', { error });
    }
  }

  async #readAgain(deviceIds: readonly string[]): Promise<void> {
    const rows = await this.#options.database.query<{ device_id: string; site: string | null }>(READ_SQL, [deviceIds]);
    const sites = new Map(rows.map(({ device_id: id, site }) => [id, site]));
    for (const id of deviceIds) {
      const entry = this.#entries.get(id);
      const site = sites.get(id);
      if (site === undefined) this.#entries.delete(id);
      else if (entry !== undefined) entry.site = site;
    }
  }
}
