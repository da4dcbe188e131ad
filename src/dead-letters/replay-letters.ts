/**
 * Replay: one transaction locks letters, reads their records as the pipeline does, stores the rows and settles the letters.
 * Whenever it is killed, a letter either waits and has no row of this replay, or is replayed and has it.
 */
import { evaluateAsLate, type LateRowOptions } from '../pipeline/evaluate-as-late.js';
import { readBody, type ParsedBody } from '../pipeline/read-body.js';
import { isRejection, readRecord } from '../pipeline/read-record.js';
import type { Session } from '../storage/database.js';
import { readProfiles } from '../storage/device-directory.js';
import { storeTogether, type StoredTogether } from '../storage/store-together.js';
import { CHANNEL_NAMES } from '../telemetry/channels.js';
import { ReadingBatch } from '../telemetry/reading-batch.js';
import { reject, type Rejection } from '../telemetry/rejection.js';
import { formatTimestamp } from '../telemetry/timestamp.js';
import type { Reading } from './correct-record.js';
import { lockLetters, settleReplayed, type Verdict, type WaitingLetter } from './waiting-letters.js';

export interface Replay {
  readonly reading: Reading;
  readonly quality: LateRowOptions;
  readonly onConflict: 'refuse' | 'overwrite';
  readonly actor: string;
  /** Epoch microseconds: the clock that future timestamps and lateness are judged by. */
  readonly nowUs: number;
  /** What the log says about the replay beside its verdicts, e.g. the corrections. */
  readonly detail: Readonly<Record<string, unknown>>;
}

/**
 * Replays letters within the caller's transaction; those that do not wait any more, or that somebody else has in hand, are
 * left out. Rejects as `storeTogether` does.
 */
export async function replayLetters(session: Session, ids: readonly string[], replay: Replay): Promise<Verdict[]> {
  const letters = await lockLetters(session, ids);
  const bodies = letters.map((letter) => readLetter(letter, replay));
  const batch = new ReadingBatch(bodies.reduce((sum, body) => sum + (isRejection(body) ? 0 : body.records.length), 0));
  const unread = bodies.map((body, delivery) => (isRejection(body) ? body : readRecords(body, batch, delivery)));
  const profiles = await readProfiles(session, [...new Set(batch.deviceId.slice(0, batch.length))]);
  evaluateAsLate(batch, profiles, replay.quality);
  const stored = await storeTogether(session, batch, replay);
  const outcomes = countOutcomes(batch, stored);
  const verdicts = letters.map(({ id }, delivery): Verdict => {
    const rejection = unread[delivery] ?? stored.refused.get(delivery);
    if (rejection !== undefined) return { id, code: rejection.code, error: rejection.message };
    return { id, outcome: outcomes.get(delivery) ?? {} };
  });
  await settleReplayed(session, verdicts, replay.actor, detailsOf(letters, batch, stored, replay.detail));
  return verdicts;
}

function readLetter({ original, contentType }: WaitingLetter, { reading, nowUs }: Replay): ParsedBody | Rejection {
  const declared = contentType === 'application/x-ndjson' ? contentType : 'application/json';
  const body = readBody(original, reading.type ?? declared, reading.context(nowUs), reading.correct);
  if (isRejection(body) || body.records.length > 0) return body;
  return reject('missing_field', 'records', 'the letter has no record in it: there is nothing to replay, purge it');
}

/** Reads all records of a letter, or none. */
function readRecords({ records, context }: ParsedBody, batch: ReadingBatch, delivery: number): Rejection | undefined {
  const before = batch.length;
  for (const [index, record] of records.entries()) {
    const rejection = readRecord(record, context, batch);
    if (rejection !== undefined) {
      batch.length = before;
      const place = records.length === 1 ? '' : `record ${index} of ${records.length}: `;
      return { ...rejection, message: place + rejection.message };
    }
    batch.delivery[batch.length - 1] = delivery;
  }
  return undefined;
}

function countOutcomes(batch: ReadingBatch, { outcomes }: StoredTogether): Map<number, Record<string, number>> {
  const counts = new Map<number, Record<string, number>>();
  for (let row = 0; row < batch.length; row++) {
    const outcome = outcomes[row];
    if (outcome === undefined) continue;
    const delivery = batch.delivery[row] as number;
    const count = counts.get(delivery) ?? {};
    counts.set(delivery, { ...count, [outcome]: (count[outcome] ?? 0) + 1 });
  }
  return counts;
}

/** What the log keeps of each letter: the corrections, and the values that its records took the place of. */
function detailsOf(
  letters: readonly WaitingLetter[],
  batch: ReadingBatch,
  { replaced }: StoredTogether,
  detail: Replay['detail'],
): Map<string, Record<string, unknown>> {
  const overwritten = new Map<string, object[]>();
  for (const { row, replaced: values } of replaced) {
    const { id } = letters[batch.delivery[row] as number] as WaitingLetter;
    const entry = {
      device_id: batch.deviceId[row] as string,
      timestamp: formatTimestamp(batch.timestampUs[row] as number),
      values: Object.fromEntries(
        values.map(({ channel, stored, given }) => [CHANNEL_NAMES[channel] as string, { from: stored, to: given }]),
      ),
    };
    overwritten.set(id, [...(overwritten.get(id) ?? []), entry]);
  }
  return new Map(
    letters.map(({ id }) => {
      const entries = overwritten.get(id);
      return [id, { ...detail, ...(entries === undefined ? {} : { overwritten: entries }) }];
    }),
  );
}
