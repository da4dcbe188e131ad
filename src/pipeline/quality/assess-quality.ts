/** Which deductions of the quality score apply to a record; the score itself follows from the flags alone. */
import { QualityFlag } from '../../telemetry/quality-flags.js';
import type { TemperatureBaseline } from './temperature-baseline.js';

/** A temperature further from the mean than this share of |mean| is a deviation. */
const DEVIATION_SHARE = 0.5;
/** |mean| below this, °C, is "about 0": a share of it says nothing. */
const MEAN_ABOUT_ZERO = 1;

/** Low-word flags of expected channels that are missing; an impossible value does not count as missing too. */
export function missingFlags(expectedMask: number, presentMask: number, impossibleMask: number): number {
  return expectedMask & ~presentMask & ~impossibleMask;
}

/** The deviation flag of a temperature (°C; NaN: none) against the device's last 24 hours, or 0. */
export function deviationFlag(baseline: TemperatureBaseline, device: number, temperature: number): number {
  if (Number.isNaN(temperature) || !baseline.isWarm(device)) return 0;
  const mean = baseline.mean(device);
  if (Math.abs(mean) < MEAN_ABOUT_ZERO) return 0;
  return Math.abs(temperature - mean) > DEVIATION_SHARE * Math.abs(mean) ? QualityFlag.temperatureDeviation : 0;
}

/** The flag of a record that was older than `timelyUs` when it was received, or 0. */
export function lateFlag(timestampUs: number, receivedUs: number, timelyUs: number): number {
  return receivedUs - timestampUs > timelyUs ? QualityFlag.lateArrival : 0;
}
