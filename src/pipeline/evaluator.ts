/**
 * The pure middle of the pipeline: rows as they were read become rows as they are stored. Well limits, quality,
 * operating state, anomaly detection; per-device state in memory, no I/O, no clock.
 */
import { CHANNEL_COUNT, CHANNEL_NAMES } from '../telemetry/channels.js';
import { OperatingState } from '../telemetry/operating-state.js';
import { QualityFlag } from '../telemetry/quality-flags.js';
import { scoreOfFlags } from '../telemetry/quality-score.js';
import type { ReadingBatch } from '../telemetry/reading-batch.js';
import type { DeviceProfile } from '../storage/device-registry.js';
import type { Detector, DetectorState } from './detection/detector.js';
import type { DeviceTable, WellLimits } from './device-table.js';
import { OperatingStates, type SavedOperation } from './operating-states.js';
import { deviationFlag, lateFlag, missingFlags } from './quality/assess-quality.js';
import type { BaselineState, TemperatureBaseline } from './quality/temperature-baseline.js';
import { addRawValue } from './raw-values.js';
import { applyRules } from './rules/apply-rules.js';
import { presentChannels, ReadingWatch } from './rules/reading-watch.js';

const TEMPERATURE = CHANNEL_NAMES.indexOf('temperature');

/** What is saved of a device between runs: the hash `device:{device_id}:stats`. */
export type EvaluatorState = Partial<BaselineState> &
  SavedOperation & {
    readonly last_us: number;
    /** Of the rules that look back; absent in what older versions have saved. */
    readonly rules?: string;
  };

export class Evaluator {
  readonly #devices: DeviceTable;
  readonly #baseline: TemperatureBaseline;
  readonly #detector: Detector;
  readonly #states = new OperatingStates();
  readonly #watch = new ReadingWatch();
  readonly #timelyUs: number;

  constructor(options: {
    devices: DeviceTable;
    baseline: TemperatureBaseline;
    detector: Detector;
    timelySeconds: number;
  }) {
    this.#devices = options.devices;
    this.#baseline = options.baseline;
    this.#detector = options.detector;
    this.#timelyUs = options.timelySeconds * 1e6;
  }

  /** Makes room for the devices of the table; call after adding some and before evaluating or restoring them. */
  reserve(): void {
    const count = this.#devices.size;
    this.#baseline.reserve(count);
    this.#states.reserve(count);
    this.#watch.reserve(count);
    this.#detector.reserve(count);
  }

  /** Takes over what the device's row says; `reserve` was called for it. */
  setProfile(device: number, profile: DeviceProfile): void {
    this.#devices.setProfile(device, profile);
    this.#watch.setProfile(device, profile.rules);
    this.#detector.setProfile(device, profile.detection);
  }

  /**
   * Evaluates rows in order; every row has its device number. Returns how many are anomalous.
   * @param replay rows that were evaluated and stored before: state learns from them, they are not judged again
   */
  evaluate(batch: ReadingBatch, from = 0, to = batch.length, replay = false): number {
    let anomalies = 0;
    for (let row = from; row < to; row++) {
      const device = batch.device[row] as number;
      if (!replay) this.#applyLimits(batch, row, this.#devices.limits[device]);
      this.#evaluateRow(batch, row, device);
      anomalies += batch.isAnomaly[row] as number;
    }
    return anomalies;
  }

  #evaluateRow(batch: ReadingBatch, row: number, device: number): void {
    const values = batch.values;
    const base = row * CHANNEL_COUNT;
    const timestampUs = batch.timestampUs[row] as number;
    const temperature = values[base + TEMPERATURE] as number;
    const impossible = batch.flagsHigh[row] as number;
    let low = batch.flagsLow[row] as number;
    low |= deviationFlag(this.#baseline, device, temperature);
    low |= lateFlag(timestampUs, batch.receivedUs[row] as number, this.#timelyUs);
    let present: number;
    if (timestampUs < (this.#devices.lastUs[device] as number)) {
      present = presentChannels(values, base);
      low |= QualityFlag.notEvaluated;
      batch.operatingState[row] = OperatingStates.ofLateRecord(values, row);
    } else {
      this.#devices.lastUs[device] = timestampUs;
      const state = this.#states.advance(device, timestampUs, values, row);
      batch.operatingState[row] = state;
      present = this.#watch.take(batch, row, device);
      low |= this.#watch.flags;
      this.#detector.evaluate(batch, row, device, this.#watch.frozen);
      applyRules(batch, row, this.#watch.cause);
      // A pump that stands cools down: its temperature is no part of what is normal for it.
      if (temperature === temperature && state !== OperatingState.off)
        this.#baseline.learn(device, timestampUs, temperature);
    }
    low |= missingFlags(this.#devices.expectedMask[device] as number, present, impossible);
    batch.flagsLow[row] = low;
    batch.qualityScore[row] = scoreOfFlags(low, impossible);
  }

  /** Values outside the well's own limits become impossible ones: NULL, flagged, kept. */
  #applyLimits(batch: ReadingBatch, row: number, limits: WellLimits | undefined): void {
    if (limits === undefined) return;
    const base = row * CHANNEL_COUNT;
    for (let index = 0; index < CHANNEL_COUNT; index++) {
      const value = batch.values[base + index] as number;
      if (!(value < (limits.minimum[index] as number) || value > (limits.maximum[index] as number))) continue;
      batch.values[base + index] = Number.NaN;
      batch.flagsHigh[row] = (batch.flagsHigh[row] as number) | (1 << index);
      batch.flagsLow[row] = (batch.flagsLow[row] as number) | QualityFlag.outsideWellLimits;
      batch.rawValues[row] = addRawValue(batch.rawValues[row], CHANNEL_NAMES[index] as string, value);
    }
  }

  snapshot(device: number): EvaluatorState {
    const rules = this.#watch.snapshot(device);
    return {
      last_us: this.#devices.lastUs[device] as number,
      ...this.#states.snapshot(device),
      ...this.#baseline.snapshot(device),
      ...(rules === undefined ? {} : { rules }),
    };
  }

  restore(device: number, state: EvaluatorState): void {
    this.#devices.lastUs[device] = state.last_us;
    this.#states.restore(device, state);
    this.#watch.restore(device, state.rules);
    const { temp_mean, temp_std, temp_variance, temp_count, temp_time_us } = state;
    if (temp_mean === undefined || temp_std === undefined || temp_variance === undefined) return;
    if (temp_count === undefined || temp_time_us === undefined) return;
    this.#baseline.restore(device, { temp_mean, temp_std, temp_variance, temp_count, temp_time_us });
  }

  /** Takes a device back to its first record: as if it had never been seen. */
  forget(device: number): void {
    this.#devices.lastUs[device] = Number.NEGATIVE_INFINITY;
    this.#states.restore(device, { op_state: OperatingState.unknown, op_since_us: 0, op_steady_hz: 0 });
    this.#watch.forget(device);
    this.#baseline.forget(device);
    this.#detector.forget(device);
  }

  snapshotDetector(device: number): DetectorState | undefined {
    return this.#detector.snapshot(device);
  }

  restoreDetector(device: number, state: DetectorState): void {
    this.#detector.restore(device, state);
  }
}
