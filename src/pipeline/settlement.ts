/** What became of a batch, as it is counted and as its dead letters tell it. */
import { encodeDeadLetter } from '../queue/dead-letter.js';
import type { OutgoingMessage } from '../queue/queue.js';
import type { WriteResult } from '../storage/telemetry-sink.js';
import { zeroOutcomes, type OutcomeCounts } from '../telemetry/outcome.js';
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
