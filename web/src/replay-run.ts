/** A replay of many letters: request by request, until the service says that there are no more. */
import type { LetterFilter, ReplayResult } from '../../src/dead-letters/letter-schemas.js';
import { sendJson } from './api.js';

/** Which letters: one, or those of a filter that has an end in time, so that it is those that were counted. */
export type ReplayChoice =
  { readonly ids: readonly string[] } | { readonly filter: LetterFilter & { readonly until: string } };

export interface ReplayTally {
  readonly replayed: number;
  readonly refused: number;
  readonly skipped: number;
  /** What became of the records of replayed letters: stored, merged, duplicate. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** By code, how many were refused again, and the words of the last one. */
  readonly refusals: Readonly<Record<string, { readonly letters: number; readonly error: string }>>;
  /** Why the last skipped one was skipped. */
  readonly skippedBecause: string | null;
}

export const NOTHING_YET: ReplayTally = {
  replayed: 0,
  refused: 0,
  skipped: 0,
  outcomes: {},
  refusals: {},
  skippedBecause: null,
};

export const lettersOf = ({ replayed, refused, skipped }: ReplayTally): number => replayed + refused + skipped;

/**
 * Replays, and tells after each request what has come of it so far. Rejects with an ApiError; what was told is done.
 * @param wanted asked before each request: whether to go on
 */
export async function runReplay(
  choice: ReplayChoice,
  wanted: () => boolean,
  onTally: (tally: ReplayTally) => void,
): Promise<void> {
  let tally = NOTHING_YET;
  let after: string | null = null;
  do {
    const body: object = { ...choice, ...(after === null ? {} : { after }) };
    const result: ReplayResult = await sendJson<ReplayResult>('POST', '/v1/dead-letters/replay', body);
    tally = add(tally, result.letters);
    onTally(tally);
    after = result.next;
  } while (after !== null && wanted());
}

function add(tally: ReplayTally, letters: ReplayResult['letters']): ReplayTally {
  const outcomes = { ...tally.outcomes };
  const refusals = { ...tally.refusals };
  const count = { replayed: tally.replayed, refused: tally.refused, skipped: tally.skipped };
  let { skippedBecause } = tally;
  for (const { result, outcome, code, error } of letters) {
    count[result]++;
    for (const [name, records] of Object.entries(outcome ?? {}))
      if (result === 'replayed') outcomes[name] = (outcomes[name] ?? 0) + records;
    if (result === 'refused' && code !== null)
      refusals[code] = { letters: (refusals[code]?.letters ?? 0) + 1, error: error ?? '' };
    if (result === 'skipped') skippedBecause = error;
  }
  return { ...count, outcomes, refusals, skippedBecause };
}
