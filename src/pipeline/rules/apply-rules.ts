/**
 * The deterministic layer: hard limits, impossible physics, and what the rules that look back have found. It comes after the
 * detector and has the last word on the cause.
 */
import { RuleCause } from '../../telemetry/anomaly-cause.js';
import { CHANNEL_COUNT } from '../../telemetry/channels.js';
import type { OperatingState } from '../../telemetry/operating-state.js';
import { QualityFlag } from '../../telemetry/quality-flags.js';
import type { ReadingBatch } from '../../telemetry/reading-batch.js';
import { brokenPhysics } from './impossible-physics.js';

/**
 * Judges a row whose limits were applied and whose operating state is known.
 * @param found the cause that the rules that look back have found, or −1
 */
export function applyRules(batch: ReadingBatch, row: number, found: number): void {
  const isOutside = ((batch.flagsLow[row] as number) & QualityFlag.outsideWellLimits) !== 0;
  const state = batch.operatingState[row] as OperatingState;
  const broken = isOutside ? RuleCause.outsideWellLimits : brokenPhysics(batch.values, row * CHANNEL_COUNT, state);
  const cause = broken < 0 ? found : broken;
  if (cause < 0) return;
  // A broken instrument must not hide what the others show.
  if (batch.isAnomaly[row] === 1 && cause >= RuleCause.frozen) return;
  batch.isAnomaly[row] = 1;
  batch.anomalyCause[row] = cause;
}
