/** Rows of a Parquet file, a part of a row group at a time. */
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { OperationalError } from '../../telemetry/operational-error.js';
import type { Position, RowSource, SourceRow } from './source-row.js';
import { fileError } from './text-lines.js';
import { NativeTimestamp } from './time-format.js';

/** Rows in memory at a time; a row group larger than that is read in parts. */
const MAX_ROWS = 100_000;

type AsyncBuffer = Awaited<ReturnType<typeof asyncBufferFromFile>>;
type Metadata = Awaited<ReturnType<typeof parquetMetadataAsync>>;

/** Times keep their microseconds: hyparquet would make a Date of them, which has milliseconds. */
const parsers = {
  timestampFromMilliseconds: (millis: bigint) => new NativeTimestamp(Number(millis) * 1000),
  timestampFromMicroseconds: (micros: bigint) => new NativeTimestamp(Number(micros)),
  timestampFromNanoseconds: (nanos: bigint) =>
    new NativeTimestamp(Number(BigInt.asIntN(64, nanos - floorRest(nanos)) / 1000n)),
  dateFromDays: (days: number) => new NativeTimestamp(days * 86_400e6),
};

/** What is beyond the microsecond, cut off towards the past. */
const floorRest = (nanos: bigint): bigint => ((nanos % 1000n) + 1000n) % 1000n;

/** @throws OperationalError `file_unreadable` */
export async function openParquet(path: string): Promise<RowSource> {
  let file: AsyncBuffer;
  let metadata: Metadata;
  try {
    file = await asyncBufferFromFile(path);
    metadata = await parquetMetadataAsync(file);
  } catch (error) {
    throw parquetError(path, error);
  }
  const columns = parquetSchema(metadata).children.map(({ element }) => element.name);
  const total = Number(metadata.num_rows);
  let read = 0;
  return {
    columns,
    readShare: () => (total === 0 ? 1 : read / total),
    async *rows(from: Position = { offset: 0, line: 1 }) {
      for (let start = from.offset; start < total;) {
        const end = Math.min(start + MAX_ROWS, endOfGroup(metadata, start), total);
        yield await readPart(path, file, metadata, columns, start, end);
        start = end;
        read = end;
      }
    },
  };
}

/** The row after the group that a row lies in: groups are read apart, since each has its columns for itself. */
function endOfGroup(metadata: Metadata, row: number): number {
  let end = 0;
  for (const group of metadata.row_groups) {
    end += Number(group.num_rows);
    if (end > row) return end;
  }
  return end;
}

async function readPart(
  path: string,
  file: AsyncBuffer,
  metadata: Metadata,
  columns: readonly string[],
  start: number,
  end: number,
): Promise<SourceRow[]> {
  let objects: Record<string, unknown>[];
  try {
    objects = await parquetReadObjects({ file, metadata, compressors, parsers, rowStart: start, rowEnd: end });
  } catch (error) {
    throw parquetError(path, error);
  }
  return objects.map((object, index) => ({
    names: columns,
    values: columns.map((name) => plain(object[name])),
    line: start + index + 1,
    next: { offset: start + index + 1, line: start + index + 2 },
  }));
}

/** A value as JSON has it; times and whole numbers beyond 2⁵³ are left for the time column to read. */
function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof NativeTimestamp) return value;
  return JSON.parse(
    JSON.stringify(value, (_name, member: unknown) => (typeof member === 'bigint' ? String(member) : member)),
  );
}

/** hyparquet throws plain Errors for whatever is wrong with a file; a defect here would be a TypeError. */
function parquetError(path: string, error: unknown): OperationalError {
  if (!(error instanceof Error)) throw error;
  if ('code' in error) return fileError(path, error);
  return new OperationalError('file_unreadable', `${path} is not a Parquet file that can be read: ${error.message}`, {
    cause: error,
  });
}
