/** `downhole export`: readings of a range as a file. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { exists, EXPORT_FORMATS, exportRows } from '../archive/export-rows.js';
import { openObjectStore } from '../archive/open-object-store.js';
import { PartCache } from '../archive/part-cache.js';
import { readCount } from './archive-query.js';
import { readDevices, readRange, wrongUsage, type RangeOptions } from './archive-range.js';
import { loadSettings, type GlobalOptions } from './load-settings.js';
import { printLine } from './print-table.js';
import { refuseOlderSchema } from './schema-state.js';
import { withDatabase } from './with-database.js';

export interface ExportCommandOptions extends GlobalOptions, RangeOptions {
  readonly out: string;
  readonly format?: string;
  readonly archiveOnly?: boolean;
  readonly force?: boolean;
  readonly cacheMb: string;
  readonly memoryMb: string;
}

/** @throws OperationalError `wrong_usage`, `export_exists`, `export_failed`, of the archive and the database */
export async function exportCommand(options: ExportCommandOptions): Promise<void> {
  const ending = options.format ?? /\.(csv|parquet)$/.exec(options.out)?.[1] ?? '';
  const format = EXPORT_FORMATS.find((name) => name === ending);
  if (format === undefined)
    throw wrongUsage(`--format is ${EXPORT_FORMATS.join(' or ')}, or the ending of --out says it`);
  const range = readRange(options);
  const devices = readDevices(options);
  const memoryMb = readCount('--memory-mb', options.memoryMb, 1_000_000);
  const cacheBytes = readCount('--cache-mb', options.cacheMb, 100_000_000) * 1e6;
  const path = resolve(options.out);
  const replace = options.force === true;
  if (!replace && existsSync(path)) throw exists(path);
  const quiet = process.env['DOWNHOLE_LOG_LEVEL'] === undefined ? { logLevel: 'warn' } : {};
  const settings = loadSettings(options, quiet);
  const rows = await withDatabase(settings, 'export', async (database) => {
    await refuseOlderSchema(database, settings);
    const store = await openObjectStore(settings.config);
    const cache = new PartCache(store, join(settings.config.dataDir, 'archive-cache'), cacheBytes);
    return exportRows({
      database,
      cache,
      range,
      withHot: options.archiveOnly !== true,
      devices,
      format,
      path,
      replace,
      memoryMb,
    });
  });
  printLine(`${rows} readings in ${path}`);
}
