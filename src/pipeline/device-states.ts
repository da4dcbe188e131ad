/**
 * What devices taught the evaluator, kept across restarts: loaded when a device is first seen, saved every few
 * seconds and at stop, and after a crash brought up to date from the rows stored since.
 *
 * While the store is away, devices go on from their stored rows and from what comes in. Once it is back, each of them
 * gets what it would have had: its saved state and the rows stored since (`#loadLate`). Nothing of a device is saved
 * before that, so that a short memory never replaces a long one.
 */
import { CHANNEL_COUNT, CHANNEL_NAMES } from '../telemetry/channels.js';
import { OperationalError } from '../telemetry/operational-error.js';
import type { Events } from '../monitoring/events.js';
import { ReadingBatch } from '../telemetry/reading-batch.js';
import type { DeviceStateStore, SavedState } from '../storage/device-state.js';
import type { StoredRow } from '../storage/newer-rows.js';
import type { DetectorState } from './detection/detector.js';
import type { DeviceTable } from './device-table.js';
import type { Evaluator, EvaluatorState } from './evaluator.js';
import { evaluatorStateOf } from './saved-evaluator-state.js';

/** Reads the rows of some devices that are newer than a time each, for catching up. */
export type ReadNewerRows = (since: ReadonlyMap<string, number>) => Promise<readonly StoredRow[]>;

/** How far back a device without saved state learns from its stored rows. */
const UNSAVED_HORIZON_US = 24 * 3600 * 1e6;
/** Devices whose state is loaded late at one checkpoint: bounds the rows read for them, and the pause. */
const LATE_DEVICES = 1000;

interface SavedDevice {
  readonly stats: EvaluatorState;
  /** Absent as well where another detector, or another version of it, has saved. */
  readonly detector: DetectorState | undefined;
}

export class DeviceStates {
  readonly #store: DeviceStateStore;
  readonly #evaluator: Evaluator;
  readonly #devices: DeviceTable;
  readonly #readNewerRows: ReadNewerRows;
  readonly #detectorName: string;
  readonly #events: Events;
  readonly #nowUs: () => number;
  readonly #dirty = new Set<number>();
  /** Devices of which the store may hold more than is known here: met while it was away, or another process had them. */
  readonly #unloaded = new Set<number>();
  /** Devices whose memory has learned from rows that were not stored: they go back to what is. */
  readonly #ahead = new Set<number>();
  /** Counts evaluated batches, to notice one that was evaluated during an await. */
  #evaluated = 0;

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
   * saved state learns from its last hours: it is new, there was a crash before its first checkpoint, or the store is
   * away; then the state is loaded late, at a checkpoint.
   */
  async load(deviceIds: readonly string[]): Promise<void> {
    if (deviceIds.length === 0) return;
    const saved = await this.#readSavedOrGoOn(deviceIds);
    const rows = await this.#readNewerRows(this.#sinceOf(deviceIds, saved));
    this.#restore(saved);
    this.#replay(rows);
    if (saved.size + rows.length > 0)
      this.#events.emit('device_state_restored', { devices: saved.size, replayed: rows.length });
  }

  async #readSavedOrGoOn(deviceIds: readonly string[]): Promise<Map<string, SavedDevice>> {
    const numbers = deviceIds.map((id) => this.#devices.find(id));
    try {
      const saved = await this.#readSaved(deviceIds);
      for (const device of numbers) this.#unloaded.delete(device);
      return saved;
    } catch (error) {
      // Only this may pass by itself. Anything else would end with good state replaced, one day, by a short one.
      if (!(error instanceof OperationalError && error.retryable)) throw error;
      for (const device of numbers) this.#unloaded.add(device);
      this.#events.emit('device_state_unavailable', { devices: deviceIds.length, error });
      return new Map();
    }
  }

  async #readSaved(deviceIds: readonly string[]): Promise<Map<string, SavedDevice>> {
    const [stats, detectors] = await Promise.all([
      this.#store.load('stats', deviceIds),
      this.#store.load('det', deviceIds),
    ]);
    const saved = new Map<string, SavedDevice>();
    for (const [id, hash] of stats) {
      const state = evaluatorStateOf(hash);
      if (state === undefined) continue;
      const detector = detectors.get(id);
      saved.set(id, { stats: state, detector: detector?.['detector'] === this.#detectorName ? detector : undefined });
    }
    return saved;
  }

  /** From when on stored rows are news to a device: from the last row that its saved state knows. */
  #sinceOf(deviceIds: readonly string[], saved: ReadonlyMap<string, SavedDevice>): Map<string, number> {
    const unsavedSinceUs = this.#nowUs() - UNSAVED_HORIZON_US;
    return new Map(
      deviceIds.map((id) => {
        const lastUs = saved.get(id)?.stats.last_us;
        return [id, lastUs !== undefined && Number.isFinite(lastUs) ? lastUs : unsavedSinceUs];
      }),
    );
  }

