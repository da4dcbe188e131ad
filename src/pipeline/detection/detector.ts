/**
 * The anomaly detector as the pipeline sees it. State is per device, O(1), in memory; the pipeline saves and restores it.
 *
 * Guarantees that an implementation relies on: records of a device come in time order, one with the time of the
 * last at most (two reports of one instant); `reserve` was called for the device. It may not look at a clock, at row
 * numbers or at later records.
 */
import type { DetectionProfile } from '../../telemetry/detection-profile.js';
import type { ReadingBatch } from '../../telemetry/reading-batch.js';

/** What is saved of one device: flat, numbers and short text, so that it fits a Redis hash. */
export type DetectorState = Readonly<Record<string, number | string>>;

export interface Detector {
  /** Part of the saved state: state of another detector or version is not restored. */
  readonly name: string;
  reserve(deviceCount: number): void;
  /** What the device's own row says; undefined: nothing. */
  setProfile(device: number, profile: DetectionProfile | undefined): void;
  /**
   * Judges row `row` and learns from it: sets `isAnomaly`, `anomalyScore` and `anomalyCause` of the row.
   * @param frozen mask of the device's channels that the rule for frozen values has found: what they show is no reading
   */
  evaluate(batch: ReadingBatch, row: number, device: number, frozen: number): void;
  /** The state to save, bit-exact when restored; undefined while there is none. */
  snapshot(device: number): DetectorState | undefined;
  restore(device: number, state: DetectorState): void;
  /** Takes the device back to where it was before its first record. */
  forget(device: number): void;
}
