/**
 * The migrations as they lie on disk: `migrations/0001_name.sql`, numbered without gaps, each beginning with a header
 * of SQL comments:
 *
 *   -- description: one line for `downhole migrate status`
 *   -- requires: none | apache | community     the least TimescaleDB edition it needs
 *   -- transaction: none                       optional: its statements cannot run in a transaction, so each must be
 *                                              repeatable (IF NOT EXISTS): a killed migration is begun again
 *
 * `{{chunkHours}}` in the text stands for a number from the configuration. The checksum is over the text as it lies on
 * disk, so that a database set up with other chunks is not taken for one with an edited migration.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TimescaleEdition } from './database.js';

export interface Migration {
  readonly version: number;
  /** File name without number and `.sql`. */
  readonly name: string;
  readonly description: string;
  readonly requires: TimescaleEdition;
  readonly transactional: boolean;
  readonly sql: string;
  /** sha256, hex. */
  readonly checksum: string;
}

/** What the migrations may refer to: numbers only, so that nothing needs quoting. */
export interface MigrationVariables {
  /** Chunk interval of the hypertable, 1 … 168 hours. */
  readonly chunkHours: number;
}

export const MIGRATIONS_DIRECTORY = fileURLToPath(new URL('./migrations/', import.meta.url));

const FILE_NAME = /^(\d{4})_([a-z0-9_]+)\.sql$/;
const DIRECTIVE = /^-- (\w+): (.+)$/;
const EDITIONS: readonly string[] = ['none', 'apache', 'community'] satisfies TimescaleEdition[];
const isEdition = (value: string | undefined): value is TimescaleEdition => EDITIONS.includes(value ?? '');

/** Reads all migrations, in order. A malformed or misnumbered file is a defect of the program: a plain Error. */
export async function readMigrations(directory: string = MIGRATIONS_DIRECTORY): Promise<Migration[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort();
  const migrations = await Promise.all(
    names.map(async (name) => parseMigration(name, await readFile(join(directory, name), 'utf8'))),
  );
  for (const [index, migration] of migrations.entries()) {
    if (migration.version !== index + 1) {
      throw new Error(`${directory} has no migration ${index + 1}, or has it twice: number the files without gaps.`);
    }
  }
  return migrations;
}

/** One file: name, header, checksum. */
export function parseMigration(fileName: string, text: string): Migration {
  const [, number, name] = FILE_NAME.exec(fileName) ?? [];
  if (number === undefined || name === undefined)
    throw new Error(`${fileName} is not called like 0001_what_it_does.sql.`);
  // A checkout on Windows may have turned the line ends: that is no edit.
  const sql = text.replaceAll('\r\n', '\n');
  const { description, requires, transaction, ...unknown } = readHeader(sql);
  const [unknownKey] = Object.keys(unknown);
  if (unknownKey !== undefined) throw new Error(`${fileName}: unknown directive "${unknownKey}" in the header.`);
  if (description === undefined) throw new Error(`${fileName}: the header has no description.`);
  if (!isEdition(requires)) throw new Error(`${fileName}: "requires" must be one of ${EDITIONS.join(', ')}.`);
  if (transaction !== undefined && transaction !== 'none')
    throw new Error(`${fileName}: "transaction" may only be none.`);
  return {
    version: Number(number),
    name,
    description,
    requires,
    transactional: transaction === undefined,
    sql,
    checksum: createHash('sha256').update(sql).digest('hex'),
  };
}

/** The directives at the top; the first line that is none of them ends the header. */
function readHeader(sql: string): Partial<Record<string, string>> {
  const header: Record<string, string> = {};
  for (const line of sql.split('\n')) {
    const [, key, value] = DIRECTIVE.exec(line) ?? [];
    if (key === undefined || value === undefined) break;
    if (Object.hasOwn(header, key)) throw new Error(`The header says "${key}" twice.`);
    header[key] = value.trim();
  }
  return header;
}

/** The text with the variables filled in; a variable that does not exist is a defect of the migration. */
export function fillIn(sql: string, variables: MigrationVariables): string {
  const values: Readonly<Record<string, number>> = { ...variables };
  return sql.replaceAll(/\{\{(\w*)\}\}/g, (placeholder, name: string) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (value === undefined || !Number.isSafeInteger(value)) throw new Error(`No whole number for ${placeholder}.`);
    return String(value);
  });
}
