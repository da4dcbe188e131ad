/** `downhole archive query`: SQL over the archive, and over the database beside it. */
import { join } from 'node:path';
import { queryArchive, type QueryResult, type QueryValue } from '../archive/archive-query.js';
import { openObjectStore } from '../archive/open-object-store.js';
import { PartCache } from '../archive/part-cache.js';
import { readRange, wrongUsage, type RangeOptions } from './archive-range.js';
import { csvLine } from './csv-text.js';
import { loadSettings, type GlobalOptions } from './load-settings.js';
import { printTable } from './print-table.js';
import { refuseOlderSchema } from './schema-state.js';
import { withDatabase } from './with-database.js';

export interface QueryOptions extends GlobalOptions, RangeOptions {
  readonly withHot?: boolean;
  readonly format: string;
  readonly limit: string;
  readonly cacheMb: string;
  readonly memoryMb: string;
}

const FORMATS = ['table', 'json', 'csv'] as const;

/** Prints the answer on stdout. @throws OperationalError `wrong_usage`, `query_failed`, of the archive and the database */
export async function queryArchiveCommand(sql: string, options: QueryOptions): Promise<void> {
  const format = FORMATS.find((name) => name === options.format);
  if (format === undefined) throw wrongUsage(`--format is ${FORMATS.join(', ')}`);
  const hasRange = options.from !== undefined || options.to !== undefined;
  const range = hasRange ? readRange(options) : undefined;
  const withHot = options.withHot === true;
  if (withHot && range === undefined) throw wrongUsage('--with-hot asks for --from and --to');
  const limits = {
    rows: readCount('--limit', options.limit, 10_000_000),
    memoryMb: readCount('--memory-mb', options.memoryMb, 1_000_000),
  };
  const cacheBytes = readCount('--cache-mb', options.cacheMb, 100_000_000) * 1e6;
  const quiet = process.env['DOWNHOLE_LOG_LEVEL'] === undefined ? { logLevel: 'warn' } : {};
  const settings = loadSettings(options, quiet);
  const result = await withDatabase(settings, 'archive', async (database) => {
    await refuseOlderSchema(database, settings);
    const store = await openObjectStore(settings.config);
    const cache = new PartCache(store, join(settings.config.dataDir, 'archive-cache'), cacheBytes);
    return queryArchive({ database, cache, range, withHot, limits }, sql);
  });
  print(format, result);
  if (result.isCut) process.stderr.write(`downhole: only the first ${limits.rows} rows; a larger --limit shows more\n`);
}

function print(format: (typeof FORMATS)[number], { columns, rows }: QueryResult): void {
  if (format === 'json') {
    const objects = rows.map((row) => Object.fromEntries(columns.map((name, index) => [name, row[index] ?? null])));
    process.stdout.write(`${JSON.stringify(objects, null, 2)}\n`);
  } else if (format === 'csv') {
    process.stdout.write([columns, ...rows].map((row) => csvLine(row)).join(''));
  } else {
    printTable(
      columns,
      rows.map((row) => row.map(shown)),
    );
  }
}

const shown = (value: QueryValue): string => (value === null ? '' : String(value));

export function readCount(option: string, text: string, most: number): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > most)
    throw wrongUsage(`${option} is a whole number from 1 to ${most}`);
  return count;
}
