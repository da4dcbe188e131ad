/** The transactions of a replay: repeated where others were faster, halved down to the letter that the database refuses. */
import type { Database } from '../storage/database.js';
import { failureKind, sqlStateOf } from '../storage/sql-state.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { replayLetters, type Replay } from './replay-letters.js';
import { lockLetters, settleReplayed, type Verdict } from './waiting-letters.js';

/** How often a transaction that loses a race is begun anew. */
const MAX_ATTEMPTS = 5;
const UNIQUE_VIOLATION = '23505';
/** Serialization failure and deadlock: somebody else went on, and this transaction has to begin again. */
const ROLLED_BACK = '40';
/** More rows of compressed chunks would be opened in one transaction than TimescaleDB allows: fewer may pass. */
const CONFIGURATION_LIMIT_EXCEEDED = '53400';

/** Ends the transaction of a dry run, with what it found. */
class DryRun extends Error {
  readonly verdicts: readonly Verdict[];

  constructor(verdicts: readonly Verdict[]) {
    super('a dry run is rolled back');
    this.verdicts = verdicts;
  }
}

/**
 * Replays letters, nearly always in one transaction.
 * @param dryRun everything is done as it would be, and then rolled back
 * @throws OperationalError; what was committed until then is settled
 */
export async function runReplay(
  database: Database,
  ids: readonly string[],
  replay: Replay,
  dryRun: boolean,
): Promise<readonly Verdict[]> {
  if (ids.length === 0) return [];
  for (let attempt = 1; ; attempt++) {
    try {
      return await inTransaction(database, ids, replay, dryRun);
    } catch (error) {
      const sqlState = sqlStateOf(error);
      if (sqlState === UNIQUE_VIOLATION || sqlState?.startsWith(ROLLED_BACK) === true) {
        if (attempt === MAX_ATTEMPTS) throw contended(error);
        continue;
      }
      const atFault = sqlState !== null && failureKind(sqlState) === 'data';
      if (!atFault && sqlState !== CONFIGURATION_LIMIT_EXCEEDED) throw error;
      if (ids.length > 1) return await halved(database, ids, replay, dryRun);
      if (!atFault) throw error;
      return await refuse(database, ids, replay, dryRun, error);
    }
  }
}

async function inTransaction(
  database: Database,
  ids: readonly string[],
  replay: Replay,
  dryRun: boolean,
): Promise<readonly Verdict[]> {
  try {
    return await database.transaction(async (session) => {
      const verdicts = await replayLetters(session, ids, replay);
      if (dryRun) throw new DryRun(verdicts);
      return verdicts;
    });
  } catch (error) {
    if (error instanceof DryRun) return error.verdicts;
    throw error;
  }
}

async function halved(
  database: Database,
  ids: readonly string[],
  replay: Replay,
  dryRun: boolean,
): Promise<readonly Verdict[]> {
  const middle = ids.length >> 1;
  const first = await runReplay(database, ids.slice(0, middle), replay, dryRun);
  return [...first, ...(await runReplay(database, ids.slice(middle), replay, dryRun))];
}

/** The letter waits on, with what the database said. */
async function refuse(
  database: Database,
  ids: readonly string[],
  replay: Replay,
  dryRun: boolean,
  error: unknown,
): Promise<readonly Verdict[]> {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const message = `the database does not take the record: ${cause instanceof Error ? cause.message : String(cause)}`;
  const verdictsOf = (letters: readonly { readonly id: string }[]): Verdict[] =>
    letters.map(({ id }) => ({ id, code: 'database_rejected', error: message }));
  if (dryRun) return verdictsOf(ids.map((id) => ({ id })));
  return database.transaction(async (session) => {
    const verdicts = verdictsOf(await lockLetters(session, ids));
    await settleReplayed(session, verdicts, replay.actor, new Map(ids.map((id) => [id, replay.detail])));
    return verdicts;
  });
}

const contended = (cause: unknown): OperationalError =>
  new OperationalError(
    'write_contended',
    `Other writers stored rows under the same keys ${MAX_ATTEMPTS} times in a row. Replay again: what was done is not done twice.`,
    { retryable: true, cause },
  );
