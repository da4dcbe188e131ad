/** What the episodes of a device are made of. */
import type { Diagnosis } from '../diagnosis/diagnose.js';

/** A stretch of time in which something was wrong with a device. Times are epoch microseconds. */
export interface Episode {
  readonly startUs: number;
  /** The last moment at which it was seen. */
  endUs: number;
  /** When there was enough of it to say so: the delay is `foundUs − startUs`. */
  readonly foundUs: number;
  /** Highest anomaly score of its records, and when; NaN where no detector has judged them. */
  peakScore: number;
  peakUs: number;
  /** The cause (telemetry/anomaly-cause.ts) of most of its anomalous records; −1 where there is none. */
  cause: number;
  anomalousRecords: number;
  /** All conditions that fit at all, the likeliest first. */
  ranking: readonly Diagnosis[];
  /** It was still going on when the records ended. */
  isOpen: boolean;
}

export interface EpisodeOptions {
  /** So long records must be anomalous before an episode opens: a flicker is none. */
  readonly delaySeconds: number;
  /** So many of them at least. */
  readonly leastRecords: number;
  /** So long where no signature fits. */
  readonly unnamedDelaySeconds: number;
  /** An episode ends when it was quiet for so long. */
  readonly quietSeconds: number;
  /** An episode that begins so soon after the last one is its continuation. */
  readonly mergeSeconds: number;
}

export const EPISODE_DEFAULTS: EpisodeOptions = {
  delaySeconds: 60,
  leastRecords: 5,
  unnamedDelaySeconds: 7200,
  quietSeconds: 300,
  mergeSeconds: 600,
};
