/** What is said of a recording beside its episodes, so that nobody takes silence for health. */
import { CHANNEL_COUNT } from '../telemetry/channels.js';
import { OperationalError } from '../telemetry/operational-error.js';
import type { ReadingBatch } from '../telemetry/reading-batch.js';
import type { MergedRows } from './merge-repeats.js';
import type { Recording } from './recording.js';

/** With fewer records of a device there is nothing to compare anything with. */
const LEAST_RECORDS = 12;

export function recordingNotes(
  recording: Recording,
  { rows, merged, contradicting }: MergedRows,
  devices: number,
): string[] {
  const notes = refusalNotes(recording);
  if (merged > 0) {
    const which = contradicting === 0 ? '' : `; ${contradicting} of them contradict it, and what came first stays`;
    notes.push(`${merged} rows have the device and the time of another one and were taken as part of it${which}`);
  }
  if (rows.length > 0 && !hasReading(recording.batch))
    notes.push('no row has a reading of any channel: a mapping says which column is which channel (docs/import.md)');
  else if (rows.length < LEAST_RECORDS * devices)
    notes.push(
      `${rows.length} records of ${devices} devices are too few: a fault needs some normal operation before it, of a minute and of six records at least`,
    );
  return notes;
}

/** @throws OperationalError `recording_empty` where there is nothing to judge */
export function refuseEmpty(recording: Recording, files: readonly string[]): void {
  if (recording.batch.length > 0) return;
  const notes = refusalNotes(recording);
  const what = notes.length === 0 ? 'there are no rows in it' : notes.join('; ');
  throw new OperationalError('recording_empty', `Nothing can be diagnosed from ${files.join(', ')}: ${what}`);
}

function refusalNotes({ refusals }: Recording): string[] {
  return [...refusals.values()].map(({ rows, first }) => `${rows} rows refused, the first: ${first}`);
}

function hasReading({ values, length }: ReadingBatch): boolean {
  for (let at = 0; at < length * CHANNEL_COUNT; at++) if (!Number.isNaN(values[at])) return true;
  return false;
}
