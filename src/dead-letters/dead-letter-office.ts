/**
 * The dead letters of a platform: seen, replayed, purged. Two implementations with the same answers: on the database
 * (`DatabaseLetterOffice`), and through a running service (`HttpLetterOffice`).
 */
import type { Events } from '../monitoring/events.js';
import type { LateRowOptions } from '../pipeline/evaluate-as-late.js';
import type { Database } from '../storage/database.js';
import { formatTimestamp } from '../telemetry/timestamp.js';
import { prepareReading } from './correct-record.js';
import { groupLetters, listLetters, resolveIds, showLetter } from './read-letters.js';
import type {
  GroupsQuery,
  LetterDetail,
  LetterGroups,
  LetterList,
  ListQuery,
  PurgeRequest,
  PurgeResult,
  ReplayedLetter,
  ReplayRequest,
  ReplayResult,
} from './letter-schemas.js';
import type { Replay } from './replay-letters.js';
import { runReplay } from './run-replay.js';
import { chooseLetters, lockLetters, settlePurged, type Verdict } from './waiting-letters.js';

/** All reject with an OperationalError: `wrong_usage`, `letter_unknown`, or what database or service say. */
export interface DeadLetterOffice {
  list(query: ListQuery): Promise<LetterList>;
  groups(query: GroupsQuery): Promise<LetterGroups>;
  /** @param id as much of it as makes it unique */
  show(id: string): Promise<LetterDetail>;
  /**
   * Replays letters that wait, some per call: `next` of the result leads to the others. What was said to be replayed is
   * committed. After a failure the same call may be made again: no letter is replayed twice.
   * @param actor who does it, for the log; a service knows its callers itself
   */
  replay(request: ReplayRequest, actor: string): Promise<ReplayResult>;
  /** Gives up letters that wait, for good, some per call. */
  purge(request: PurgeRequest, actor: string): Promise<PurgeResult>;
}

export interface DatabaseLetterOfficeParts {
  readonly database: Database;
  readonly events: Events;
  readonly quality: LateRowOptions;
  /** Epoch microseconds. */
  readonly nowUs: () => number;
}

export class DatabaseLetterOffice implements DeadLetterOffice {
  readonly #parts: DatabaseLetterOfficeParts;

  constructor(parts: DatabaseLetterOfficeParts) {
    this.#parts = parts;
  }

  async list(query: ListQuery): Promise<LetterList> {
    return { as_of: this.#now(), ...(await listLetters(this.#parts.database, query)) };
  }

  async groups(query: GroupsQuery): Promise<LetterGroups> {
    return { as_of: this.#now(), ...(await groupLetters(this.#parts.database, query)) };
  }

  async show(id: string): Promise<LetterDetail> {
    return { as_of: this.#now(), ...(await showLetter(this.#parts.database, id)) };
  }

  async replay(request: ReplayRequest, actor: string): Promise<ReplayResult> {
    const { database, events, quality, nowUs } = this.#parts;
    const { corrections, overwrite = false, dry_run: dryRun = false, ...selection } = request;
    const reading = prepareReading(corrections);
    const asked = selection.ids === undefined ? undefined : await resolveIds(database, selection.ids);
    const { ids, next } = await chooseLetters(database, selection, asked);
    const replay: Replay = {
      reading,
      quality,
      onConflict: overwrite ? 'overwrite' : 'refuse',
      actor,
      nowUs: nowUs(),
      detail: { ...(corrections === undefined ? {} : { corrections }), ...(overwrite ? { overwrite } : {}) },
    };
    const verdicts = await runReplay(database, ids, replay, dryRun);
    const missed = ids.filter((id) => !verdicts.some((verdict) => verdict.id === id));
    // Of letters that were named, those that do not wait are told about, once.
    const named = selection.after === undefined ? (asked ?? []).filter((id) => !ids.includes(id)) : [];
    const letters = [...verdicts.map(asReplayed), ...(await this.#skipped(missed, named))];
    const refused = verdicts.filter((verdict) => 'error' in verdict).length;
    if (!dryRun) events.emit('dead_letters_replayed', { replayed: verdicts.length - refused, refused, actor });
    return { as_of: this.#now(), dry_run: dryRun, letters, next };
  }

  async purge(request: PurgeRequest, actor: string): Promise<PurgeResult> {
    const { database, events } = this.#parts;
    const asked = request.ids === undefined ? undefined : await resolveIds(database, request.ids);
    const { ids, next } = await chooseLetters(database, request, asked);
    const purged = await database.transaction(async (session) => {
      const letters = await lockLetters(session, ids);
      await settlePurged(session, letters, actor);
      return letters.map(({ id }) => id);
    });
    events.emit('dead_letters_purged', { letters: purged.length, actor });
    return { as_of: this.#now(), purged, next };
  }

  /** What is said about letters that were to be replayed and were not in hand, and about those of `named` that do not wait. */
  async #skipped(missed: readonly string[], named: readonly string[]): Promise<ReplayedLetter[]> {
    if (missed.length + named.length === 0) return [];
    const rows = await this.#parts.database.query<{ id: string; state: string; outcome: ReplayedLetter['outcome'] }>(
      `SELECT id, state, outcome FROM dead_letters
       WHERE id = ANY($1::text[]) OR (id = ANY($2::text[]) AND state <> 'new') ORDER BY id`,
      [missed, named],
    );
    return rows.map(({ id, state, outcome }) => {
      const error = state === 'new' ? 'somebody else has it in hand; try again' : `it is ${state} already`;
      return { id, result: 'skipped', outcome, code: null, error };
    });
  }

  #now(): string {
    return formatTimestamp(this.#parts.nowUs());
  }
}

const asReplayed = (verdict: Verdict): ReplayedLetter =>
  'outcome' in verdict
    ? { id: verdict.id, result: 'replayed', outcome: verdict.outcome, code: null, error: null }
    : { id: verdict.id, result: 'refused', outcome: null, code: verdict.code, error: verdict.error };
