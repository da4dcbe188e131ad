/**
 * The z-score on temperature as the published comparison has it: against the first 400 rows, or the last 400. They exist for
 * the benchmark only; the z-score of the product learns with a time constant.
 */
import type { Detector } from '../../src/pipeline/detection/detector.js';
import { CHANNEL_COUNT, channel } from '../../src/telemetry/channels.js';
import type { ReadingBatch } from '../../src/telemetry/reading-batch.js';

const TEMPERATURE = channel('temperature').index;
const ROWS = 400;
const THRESHOLD = 3;

abstract class WindowedZScore implements Detector {
  abstract readonly name: string;
  protected readonly window: number[] = [];

  reserve(): void {
    // One device.
  }

  setProfile(): void {
    // One threshold.
  }

  evaluate(batch: ReadingBatch, row: number): void {
    const value = batch.values[row * CHANNEL_COUNT + TEMPERATURE] as number;
    if (Number.isNaN(value)) return;
    if (this.window.length >= ROWS) {
      const mean = this.window.reduce((sum, one) => sum + one, 0) / this.window.length;
      const variance = this.window.reduce((sum, one) => sum + (one - mean) ** 2, 0) / this.window.length;
      batch.isAnomaly[row] = Math.abs(value - mean) > THRESHOLD * Math.sqrt(variance) ? 1 : 0;
    }
    this.learn(value);
  }

  protected abstract learn(value: number): void;

  snapshot(): undefined {
    return undefined;
  }

  restore(): void {
    // Nothing is saved.
  }

  forget(): void {
    this.window.length = 0;
  }
}

export class FrozenZScore extends WindowedZScore {
  readonly name = 'z-score-frozen';

  protected learn(value: number): void {
    if (this.window.length < ROWS) this.window.push(value);
  }
}

export class RollingZScore extends WindowedZScore {
  readonly name = 'z-score-rolling';

  protected learn(value: number): void {
    this.window.push(value);
    if (this.window.length > ROWS) this.window.shift();
  }
}
