/**
 * Rows as they are stored when they come too late for the detector: well limits, quality and whether the pump turns. What
 * devices have taught is neither asked nor changed, so the temperature is not compared with anything either.
 */
import type { DeviceProfile } from '../storage/device-registry.js';
import type { ChannelName } from '../telemetry/channels.js';
import type { ReadingBatch } from '../telemetry/reading-batch.js';
import { DeviceTable } from './device-table.js';
import { ZScoreDetector } from './detection/z-score-detector.js';
import { Evaluator } from './evaluator.js';
import { TemperatureBaseline } from './quality/temperature-baseline.js';

export interface LateRowOptions {
  /** Of devices whose profile does not say. */
  readonly expectedChannels: readonly ChannelName[];
  readonly timelySeconds: number;
}

/** Evaluates all rows of a batch, and numbers their devices. @param profiles of every device in it */
export function evaluateAsLate(
  batch: ReadingBatch,
  profiles: ReadonlyMap<string, DeviceProfile>,
  { expectedChannels, timelySeconds }: LateRowOptions,
): void {
  const devices = new DeviceTable({ maxDevices: profiles.size, expectedChannels });
  const baseline = new TemperatureBaseline({ timeConstantHours: 24, warmUpRecords: Number.POSITIVE_INFINITY });
  const detector = new ZScoreDetector(baseline, { zThreshold: Number.POSITIVE_INFINITY });
  const evaluator = new Evaluator({ devices, baseline, detector, timelySeconds });
  for (const [id, profile] of profiles) devices.setProfile(devices.add(id) as number, profile);
  devices.lastUs.fill(Number.POSITIVE_INFINITY); // later than anything: every row is late
  for (let row = 0; row < batch.length; row++) batch.device[row] = devices.find(batch.deviceId[row] as string);
  evaluator.reserve();
  evaluator.evaluate(batch);
}
