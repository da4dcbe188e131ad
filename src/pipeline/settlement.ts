/** What became of a batch, as it is counted and as its dead letters tell it. */
import { encodeDeadLetter } from '../queue/dead-letter.js';
import type { OutgoingMessage } from '../queue/queue.js';
import type { WriteResult } from '../storage/telemetry-sink.js';
import type { ReadingBatch } from '../telemetry/reading-batch.js';
import { zeroOutcomes, type OutcomeCounts } from '../telemetry/outcome.js';
import type { Message } from './batch-former.js';
import type { RefusedRecord } from './prepared-batch.js';

/** Records by outcome; a refused message that cannot be read counts for all its records. */
export function countOutcomes(written: WriteResult, refused: readonly RefusedRecord[]): OutcomeCounts {
  const { stored, merged, duplicate } = written;
  return {
    ...zeroOutcomes(),
    stored,
    merged,
    duplicate,
    dead_lettered: refused.reduce((sum, { records }) => sum + records, 0),
  };
}

/** Refused records by reason. */
export function countCodes(refused: readonly RefusedRecord[]): Record<string, number> {
  const codes: Record<string, number> = {};
  for (const { rejection, records } of refused) codes[rejection.code] = (codes[rejection.code] ?? 0) + records;
  return codes;
}

/**
 * Records that messages have beyond what they were counted for: of third parties' messages nobody knows how many records
 * there are before they are read.
 * @param refused what could not be read; everything else is a row of `batch`
 */
export function countUncounted(
  messages: readonly Message[],
  batch: ReadingBatch,
  refused: readonly RefusedRecord[],
): number {
  const counted = messages.reduce((sum, { headers }) => sum + (headers.records ?? 1), 0);
  return refused.reduce((sum, { records }) => sum + records, batch.length) - counted;
}

/** The messages for the queue `failed`. */
export function deadLettersOf(refused: readonly RefusedRecord[], nowUs: number): OutgoingMessage[] {
  return refused.map(({ original, rejection, failure, receivedUs }) =>
    encodeDeadLetter({
      original,
      code: failure.code,
      deviceId: failure.deviceId,
      error: rejection.message,
      timestampUs: nowUs,
      receivedUs,
    }),
  );
}