  #restore(saved: ReadonlyMap<string, SavedDevice>): void {
    for (const [id, { stats, detector }] of saved) {
      const device = this.#devices.find(id);
      this.#evaluator.restore(device, stats);
      if (detector !== undefined) this.#evaluator.restoreDetector(device, detector);
    }
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
    this.#evaluated++;
    for (let row = 0; row < batch.length; row++) this.#dirty.add(batch.device[row] as number);
  }

  /** Notes that a batch was evaluated and will not be stored: when its rows come again, they are news to their devices. */
  takeBack(batch: ReadingBatch): void {
    for (let row = 0; row < batch.length; row++) this.#ahead.add(batch.device[row] as number);
  }

  /** Another process may have had the devices: what it saved of them is looked at before anything is saved here. */
  mayBeBehind(): void {
    for (let device = 0; device < this.#devices.size; device++) this.#unloaded.add(device);
  }

  /**
   * Whether state of some devices is to be loaded, the store having been away or their rows not having been stored;
   * `checkpoint` does that.
   */
  get isIncomplete(): boolean {
    return this.#unloaded.size + this.#ahead.size > 0;
  }

  /**
   * Saves what changed. To be called while no evaluated batch is waiting for its commit, so that no state is ahead
   * of the stored rows: a crash in between would otherwise leave redelivered records unjudged. A failure is
   * reported; the state stays dirty and is saved the next time.
   */
  async checkpoint(): Promise<void> {
    if (this.isIncomplete && !(await this.#loadLate())) return;
    await this.snapshot()();
  }

  /**
   * Loads the state of devices that the store may know more of, or whose memory is ahead of the stored rows:
   * saved state, and the rows stored since, as `load` would have. Memory that is not ahead is kept where it has learned
   * more than the saved state.
   * @returns whether what is in memory may be saved now: the store answers, and no batch was evaluated meanwhile
   */
  async #loadLate(): Promise<boolean> {
    const evaluated = this.#evaluated;
    const numbers = [...new Set([...this.#ahead, ...this.#unloaded])].slice(0, LATE_DEVICES);
    const ids = numbers.map((device) => this.#devices.ids[device] as string);
    try {
      const saved = await this.#readSaved(ids);
      for (const [id, state] of saved) if (this.#memoryKnowsMore(this.#devices.find(id), state)) saved.delete(id);
      const restored = ids.filter((id) => saved.has(id) || this.#ahead.has(this.#devices.find(id)));
      const rows = await this.#readNewerRows(this.#sinceOf(restored, saved));
      // Records that were evaluated during the reading are in memory only: restoring would forget them.
      if (this.#evaluated !== evaluated) return false;
      for (const device of numbers) if (this.#ahead.has(device)) this.#evaluator.forget(device);
      this.#restore(saved);
      this.#replay(rows);
      for (const device of numbers) {
        this.#unloaded.delete(device);
        this.#ahead.delete(device);
      }
      this.#events.emit('device_state_restored', { devices: saved.size, replayed: rows.length });
      return true;
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
      this.#events.emit('device_state_unavailable', { devices: numbers.length, error });
      return false;
    }
  }

  /** The store may have been emptied, or restored from an old copy; and a detector cannot be taken back to its start. */
  #memoryKnowsMore(device: number, saved: SavedDevice): boolean {
    if (this.#ahead.has(device)) return false;
    if (saved.detector === undefined && this.#evaluator.snapshotDetector(device) !== undefined) return true;
    return (this.#evaluator.snapshot(device).temp_count ?? 0) > (saved.stats.temp_count ?? 0);
  }

  /**
   * Takes what changed as it is now, and returns how to save it: once the rows of every batch that was evaluated before
   * are committed, as for `checkpoint`, and before another snapshot is saved.
   */
  snapshot(): () => Promise<void> {
    const dirty = [...this.#dirty].filter((device) => !this.#unloaded.has(device) && !this.#ahead.has(device));
    const stats = new Map<string, SavedState>();
    const detectors = new Map<string, SavedState>();
    for (const device of dirty) {
      const id = this.#devices.ids[device] as string;
      stats.set(id, { ...this.#evaluator.snapshot(device) });
      const detector = this.#evaluator.snapshotDetector(device);
      if (detector !== undefined) detectors.set(id, { ...detector, detector: this.#detectorName });
      this.#dirty.delete(device);
    }
    return () => this.#save(dirty, stats, detectors);
  }

  async #save(
    devices: readonly number[],
    stats: ReadonlyMap<string, SavedState>,
    detectors: ReadonlyMap<string, SavedState>,
  ): Promise<void> {
    if (devices.length === 0) return;
    try {
      await this.#store.save('stats', stats);
      if (detectors.size > 0) await this.#store.save('det', detectors);
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
      for (const device of devices) this.#dirty.add(device);
      this.#events.emit('device_state_failed', { error });
    }
  }
}
