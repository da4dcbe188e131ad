/** What a well's own row says about its anomaly detection; whatever it leaves out has a default. */
import type { ChannelName } from './channels.js';

export interface ChannelDetection {
  /** How much the channel counts, relative to the default of its kind of channel being as in the documentation; 0: left out. */
  readonly weight?: number;
  /** Smallest shift that may become an anomaly, as a share of the channel's level. */
  readonly leastShift?: number;
}

export interface DetectionProfile {
  /** 1 = default; 2 finds shifts of half the size, and more of what is none. */
  readonly sensitivity?: number;
  readonly channels: Readonly<Partial<Record<ChannelName, ChannelDetection>>>;
}
