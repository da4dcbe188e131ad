/**
 * A batch of evaluated records, column by column: what the pipeline fills and the writer encodes.
 *
 * Columns are flat typed arrays, so that a record costs no allocation. A batch is reused: `clear()` it.
 */
import { CHANNEL_COUNT } from './channels.js';

export class ReadingBatch {
  /** Rows that fit without growing. */
  capacity: number;
  length = 0;

  /** Epoch microseconds. */
  timestampUs: Float64Array;
  readonly deviceId: string[];
  /** Position in the pipeline's device table; −1 until it is looked up. */
  device: Int32Array;
  /** [row × CHANNEL_COUNT + channel], canonical units, float32 as stored; NaN = NULL. */
  values: Float32Array;
  /** 0 … 1. */
  qualityScore: Float32Array;
  /** The two words of `quality_flags` (quality-flags.ts). */
  flagsLow: Int32Array;
  flagsHigh: Int32Array;
  isAnomaly: Uint8Array;
  /** NaN = NULL: not evaluated. */
  anomalyScore: Float32Array;
  /** −1 = NULL. */
  anomalyCause: Int16Array;
  operatingState: Uint8Array;
  /** When the ingest API (or the import) received it, epoch microseconds. */
  receivedUs: Float64Array;
  readonly sourceSystem: string[];
  /** JSON object of what was received and could not be stored as such, or undefined. */
  readonly rawValues: (string | undefined)[];
  /** Which delivery of this batch the record came in, and its position in there: finds the original bytes again. */
  delivery: Int32Array;
  deliveryIndex: Int32Array;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.timestampUs = new Float64Array(capacity);
    this.deviceId = new Array<string>(capacity).fill('');
    this.device = new Int32Array(capacity);
    this.values = new Float32Array(capacity * CHANNEL_COUNT);
    this.qualityScore = new Float32Array(capacity);
    this.flagsLow = new Int32Array(capacity);
    this.flagsHigh = new Int32Array(capacity);
    this.isAnomaly = new Uint8Array(capacity);
    this.anomalyScore = new Float32Array(capacity);
    this.anomalyCause = new Int16Array(capacity);
    this.operatingState = new Uint8Array(capacity);
    this.receivedUs = new Float64Array(capacity);
    this.sourceSystem = new Array<string>(capacity).fill('');
    this.rawValues = new Array<string | undefined>(capacity).fill(undefined);
    this.delivery = new Int32Array(capacity);
    this.deliveryIndex = new Int32Array(capacity);
  }

  /** Makes room for so many more rows: a message whose records nobody counted may hold more than was thought. */
  reserve(rows: number): void {
    const needed = this.length + rows;
    if (needed <= this.capacity) return;
    const larger = new ReadingBatch(Math.max(needed, this.capacity * 2));
    larger.timestampUs.set(this.timestampUs);
    larger.device.set(this.device);
    larger.values.set(this.values);
    larger.qualityScore.set(this.qualityScore);
    larger.flagsLow.set(this.flagsLow);
    larger.flagsHigh.set(this.flagsHigh);
    larger.isAnomaly.set(this.isAnomaly);
    larger.anomalyScore.set(this.anomalyScore);
    larger.anomalyCause.set(this.anomalyCause);
    larger.operatingState.set(this.operatingState);
    larger.receivedUs.set(this.receivedUs);
    larger.delivery.set(this.delivery);
    larger.deliveryIndex.set(this.deliveryIndex);
    const { deviceId, sourceSystem, rawValues, length } = this;
    Object.assign(this, larger, { deviceId, sourceSystem, rawValues, length });
  }

  /** Makes the batch empty; rows are reset as they are opened. */
  clear(): void {
    this.length = 0;
  }

  /** Opens the next row with everything unset and returns its position. The caller has checked `length < capacity`. */
  open(): number {
    const row = this.length++;
    this.values.fill(Number.NaN, row * CHANNEL_COUNT, (row + 1) * CHANNEL_COUNT);
    this.device[row] = -1;
    this.qualityScore[row] = 1;
    this.flagsLow[row] = 0;
    this.flagsHigh[row] = 0;
    this.isAnomaly[row] = 0;
    this.anomalyScore[row] = Number.NaN;
    this.anomalyCause[row] = -1;
    this.operatingState[row] = 0;
    this.rawValues[row] = undefined;
    return row;
  }

  /** Takes the last rows back: a record turned out to be unacceptable. */
  retract(rows = 1): void {
    this.length -= rows;
  }
}
