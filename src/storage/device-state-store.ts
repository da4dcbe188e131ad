/** Device state in the table `device_state`. */
import type { Database } from './database.js';
import type { DeviceStateKind, DeviceStateStore, SavedState } from './device-state.js';

/** Devices a statement: keeps one save from holding up the writer that shares the connection. */
const DEVICES_PER_STATEMENT = 1000;

const LOAD_SQL = `
  SELECT device_id, state::text AS state FROM device_state WHERE kind = $1 AND device_id = ANY($2::text[])`;

const SAVE_SQL = `
  INSERT INTO device_state (device_id, kind, state, updated_at)
  SELECT device_id, $1, state::jsonb, now() FROM unnest($2::text[], $3::text[]) AS saved (device_id, state)
  ON CONFLICT (device_id, kind) DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at`;

/**
 * Numbers survive bit by bit: JavaScript writes the shortest decimal that reads back as the same double, and jsonb
 * keeps decimals exactly. What JSON or jsonb cannot say (NaN, ±Infinity, −0) is an array of one string.
 */
export class DatabaseDeviceStateStore implements DeviceStateStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async load(kind: DeviceStateKind, deviceIds: readonly string[]): Promise<Map<string, SavedState>> {
    const states = new Map<string, SavedState>();
    for (let from = 0; from < deviceIds.length; from += DEVICES_PER_STATEMENT) {
      const ids = deviceIds.slice(from, from + DEVICES_PER_STATEMENT);
      const rows = await this.#database.query<{ device_id: string; state: string }>(LOAD_SQL, [kind, ids]);
      for (const row of rows) states.set(row.device_id, decodeState(row.state));
    }
    return states;
  }

  async save(kind: DeviceStateKind, entries: ReadonlyMap<string, SavedState>): Promise<void> {
    // Sorted, so that two savers lock rows in the same order. The texts are made now: the caller's objects may change.
    const saved = [...entries].map(([id, state]) => [id, encodeState(state)] as const).sort(byId);
    for (let from = 0; from < saved.length; from += DEVICES_PER_STATEMENT) {
      const slice = saved.slice(from, from + DEVICES_PER_STATEMENT);
      await this.#database.execute(SAVE_SQL, [kind, slice.map(([id]) => id), slice.map(([, state]) => state)]);
    }
  }

  /** The database is asked itself, by whoever wants to know. */
  check(): Promise<string> {
    return Promise.resolve('in the database');
  }

  async close(): Promise<void> {
    // The database belongs to whoever opened it.
  }
}

function byId([a]: readonly [string, string], [b]: readonly [string, string]): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function encodeState(state: SavedState): string {
  return JSON.stringify(state, (_field, value: unknown) => {
    if (typeof value !== 'number' || (Number.isFinite(value) && !Object.is(value, -0))) return value;
    return [Object.is(value, -0) ? '-0' : String(value)];
  });
}

function decodeState(text: string): SavedState {
  return JSON.parse(text, (_field, value: unknown) => (Array.isArray(value) ? Number(value[0]) : value)) as SavedState;
}
