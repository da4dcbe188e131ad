/** Which dead letters are meant, as SQL: filters, ids, and the place between two pages. */
import { parseTimestamp, sqlTimestamp } from '../telemetry/timestamp.js';
import type { SqlValue } from '../storage/database.js';
import { wrongUsage } from './letter-errors.js';
import type { LetterFilter, Selection } from './letter-schemas.js';

/** Conditions that are all to hold, and their parameters: `$1` is the first. */
export class Conditions {
  readonly parameters: SqlValue[] = [];
  readonly #conditions: string[] = ['true'];

  /** @param condition with `?` where the values go */
  add(condition: string, ...values: SqlValue[]): this {
    let place = this.parameters.length;
    this.parameters.push(...values);
    this.#conditions.push(condition.replaceAll('?', () => `$${++place}`));
    return this;
  }

  /** The conditions of a filter, of a state and of a page. */
  static of(filter: LetterFilter, state: string): Conditions {
    const conditions = new Conditions();
    if (state !== 'all') conditions.add('state = ?', state);
    if (filter.code !== undefined) conditions.add('code = ?', filter.code);
    if (filter.device_id !== undefined) conditions.add('device_id = ?', filter.device_id);
    if (filter.since !== undefined) conditions.add('last_at >= ?::timestamptz', instantOf('since', filter.since));
    if (filter.until !== undefined) conditions.add('last_at < ?::timestamptz', instantOf('until', filter.until));
    if (filter.text !== undefined) conditions.add('strpos(lower(error), lower(?)) > 0', filter.text);
    return conditions;
  }

  get sql(): string {
    return this.#conditions.join(' AND ');
  }
}

/**
 * The filter of a selection.
 * @throws OperationalError `wrong_usage` unless exactly one of ids, filter and all says which letters are meant
 */
export function filterOf({ ids, filter, all }: Pick<Selection, 'ids' | 'filter' | 'all'>): LetterFilter {
  const isFiltered = filter !== undefined && Object.values(filter).some((value) => value !== undefined);
  const said = [ids !== undefined, isFiltered, all === true].filter(Boolean).length;
  if (said === 1) return filter ?? {};
  throw wrongUsage(
    said === 0
      ? 'Say which letters: their ids, a filter (code, device, since, until, text), or all of them'
      : 'Say which letters in one way: by their ids, by a filter, or all of them',
    'ids',
  );
}

/** Where a page ends: letters are in the order of `last_at` and id. */
export interface Place {
  /** Epoch microseconds. */
  readonly lastUs: number;
  readonly id: string;
}

export const formatPlace = ({ lastUs, id }: Place): string => `${lastUs}-${id}`;

/** @throws OperationalError `wrong_usage` */
export function parsePlace(text: string): Place {
  const [, micros, id] = /^(\d{1,16})-([0-9a-f]{64})$/.exec(text) ?? [];
  if (micros === undefined || id === undefined)
    throw wrongUsage('after is not what an answer gave as `next`; begin without it', 'after');
  return { lastUs: Number(micros), id };
}

/** Only letters before or behind a place. */
export function addPlace(conditions: Conditions, { lastUs, id }: Place, direction: '<' | '>'): void {
  const at = `timestamptz 'epoch' + ?::bigint * interval '1 microsecond'`;
  conditions.add(`(last_at, id) ${direction} (${at}, ?)`, lastUs, id);
}

function instantOf(field: string, text: string): string {
  const micros = parseTimestamp(text);
  if (typeof micros === 'number') return sqlTimestamp(micros);
  throw wrongUsage(`${field} is not RFC 3339 with offset; write e.g. 2026-11-23T18:00:00Z`, field);
}
