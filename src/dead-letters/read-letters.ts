/** Dead letters out of the table, for people: lists, groups by reason, one with everything. */
import { isUtf8 } from 'node:buffer';
import { readActsOn } from '../storage/audit-log.js';
import type { Database, Row, Session } from '../storage/database.js';
import { formatTimestamp } from '../telemetry/timestamp.js';
import { ambiguousLetter, unknownLetter } from './letter-errors.js';
import { addPlace, Conditions, formatPlace, parsePlace } from './letter-query.js';
import type { GroupsQuery, Letter, LetterDetail, LetterGroups, LetterList, ListQuery } from './letter-schemas.js';

/** A text column of third parties: there may be as many codes as they like. */
const MAX_GROUPS = 100;
const MAX_HISTORY = 100;
const MAX_CANDIDATES = 5;

const micros = (column: string): string => `(extract(epoch FROM ${column}) * 1000000)::bigint`;

const COLUMNS = `id, code, device_id, error, state, state_changed_by, outcome, occurrences, octet_length(original) AS bytes,
  ${micros('received_at')} AS first_us, ${micros('last_at')} AS last_us, ${micros('state_changed_at')} AS changed_us`;

const instant = (value: unknown): string => formatTimestamp(Number(value));

function letterOf(row: Row): Letter {
  return {
    id: row['id'] as string,
    code: row['code'] as string,
    device_id: row['device_id'] as string | null,
    error: row['error'] as string,
    state: row['state'] as Letter['state'],
    state_changed_at: row['changed_us'] === null ? null : instant(row['changed_us']),
    state_changed_by: row['state_changed_by'] as string | null,
    outcome: row['outcome'] as Letter['outcome'],
    occurrences: Number(row['occurrences']),
    first_at: instant(row['first_us']),
    last_at: instant(row['last_us']),
    bytes: Number(row['bytes']),
  };
}

/** A page of letters, those given up last first. @throws WrongUsage */
export async function listLetters(database: Database, query: ListQuery): Promise<Omit<LetterList, 'as_of'>> {
  const { state, limit, after, ...filter } = query;
  const conditions = Conditions.of(filter, state);
  if (after !== undefined) addPlace(conditions, parsePlace(after), '<');
  const rows = await database.query(
    `SELECT ${COLUMNS} FROM dead_letters WHERE ${conditions.sql} ORDER BY last_at DESC, id DESC LIMIT ${limit + 1}`,
    conditions.parameters,
  );
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  const more = rows.length > limit && last !== undefined;
  return {
    letters: page.map(letterOf),
    next: more ? formatPlace({ lastUs: Number(last['last_us']), id: last['id'] as string }) : null,
  };
}

/** Letters by code, most first, each with the one given up last. @throws WrongUsage */
export async function groupLetters(
  database: Database,
  { state, ...filter }: GroupsQuery,
): Promise<Omit<LetterGroups, 'as_of'>> {
  const conditions = Conditions.of(filter, state);
  const rows = await database.query(
    `WITH chosen AS (
       SELECT code, count(*) AS letters, sum(occurrences)::bigint AS occurrences, count(DISTINCT device_id) AS devices,
         ${micros('min(received_at)')} AS first_us, ${micros('max(last_at)')} AS last_us
       FROM dead_letters WHERE ${conditions.sql} GROUP BY code ORDER BY letters DESC, code LIMIT ${MAX_GROUPS}
     )
     SELECT chosen.*, example.id, example.device_id, example.error FROM chosen CROSS JOIN LATERAL (
       SELECT id, device_id, error FROM dead_letters
       WHERE ${conditions.sql} AND dead_letters.code = chosen.code ORDER BY last_at DESC, id DESC LIMIT 1
     ) AS example ORDER BY letters DESC, code`,
    conditions.parameters,
  );
  return {
    groups: rows.map((row) => ({
      code: row['code'] as string,
      letters: Number(row['letters']),
      occurrences: Number(row['occurrences']),
      devices: Number(row['devices']),
      first_at: instant(row['first_us']),
      last_at: instant(row['last_us']),
      example: {
        id: row['id'] as string,
        device_id: row['device_id'] as string | null,
        error: row['error'] as string,
      },
    })),
  };
}

/** One letter with its bytes and what was done to it. @throws OperationalError `letter_unknown`, WrongUsage */
export async function showLetter(database: Database, prefix: string): Promise<Omit<LetterDetail, 'as_of'>> {
  const [id] = await resolveIds(database, [prefix]);
  const [row] = await database.query(`SELECT ${COLUMNS}, original, headers FROM dead_letters WHERE id = $1`, [
    id as string,
  ]);
  if (row === undefined) throw unknownLetter(prefix); // removed a moment ago
  const original = Buffer.from(row['original'] as Uint8Array);
  const encoding = isUtf8(original) ? 'utf8' : 'base64';
  return {
    letter: {
      ...letterOf(row),
      original: { encoding, data: original.toString(encoding) },
      headers: row['headers'] as Record<string, unknown>,
      history: (await readActsOn(database, id as string, MAX_HISTORY)).map(({ target: _, ...act }) => act),
    },
  };
}

const RESOLVE_SQL = `
  SELECT asked.prefix, letter.id FROM unnest($1::text[]) AS asked (prefix)
  CROSS JOIN LATERAL (
    SELECT id FROM dead_letters WHERE id BETWEEN rpad(asked.prefix, 64, '0') AND rpad(asked.prefix, 64, 'f')
    ORDER BY id LIMIT ${MAX_CANDIDATES}
  ) AS letter`;

/**
 * The ids that begin so, in the order of the question and each once.
 * @throws OperationalError `letter_unknown`, WrongUsage where a beginning is that of several
 */
export async function resolveIds(session: Session, prefixes: readonly string[]): Promise<string[]> {
  const found = new Map<string, string[]>(prefixes.map((prefix) => [prefix, []]));
  const rows = await session.query<{ prefix: string; id: string }>(RESOLVE_SQL, [[...found.keys()]]);
  for (const { prefix, id } of rows) found.get(prefix)?.push(id);
  const ids = new Set<string>();
  for (const [prefix, candidates] of found) {
    const [id, another] = candidates;
    if (id === undefined) throw unknownLetter(prefix);
    if (another !== undefined) throw ambiguousLetter(prefix, candidates);
    ids.add(id);
  }
  return [...ids];
}
