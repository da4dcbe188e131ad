/** Readings of a range as a file for people: CSV or Parquet, in the order of device and time, from database, archive or both. */
import { randomUUID } from 'node:crypto';
import { link, rename, rm } from 'node:fs/promises';
import type { DuckDBConnection } from '@duckdb/node-api';
import { OperationalError } from '../telemetry/operational-error.js';
import { withTelemetryView, type ArchiveQueryOptions } from './archive-query.js';

export const EXPORT_FORMATS = ['csv', 'parquet'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export interface ExportOptions extends Omit<ArchiveQueryOptions, 'limits'> {
  readonly devices: readonly string[] | undefined;
  readonly format: ExportFormat;
  readonly path: string;
  /** Whether a file of this name may be replaced. */
  readonly replace: boolean;
  readonly memoryMb: number;
}

const WRITE: Readonly<Record<ExportFormat, { readonly columns: string; readonly options: string }>> = {
  csv: {
    columns: `SELECT strftime("timestamp", '%Y-%m-%dT%H:%M:%S.%fZ') AS "timestamp",
      * EXCLUDE ("timestamp", ingestion_timestamp, year, month, day),
      strftime(ingestion_timestamp, '%Y-%m-%dT%H:%M:%S.%fZ') AS ingestion_timestamp`,
    options: 'FORMAT csv, HEADER true',
  },
  parquet: { columns: 'SELECT * EXCLUDE (year, month, day)', options: 'FORMAT parquet, COMPRESSION zstd' },
};

/**
 * Writes the file and returns how many rows it has. It gets its name once it is whole: an interrupted export leaves none.
 * @throws OperationalError `export_exists`, `export_failed`, and those of the archive and the database
 */
export async function exportRows({
  devices,
  format,
  path,
  replace,
  memoryMb,
  ...source
}: ExportOptions): Promise<number> {
  const unfinished = `${path}.${randomUUID().slice(0, 8)}.unfinished`;
  try {
    const rows = await withTelemetryView({ ...source, limits: { memoryMb } }, (connection) =>
      copyOut(connection, unfinished, format, devices),
    );
    if (replace) await rename(unfinished, path);
    // A link, unlike a rename, never takes the place of a file that somebody has made meanwhile.
    else await link(unfinished, path);
    return rows;
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? exists(path, error) : error;
  } finally {
    await rm(unfinished, { force: true });
  }
}

export const exists = (path: string, cause?: unknown): OperationalError =>
  new OperationalError('export_exists', `${path} is there already. Choose another name, or replace it with --force.`, {
    cause,
  });

async function copyOut(
  connection: DuckDBConnection,
  path: string,
  format: ExportFormat,
  devices: readonly string[] | undefined,
): Promise<number> {
  const { columns, options } = WRITE[format];
  const where = devices === undefined ? '' : ` WHERE device_id IN (${devices.map(literal).join(', ')})`;
  try {
    const result = await connection.run(
      `COPY (${columns} FROM telemetry t${where} ORDER BY t.device_id, t."timestamp") TO ${literal(path)} (${options})`,
    );
    return Number((await result.getRows())[0]?.[0] ?? 0);
  } catch (error) {
    throw new OperationalError(
      'export_failed',
      `The file could not be written: ${error instanceof Error ? error.message : String(error)}. Look at the directory and the room on its disk.`,
      { cause: error },
    );
  }
}

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;
