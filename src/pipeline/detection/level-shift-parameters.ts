/**
 * The parameters of the level-shift detector, with the defaults that docs/detection.md accounts for. Times are in
 * seconds of the telemetry; where a device reports rarely, a number of its usual intervals takes their place.
 */
import type { ChannelName } from '../../telemetry/channels.js';
import { fnv1a } from '../../telemetry/fnv1a.js';

export interface LevelShiftParameters {
  /** Time constants: the two means that are compared with the slow one, the slow one, and the scales of their usual distance. */
  readonly fastSeconds: number;
  readonly mediumSeconds: number;
  readonly slowSeconds: number;
  readonly scaleSeconds: number;
  /** The scale is this quantile of the usual distance. */
  readonly scaleQuantile: number;
  /** Scales away from the slow mean at which the fast and the medium mean make an anomaly. */
  readonly fastThreshold: number;
  readonly mediumThreshold: number;
  /** Score from which a record counts as suspect: it teaches only `suspectLearning` of what it otherwise would. */
  readonly suspectScore: number;
  readonly suspectLearning: number;
  /** An anomaly ends once the score has fallen below this share of its peak, but not above `endScore` … */
  readonly fastEndShare: number;
  readonly mediumEndShare: number;
  readonly endScore: number;
  /** … for so many records in a row. */
  readonly endRecords: number;
  /** Peak of the fast score from which the fast mean alone tells the end: the medium one is late. */
  readonly fastDecidesPeak: number;
  /** An anomaly that lasts so long is the new normal. */
  readonly longestSeconds: number;
  /** After an anomaly nothing is judged for so long; a channel that is then still further away than this has a new level. */
  readonly settleSeconds: number;
  readonly newLevelScore: number;
  /** Until the device is known: a channel that is further away than this has a new level, learned from as many records. */
  readonly unknownNewLevelScore: number;
  readonly unknownRecords: number;
  /** The level before the last new one is remembered for so long; going back there is no anomaly, and nothing is judged on the way. */
  readonly returnSeconds: number;
  readonly returnSettleSeconds: number;
  /** Silence after which the level is learned anew, from as many records, and for how long nothing is judged then. */
  readonly gapSeconds: number;
  readonly relearnRecords: number;
  readonly gapMuteSeconds: number;
  /** What a device has to be known for before anything is judged. */
  readonly warmUpSeconds: number;
  readonly warmUpRecords: number;
}

export const LEVEL_SHIFT_DEFAULTS: LevelShiftParameters = {
  fastSeconds: 3.47,
  mediumSeconds: 28.3,
  slowSeconds: 1670,
  scaleSeconds: 246,
  scaleQuantile: 0.62,
  fastThreshold: 3.95,
  mediumThreshold: 3.6,
  suspectScore: 0.603,
  suspectLearning: 0.11,
  fastEndShare: 0.365,
  mediumEndShare: 0.98,
  endScore: 0.333,
  endRecords: 3,
  fastDecidesPeak: 2.5,
  longestSeconds: 700,
  settleSeconds: 140,
  newLevelScore: 0.132,
  unknownNewLevelScore: 1.38,
  unknownRecords: 40,
  returnSeconds: 3600,
  returnSettleSeconds: 60,
  gapSeconds: 300,
  relearnRecords: 114,
  gapMuteSeconds: 192,
  warmUpSeconds: 361,
  warmUpRecords: 120,
};

/** What a channel counts, and the least shifts, as shares of the level, that the fast and the medium mean may call one. */
export interface ChannelParameters {
  readonly weight: number;
  readonly fastLeastShift: number;
  readonly mediumLeastShift: number;
  /** Steps in which the channel may be reported and that are never a shift by themselves, canonical unit. */
  readonly coarsestStep: number;
}

const FLOW = { weight: 1.01, fastLeastShift: 0.0255, mediumLeastShift: 0.0271 };
const VIBRATION = { weight: 0.568, fastLeastShift: 0.0264, mediumLeastShift: 0.0676, coarsestStep: 0.02 };
const ELECTRICAL = { weight: 0.432, fastLeastShift: 0.0731, mediumLeastShift: 0.0112 };
const TEMPERATURE = { weight: 0.132, fastLeastShift: 0.0215, mediumLeastShift: 0.0213, coarsestStep: 1 };
/** Of a pump's own pressures there are no labelled data. After a change of speed they go on moving for hours, by some per cent. */
const PUMP_PRESSURE = { weight: 1, fastLeastShift: 0.05, mediumLeastShift: 0.05, coarsestStep: 10 };

/** Drive frequency has no weight: it is what the operator does, and what the others are held against. */
export const CHANNEL_DEFAULTS: Readonly<Record<ChannelName, ChannelParameters>> = {
  temperature: TEMPERATURE,
  vibration: VIBRATION,
  pressure: { ...ELECTRICAL, coarsestStep: 10 },
  flow_rate: { ...FLOW, coarsestStep: 10 },
  motor_current: { ...ELECTRICAL, coarsestStep: 1 },
  rpm: { ...ELECTRICAL, coarsestStep: 10 },
  intake_pressure: PUMP_PRESSURE,
  discharge_pressure: PUMP_PRESSURE,
  motor_temperature: TEMPERATURE,
  drive_frequency: { weight: 0, fastLeastShift: 1, mediumLeastShift: 1, coarsestStep: 1 },
  motor_voltage: { ...ELECTRICAL, coarsestStep: 10 },
  leakage_current: { ...ELECTRICAL, coarsestStep: 0.1 },
  casing_pressure: { ...ELECTRICAL, coarsestStep: 10 },
  vibration_y: VIBRATION,
  vibration_z: VIBRATION,
};

/** Tells saved state of other parameters apart: what it has learned means something else. */
export function configHash(parameters: LevelShiftParameters): number {
  return fnv1a(JSON.stringify(Object.entries(parameters).sort(([a], [b]) => (a < b ? -1 : 1))));
}
