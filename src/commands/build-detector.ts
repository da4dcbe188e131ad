/** The anomaly detector that the configuration names. */
import type { Config } from '../config/schema.js';
import type { Detector } from '../pipeline/detection/detector.js';
import { LevelShiftDetector } from '../pipeline/detection/level-shift-detector.js';
import { ZScoreDetector } from '../pipeline/detection/z-score-detector.js';
import type { TemperatureBaseline } from '../pipeline/quality/temperature-baseline.js';

/** @param baseline of the temperature, which the z-score compares with; the quality score keeps it up to date */
export function buildDetector({ detector, zThreshold }: Config['detection'], baseline: TemperatureBaseline): Detector {
  switch (detector) {
    case 'z-score':
      return new ZScoreDetector(baseline, { zThreshold });
    case 'level-shift':
      return new LevelShiftDetector();
  }
}
