/**
 * The deterministic layer: hard limits and impossible physics. It comes after the detector and has the last word on the cause, in
 * every state of the pump: nothing mutes it.
 */
import { RuleCause } from '../../telemetry/anomaly-cause.js';
import { CHANNEL_COUNT } from '../../telemetry/channels.js';
import type { OperatingState } from '../../telemetry/operating-state.js';
import { QualityFlag } from '../../telemetry/quality-flags.js';
import type { ReadingBatch } from '../../telemetry/reading-batch.js';
import { brokenPhysics } from './impossible-physics.js';

/** Judges a row whose limits were applied and whose operating state is known. */
export function applyRules(batch: ReadingBatch, row: number): void {
  const isOutside = ((batch.flagsLow[row] as number) & QualityFlag.outsideWellLimits) !== 0;
  const state = batch.operatingState[row] as OperatingState;
  const cause = isOutside ? RuleCause.outsideWellLimits : brokenPhysics(batch.values, row * CHANNEL_COUNT, state);
  if (cause < 0) return;
  batch.isAnomaly[row] = 1;
  batch.anomalyCause[row] = cause;
}
