/**
 * Last values in the binary COPY format. As parameters of a statement 5 000 devices are 150 000 texts, which cost both
 * sides several times as much as all the rest of the flush.
 */
import { CHANNEL_COUNT, CHANNEL_NAMES } from '../telemetry/channels.js';
import {
  COPY_HEADER,
  COPY_TRAILER_BYTES,
  COPY_TRAILER_COUNT,
  MAX_UTF8_BYTES_PER_UNIT,
  writeReal,
  writeSmallint,
  writeText,
  writeTimestamp,
} from './copy-encoder.js';
import { hasChannel, hasNewest, type LatestSlice, type LatestValues } from './device-directory-latest.js';

/** What the newest row of a device says, as far as it is kept beside its last values. */
export const NEWEST_COLUMNS = ['quality_score', 'is_anomaly', 'anomaly_cause', 'operating_state'] as const;

/** In the order in which they are encoded; NULL where nothing has changed. */
const COLUMNS: readonly string[] = [
  'device_id',
  'first_at',
  'last_at',
  'newest_at',
  ...NEWEST_COLUMNS,
  ...CHANNEL_NAMES,
  ...CHANNEL_NAMES.map((name) => `${name}_at`),
];

/** A temporary table that stands ready for `encodeLatest`, and where the stream goes. */
export const INCOMING_TABLE_SQL = `
  CREATE TEMPORARY TABLE IF NOT EXISTS incoming_latest (LIKE device_latest, first_at timestamptz, last_at timestamptz)
  ON COMMIT DELETE ROWS`;
export const INCOMING_COPY_TARGET = `incoming_latest (${COLUMNS.join(', ')})`;

/** Field count, a length per field, and every field of fixed size; the id comes on top. */
const FIXED_ROW_BYTES = 2 + COLUMNS.length * 4 + 3 * 8 + 4 + 1 + 2 + 2 + CHANNEL_COUNT * (4 + 8);
const NULL_LENGTH = -1;

/** The present values of the devices of a slice, where the slice says that they have changed. */
export function encodeLatest(latest: LatestValues, { devices, changes }: LatestSlice): Uint8Array {
  const idUnits = devices.reduce((sum, device) => sum + (latest.ids[device] as string).length, 0);
  const bytes = Buffer.allocUnsafeSlow(
    COPY_HEADER.length + COPY_TRAILER_BYTES + devices.length * FIXED_ROW_BYTES + idUnits * MAX_UTF8_BYTES_PER_UNIT,
  );
  const view = new DataView(bytes.buffer);
  bytes.set(COPY_HEADER, 0);
  let at = COPY_HEADER.length;
  for (const [index, device] of devices.entries()) {
    const changed = changes[index] as number;
    view.setInt16(at, COLUMNS.length);
    at = writeText(bytes, view, at + 2, latest.ids[device] as string);
    at = writeTimestamp(view, at, latest.firstUs[device] as number);
    at = writeTimestamp(view, at, latest.lastUs[device] as number);
    at = hasNewest(changed) ? writeNewest(view, at, latest, device) : writeNulls(view, at, 1 + NEWEST_COLUMNS.length);
    for (let channel = 0; channel < CHANNEL_COUNT; channel++) {
      const value = hasChannel(changed, channel) ? latest.value[device * CHANNEL_COUNT + channel] : Number.NaN;
      at = writeReal(view, at, value as number);
    }
    for (let channel = 0; channel < CHANNEL_COUNT; channel++) {
      at = hasChannel(changed, channel)
        ? writeTimestamp(view, at, latest.timestampUs[device * CHANNEL_COUNT + channel] as number)
        : writeNulls(view, at, 1);
    }
  }
  view.setInt16(at, COPY_TRAILER_COUNT);
  return bytes.subarray(0, at + COPY_TRAILER_BYTES);
}

function writeNewest(view: DataView, start: number, latest: LatestValues, device: number): number {
  const at = writeTimestamp(view, start, latest.newestUs[device] as number);
  const state = latest.operatingState(device);
  if (state === -1) return writeNulls(view, at, NEWEST_COLUMNS.length);
  const afterScore = writeReal(view, at, latest.qualityScore[device] as number);
  view.setInt32(afterScore, 1);
  view.setInt8(afterScore + 4, latest.isAnomaly[device] as number);
  const afterCause = writeSmallint(view, afterScore + 5, latest.anomalyCause[device] as number);
  return writeSmallint(view, afterCause, state);
}

function writeNulls(view: DataView, at: number, count: number): number {
  for (let field = 0; field < count; field++) view.setInt32(at + field * 4, NULL_LENGTH);
  return at + count * 4;
}
