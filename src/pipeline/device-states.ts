/**
 * What devices taught the evaluator, kept across restarts: loaded when a device is first seen, saved every few
 * seconds and at stop, and after a crash brought up to date from the rows stored since.
 */
import { CHANNEL_COUNT, CHANNEL_NAMES } from '../telemetry/channels.js';
import type { Events } from '../monitoring/events.js';
import { ReadingBatch } from '../telemetry/reading-batch.js';
import type { DeviceStateStore, SavedState } from '../storage/device-state.js';
import type { StoredRow } from '../storage/newer-rows.js';
import type { DeviceTable } from './device-table.js';
import type { Evaluator, EvaluatorState } from './evaluator.js';

/** Reads the rows of some devices that are newer than a time each, for catching up. */
export type ReadNewerRows = (since: ReadonlyMap<string, number>) => Promise<readonly StoredRow[]>;

/** How far back a device without saved state learns from its stored rows. */
const UNSAVED_HORIZON_US = 24 * 3600 * 1e6;

export class DeviceStates {
  readonly #store: DeviceStateStore;
  readonly #evaluator: Evaluator;
  readonly #devices: DeviceTable;
  readonly #readNewerRows: ReadNewerRows;
  readonly #detectorName: string;
  readonly #events: Events;
  readonly #nowUs: () => number;
  readonly #dirty = new Set<number>();

  constructor(options: {
    store: DeviceStateStore;
    evaluator: Evaluator;
    devices: DeviceTable;
    detectorName: string;
    readNewerRows: ReadNewerRows;
    events: Events;
    nowUs: () => number;
  }) {
    this.#store = options.store;
    this.#evaluator = options.evaluator;
    this.#devices = options.devices;
    this.#detectorName = options.detectorName;
    this.#readNewerRows = options.readNewerRows;
    this.#events = options.events;
    this.#nowUs = options.nowUs;
  }

  /**
   * Restores the state of devices just added to the table, in three round trips for all of them. A device without
   * saved state learns from its last hours: it is new, or there was a crash before its first checkpoint.
   */
  async load(deviceIds: readonly string[]): Promise<void> {
    if (deviceIds.length === 0) return;
    const [stats, detectors] = await Promise.all([
      this.#store.load('stats', deviceIds),
      this.#store.load('det', deviceIds),
    ]);
    const unsavedSinceUs = this.#nowUs() - UNSAVED_HORIZON_US;
    const since = new Map<string, number>(deviceIds.map((id) => [id, unsavedSinceUs]));
    for (const [id, state] of stats) {
      const device = this.#devices.find(id);
      this.#evaluator.restore(device, state as unknown as EvaluatorState);
      since.set(id, state['last_us'] as number);
    }
    for (const [id, state] of detectors) {
      if (state['detector'] === this.#detectorName) this.#evaluator.restoreDetector(this.#devices.find(id), state);
    }
    const rows = await this.#readNewerRows(since);
    this.#replay(rows);
    if (stats.size + rows.length > 0)
      this.#events.emit('device_state_restored', { devices: stats.size, replayed: rows.length });
  }

  #replay(rows: readonly StoredRow[]): void {
    const batch = new ReadingBatch(rows.length);
    for (const stored of rows) {
      const row = batch.open();
      batch.timestampUs[row] = stored.timestampUs;
      batch.receivedUs[row] = stored.timestampUs;
      batch.deviceId[row] = stored.deviceId;
      batch.device[row] = this.#devices.find(stored.deviceId);
      for (let index = 0; index < CHANNEL_NAMES.length; index++) {
        const value = stored.values[index];
        if (value !== null && value !== undefined) batch.values[row * CHANNEL_COUNT + index] = value;
      }
    }
    this.#evaluator.evaluate(batch, 0, batch.length, true);
    this.markDirty(batch);
  }

  /** Notes that the devices of a batch have learned something. */
  markDirty(batch: ReadingBatch): void {
    for (let row = 0; row < batch.length; row++) this.#dirty.add(batch.device[row] as number);
  }

  /**
   * Saves what changed. To be called while no evaluated batch is waiting for its commit, so that no state is ahead
   * of the stored rows: a crash in between would otherwise leave redelivered records unjudged. The snapshot is
   * taken before the first await. A failure is reported; the state stays dirty and is saved the next time.
   */
  async checkpoint(): Promise<void> {
    if (this.#dirty.size === 0) return;
    const dirty = [...this.#dirty];
    const stats = new Map<string, SavedState>();
    const detectors = new Map<string, SavedState>();
    for (const device of dirty) {
      const id = this.#devices.ids[device] as string;
      stats.set(id, { ...this.#evaluator.snapshot(device) });
      const detector = this.#evaluator.snapshotDetector(device);
      if (detector !== undefined) detectors.set(id, { ...detector, detector: this.#detectorName });
    }
    this.#dirty.clear();
    try {
      await this.#store.save('stats', stats);
      if (detectors.size > 0) await this.#store.save('det', detectors);
    } catch (error) {
      for (const device of dirty) this.#dirty.add(device);
      this.#events.emit('device_state_failed', { error });
    }
  }
}
