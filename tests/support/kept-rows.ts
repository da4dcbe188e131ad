/** Where every row that was ever written is: in the table, or in a part of the archive that counts. */
import { join } from 'node:path';
import type { Archiver } from '../../src/archive/archiver.js';
import type { Database } from '../../src/storage/database.js';
import { MICROS_PER_DAY } from '../../src/telemetry/timestamp.js';
import { rowsOfDay, rowsOfParquet } from './archived-rows.js';

export interface KeptRows {
  /** Of the day, by device and time: as text, all values included. */
  readonly table: string[];
  /** Of all parts that count; a row that is in two of them twice. */
  readonly parts: string[];
}

/** What there is of a UTC day, whose chunks begin and end with it. @param directory of the archive */
export async function keptRows(
  database: Database,
  archiver: Archiver,
  directory: string,
  dayUs: number,
): Promise<KeptRows> {
  const all = (await archiver.list()).filter(({ range }) => range.startUs === dayUs);
  const last = Math.max(...all.filter(({ state }) => state === 'verified' || state === 'dropped').map(revision));
  const counting = all.filter(
    ({ state, ...part }) => state === 'verified' || state === 'dropped' || (state === 'stale' && revision(part) > last),
  );
  const parts: string[] = [];
  for (const { range, objectKey } of counting) {
    if (range.endUs !== dayUs + MICROS_PER_DAY) throw new Error('The chunk is not a UTC day.');
    parts.push(...(await rowsOfParquet(join(directory, objectKey))).map(textOf));
  }
  return { table: (await rowsOfDay(database, dayUs)).map(textOf), parts: parts.sort() };
}

const revision = (part: { readonly revision: number }): number => part.revision;
const textOf = (row: Record<string, unknown>): string => JSON.stringify(Object.values(row));
