/** What the benchmark judges: the product's evaluator around a detector, always on one device. */
import type { Detector } from '../../src/pipeline/detection/detector.js';
import { LevelShiftDetector } from '../../src/pipeline/detection/level-shift-detector.js';
import { ZScoreDetector } from '../../src/pipeline/detection/z-score-detector.js';
import { DeviceTable } from '../../src/pipeline/device-table.js';
import { Evaluator } from '../../src/pipeline/evaluator.js';
import { TemperatureBaseline } from '../../src/pipeline/quality/temperature-baseline.js';
import { FrozenZScore, RollingZScore } from './z-score-peers.js';

/** Makes a fresh one, which knows nothing. */
export type Subject = () => Pick<Evaluator, 'evaluate'>;

function around(makeDetector: (baseline: TemperatureBaseline) => Detector): Subject {
  return () => {
    const devices = new DeviceTable({ maxDevices: 1, expectedChannels: [] });
    devices.add('pump');
    const baseline = new TemperatureBaseline({ timeConstantHours: 24, warmUpRecords: 60 });
    const evaluator = new Evaluator({ devices, baseline, detector: makeDetector(baseline), timelySeconds: 300 });
    evaluator.reserve();
    return evaluator;
  };
}

export const LEVEL_SHIFT: Subject = around(() => new LevelShiftDetector());

export const Z_SCORES: Readonly<Record<string, Subject>> = {
  'z-score, first 400 rows frozen': around(() => new FrozenZScore()),
  'z-score, rolling 400': around(() => new RollingZScore()),
  'z-score as configured (24 h)': around((baseline) => new ZScoreDetector(baseline, { zThreshold: 3 })),
};
