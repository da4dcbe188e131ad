/**
 * What the pipeline knows about a device and must not forget when it restarts: running statistics, a detector's
 * state. Two implementations, one contract: a table (device-state-store.ts) and, on a server, Redis hashes
 * `device:{device_id}:stats`.
 */

/** One state: flat and with a field at least, so that it fits a hash. Numbers come back bit by bit as they were saved, −0 and NaN included. */
export type SavedState = Readonly<Record<string, number | string>>;

/** `stats`: running statistics; `det`: the detector's state. */
export type DeviceStateKind = 'stats' | 'det';

export interface DeviceStateStore {
  /** The saved states of these devices; devices without one are absent. Rejects with an OperationalError only. */
  load(kind: DeviceStateKind, deviceIds: readonly string[]): Promise<Map<string, SavedState>>;
  /** Saves, replacing what was saved before; resolves once it would survive a restart. Entries of one call may be saved in part. */
  save(kind: DeviceStateKind, entries: ReadonlyMap<string, SavedState>): Promise<void>;
  /** Where it is, in words. Rejects with an OperationalError while it does not answer. */
  check(): Promise<string>;
  /** Lets go of what the store itself has opened. */
  close(): Promise<void>;
}
