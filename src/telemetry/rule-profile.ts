/** What a well's own row says about the rules that look back, and the rated values they go by; whatever it leaves out has a default. */
import type { ChannelName } from './channels.js';

export interface ChannelRules {
  /** Fastest plausible change, canonical unit per second; null: not judged. */
  readonly ratePerSecond?: number | null;
  /** Equal values in a row from which the channel counts as frozen; null: never. */
  readonly frozenAfter?: number | null;
}

export interface RuleProfile {
  /** Of the motor, A. */
  readonly ratedCurrentA?: number;
  /** Of the drive, Hz. */
  readonly ratedFrequencyHz?: number;
  /** Its historian sends changes only: a value that stands says nothing. */
  readonly reportsByException?: boolean;
  readonly channels: Readonly<Partial<Record<ChannelName, ChannelRules>>>;
}
