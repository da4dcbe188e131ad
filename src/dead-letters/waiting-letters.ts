/** The letters that wait: chosen, locked, and given what became of them. All within transactions of the caller's. */
import { auditAll, type AuditEntry } from '../storage/audit-log.js';
import type { Session } from '../storage/database.js';
import { storableText } from '../telemetry/storable-text.js';
import { addPlace, Conditions, filterOf, formatPlace, parsePlace } from './letter-query.js';
import type { Selection } from './letter-schemas.js';

/** Originals of one transaction; a single one may be larger. */
const MAX_BYTES = 8 * 1024 * 1024;

export interface ChosenLetters {
  /** In the order in which they were given up. */
  readonly ids: readonly string[];
  /** Where to go on; null when these were the last. */
  readonly next: string | null;
}

/** The letters of a selection that wait, from its place on, as many as fit into one transaction. @throws WrongUsage */
export async function chooseLetters(
  session: Session,
  { limit, after, ...selection }: Selection,
  ids: readonly string[] | undefined,
): Promise<ChosenLetters> {
  const conditions = Conditions.of(filterOf(selection), 'new');
  if (ids !== undefined) conditions.add('id = ANY(?::text[])', ids);
  if (after !== undefined) addPlace(conditions, parsePlace(after), '>');
  const rows = await session.query<{ id: string; bytes: number; last_us: number }>(
    `SELECT id, octet_length(original) AS bytes, (extract(epoch FROM last_at) * 1000000)::bigint AS last_us
     FROM dead_letters WHERE ${conditions.sql} ORDER BY last_at, id LIMIT ${limit + 1}`,
    conditions.parameters,
  );
  let bytes = 0;
  const chosen = rows.slice(0, limit).filter((row, index) => (bytes += row.bytes) <= MAX_BYTES || index === 0);
  const last = chosen.at(-1);
  const more = chosen.length < rows.length && last !== undefined;
  return {
    ids: chosen.map(({ id }) => id),
    next: more ? formatPlace({ lastUs: Number(last.last_us), id: last.id }) : null,
  };
}

export interface WaitingLetter {
  readonly id: string;
  readonly code: string;
  readonly deviceId: string | null;
  readonly original: Uint8Array;
  readonly contentType: string | null;
}

/** Those of the letters that still wait and that nobody else has in hand, locked until the transaction ends. */
export async function lockLetters(session: Session, ids: readonly string[]): Promise<WaitingLetter[]> {
  const rows = await session.query(
    `SELECT id, code, device_id, original, headers->>'contentType' AS content_type FROM dead_letters
     WHERE id = ANY($1::text[]) AND state = 'new' ORDER BY last_at, id FOR UPDATE SKIP LOCKED`,
    [ids],
  );
  return rows.map((row) => ({
    id: row['id'] as string,
    code: row['code'] as string,
    deviceId: row['device_id'] as string | null,
    original: row['original'] as Uint8Array,
    contentType: row['content_type'] as string | null,
  }));
}

/** What became of a letter. */
export type Verdict =
  | { readonly id: string; readonly outcome: Readonly<Record<string, number>> }
  | { readonly id: string; readonly code: string; readonly error: string };

const REPLAYED_SQL = `
  UPDATE dead_letters SET state = 'replayed', state_changed_at = now(), state_changed_by = $3, outcome = verdict.outcome::jsonb
  FROM unnest($1::text[], $2::text[]) AS verdict (id, outcome) WHERE dead_letters.id = verdict.id`;

const REFUSED_SQL = `
  UPDATE dead_letters SET code = verdict.code, error = verdict.error
  FROM unnest($1::text[], $2::text[], $3::text[]) AS verdict (id, code, error) WHERE dead_letters.id = verdict.id`;

/** Settles locked letters after a replay; with `details` the log says more about some of them. */
export async function settleReplayed(
  session: Session,
  verdicts: readonly Verdict[],
  actor: string,
  details: ReadonlyMap<string, Readonly<Record<string, unknown>>>,
): Promise<void> {
  const replayed = verdicts.flatMap((verdict) => ('outcome' in verdict ? [verdict] : []));
  const refused = verdicts.flatMap((verdict) => ('error' in verdict ? [verdict] : []));
  if (replayed.length > 0) {
    const outcomes = replayed.map(({ outcome }) => JSON.stringify(outcome));
    await session.execute(REPLAYED_SQL, [replayed.map(({ id }) => id), outcomes, actor]);
  }
  if (refused.length > 0) {
    const errors = refused.map(({ error }) => storableText(error));
    await session.execute(REFUSED_SQL, [refused.map(({ id }) => id), refused.map(({ code }) => code), errors]);
  }
  await auditAll(
    session,
    verdicts.map(({ id: target, ...verdict }): AuditEntry => {
      const result = 'outcome' in verdict ? 'replayed' : 'refused';
      return { actor, action: 'dead_letter.replay', target, detail: { result, ...verdict, ...details.get(target) } };
    }),
  );
}

const PURGED_SQL = `
  UPDATE dead_letters SET state = 'purged', state_changed_at = now(), state_changed_by = $2, original = ''
  WHERE id = ANY($1::text[])`;

/** Empties locked letters. The log keeps what they were. */
export async function settlePurged(session: Session, letters: readonly WaitingLetter[], actor: string): Promise<void> {
  await session.execute(PURGED_SQL, [letters.map(({ id }) => id), actor]);
  await auditAll(
    session,
    letters.map(({ id, code, deviceId, original }): AuditEntry => {
      const detail = { code, device_id: deviceId, bytes: original.byteLength };
      return { actor, action: 'dead_letter.purge', target: id, detail };
    }),
  );
}
