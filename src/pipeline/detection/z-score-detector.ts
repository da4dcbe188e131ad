/**
 * The baseline detector: |z| > 3 on temperature against the device's recent mean and standard deviation.
 * A pump that is off, starting or changing speed is in operation, not anomalous: it is neither judged nor learned.
 */
import { CHANNEL_COUNT, channel } from '../../telemetry/channels.js';
import { OperatingState } from '../../telemetry/operating-state.js';
import type { ReadingBatch } from '../../telemetry/reading-batch.js';
import type { TemperatureBaseline } from '../quality/temperature-baseline.js';
import type { Detector, DetectorState } from './detector.js';

const TEMPERATURE = channel('temperature').index;

export class ZScoreDetector implements Detector {
  readonly name = 'z-score';
  readonly #baseline: TemperatureBaseline;
  readonly #threshold: number;

  /** The baseline is shared with the quality score, which saves it. */
  constructor(baseline: TemperatureBaseline, options: { zThreshold: number }) {
    this.#baseline = baseline;
    this.#threshold = options.zThreshold;
  }

  reserve(): void {
    // All state is the baseline's.
  }

  setProfile(): void {
    // One threshold for all.
  }

  evaluate(batch: ReadingBatch, row: number, device: number): void {
    const temperature = batch.values[row * CHANNEL_COUNT + TEMPERATURE] as number;
    if (Number.isNaN(temperature)) return;
    const state = batch.operatingState[row] as OperatingState;
    if (state !== OperatingState.running && state !== OperatingState.unknown) return;
    if (!this.#baseline.isWarm(device)) return;
    const z = Math.abs(temperature - this.#baseline.mean(device)) / this.#baseline.std(device);
    batch.anomalyScore[row] = z;
    if (z > this.#threshold) {
      batch.isAnomaly[row] = 1;
      batch.anomalyCause[row] = TEMPERATURE;
    }
  }

  snapshot(): DetectorState | undefined {
    return undefined;
  }

  restore(): void {
    // Nothing was saved.
  }

  forget(): void {
    // The baseline does.
  }
}
