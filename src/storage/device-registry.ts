/** What the pipeline needs of the tables `devices` and `device_latest`. */
import type { ChannelName } from '../telemetry/channels.js';
import type { DetectionProfile } from '../telemetry/detection-profile.js';
import type { RuleProfile } from '../telemetry/rule-profile.js';
import type { ReadingBatch } from '../telemetry/reading-batch.js';
import type { WriteResult } from './telemetry-sink.js';

/** What the pipeline needs to know of a device. */
export interface DeviceProfile {
  /** null: the default of the configuration. Names that the catalogue does not know are left out. */
  readonly expectedChannels: readonly ChannelName[] | null;
  /** The well's own limits by channel, canonical units, within what is physically possible. */
  readonly limits: Readonly<Record<string, { readonly min?: number; readonly max?: number }>>;
  /** Undefined: the defaults of the detector. */
  readonly detection?: DetectionProfile | undefined;
  /** Undefined: the defaults of the rules that look back. */
  readonly rules?: RuleProfile | undefined;
  /** What of the stored profile cannot be used, in words: field, value and remedy. */
  readonly problems?: readonly string[];
}

export interface DeviceRegistry {
  /**
   * The profiles of devices new to this process, in one round trip; those new to the database are registered, first
   * seen at their earliest record in `batch`. (One that has none there was in a batch that was given up.) Rejects with an OperationalError; calling again is safe.
   */
  meet(deviceIds: readonly string[], batch: ReadingBatch): Promise<ReadonlyMap<string, DeviceProfile>>;
  /** Takes the last values of a written batch; no I/O. */
  written(batch: ReadingBatch, result: WriteResult): void;
  /** Writes the last values that changed; what cannot be written now is kept for the next time. */
  flush(): Promise<void>;
}
