/** What the pipeline needs of the tables `devices` and `device_latest`. */
import type { ReadingBatch } from '../telemetry/reading-batch.js';
import type { WriteResult } from '../storage/telemetry-sink.js';
import type { DeviceProfile } from './device-table.js';

export interface DeviceRegistry {
  /**
   * The profiles of devices new to this process; those new to the database are registered, first seen at their
   * earliest record in `batch`. One round trip for all; rejects with an OperationalError.
   */
  meet(deviceIds: readonly string[], batch: ReadingBatch): Promise<ReadonlyMap<string, DeviceProfile>>;
  /** Takes the last values of a written batch; no I/O. */
  written(batch: ReadingBatch, result: WriteResult): void;
  /** Writes the last values that changed. */
  flush(): Promise<void>;
}
