/** Where an import puts its records: the database of this process, or a running service. */
import type { OutcomeCounts } from '../../telemetry/outcome.js';

export interface HoldRange {
  readonly deviceId: string;
  /** Epoch microseconds; `toUs` is the instant after the last row. */
  readonly fromUs: number;
  readonly toUs: number;
  readonly reason: string;
}

export interface ImportTarget {
  /**
   * Takes a JSON envelope of records and resolves once they are committed; what cannot be stored has become dead
   * letters. Nothing is refused. The outcomes add up to `records`.
   * @throws OperationalError when it is not known what became of them; sending them again is harmless
   */
  ingest(body: Uint8Array, records: number): Promise<OutcomeCounts>;
  /** Keeps what was imported from retention. Saying it twice is harmless. */
  hold(range: HoldRange): Promise<void>;
  /** Brings the aggregates of the imported ranges up to date, or leaves that to the service. */
  finish(): Promise<void>;
}
