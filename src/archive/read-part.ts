/** A part read back from the store: its bytes first, and only if they are the right ones its rows. */
import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { parquetMetadataAsync, parquetRead, type AsyncBuffer, type FileMetaData } from 'hyparquet';
import type { ArchivedColumn, ArchivedValue } from './column-types.js';
import { readObject, type ObjectStore } from './object-store.js';
import { RowTally, type ColumnValues, type TallyResult } from './row-tally.js';

export interface ReadBytes {
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
}

/** Reads an object to its end, and keeps nothing of it. */
export async function hashObject(store: ObjectStore, name: string): Promise<ReadBytes> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const piece of readObject(store, name)) {
    hash.update(piece);
    bytes += piece.length;
  }
  return { bytes, sha256: hash.digest('hex') };
}

/**
 * Times as whole microseconds: hyparquet would make a Date of them, which has milliseconds. Text with all that is in it:
 * hyparquet would take a U+FEFF at its beginning for a byte order mark, and leave it out.
 */
const parsers = {
  timestampFromMicroseconds: (micros: bigint): bigint => micros,
  stringFromBytes: (bytes: Uint8Array): string =>
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'),
};
const compressors = { GZIP: (input: Uint8Array): Uint8Array => gunzipSync(input) };

/** What the statistics of a row group say of its rows; undefined where they say nothing. Of text the beginning, or more. */
export interface GroupBounds {
  readonly rows: number;
  readonly minDevice: string | undefined;
  readonly maxDevice: string | undefined;
  readonly minTimeUs: bigint | undefined;
  readonly maxTimeUs: bigint | undefined;
}

/**
 * The rows of a part, a row group at a time, one request to the store each. For files whose bytes are known to be right:
 * of others a reader of Parquet can be made to do anything.
 * @param wants which row groups; those left out are not read from the store
 */
export async function* readRowGroups(
  store: ObjectStore,
  name: string,
  bytes: number,
  columns: readonly ArchivedColumn[],
  wants: (bounds: GroupBounds) => boolean = () => true,
): AsyncGenerator<{ rows: number; values: ColumnValues }> {
  for await (const { rows, read } of openRowGroups(store, name, bytes, wants))
    yield { rows, values: await read(columns) };
}

interface OpenRowGroup {
  readonly rows: number;
  /** Decodes these columns. */
  readonly read: (columns: readonly ArchivedColumn[]) => Promise<ColumnValues>;
}

async function* openRowGroups(
  store: ObjectStore,
  name: string,
  bytes: number,
  wants: (bounds: GroupBounds) => boolean,
): AsyncGenerator<OpenRowGroup> {
  const file: AsyncBuffer = {
    byteLength: bytes,
    slice: async (from, to = bytes) => ownBuffer(await store.read(name, from, to - from)),
  };
  const metadata = await parquetMetadataAsync(file, { parsers });
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rows = Number(group.num_rows);
    if (wants(boundsOf(group))) {
      const piece = await inOnePiece(file, group);
      const start = rowStart;
      yield { rows, read: (columns) => readGroup(piece, metadata, columns, start, rows) };
    }
    rowStart += rows;
  }
}

function boundsOf(group: FileMetaData['row_groups'][number]): GroupBounds {
  const statisticsOf = (name: string) =>
    group.columns.find(({ meta_data: column }) => column?.path_in_schema[0] === name)?.meta_data?.statistics;
  const device = statisticsOf('device_id');
  const time = statisticsOf('timestamp');
  const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
  const micros = (value: unknown): bigint | undefined => (typeof value === 'bigint' ? value : undefined);
  return {
    rows: Number(group.num_rows),
    minDevice: text(device?.min_value),
    maxDevice: text(device?.max_value),
    minTimeUs: micros(time?.min_value),
    maxTimeUs: micros(time?.max_value),
  };
}

/** Counts the rows of a part as `RowTally` does. */
export async function tallyObject(
  store: ObjectStore,
  name: string,
  bytes: number,
  columns: readonly ArchivedColumn[],
): Promise<TallyResult> {
  const tally = new RowTally(columns);
  // Column by column: a group as JavaScript's values is ten times the size of what it is in the file.
  const readOne = async ({ read }: OpenRowGroup, column: ArchivedColumn) => (await read([column]))[0] ?? [];
  for await (const group of openRowGroups(store, name, bytes, () => true))
    await tally.addByColumn(group.rows, (column) => readOne(group, column));
  return tally.result();
}

/** The file with the bytes of one row group in memory. */
async function inOnePiece(file: AsyncBuffer, group: FileMetaData['row_groups'][number]): Promise<AsyncBuffer> {
  const starts = group.columns.map(({ meta_data: column }) =>
    Number(column?.dictionary_page_offset ?? column?.data_page_offset ?? 0),
  );
  const start = Math.min(...starts);
  const end = Math.max(
    ...group.columns.map(
      ({ meta_data: column }, index) => (starts[index] as number) + Number(column?.total_compressed_size ?? 0),
    ),
  );
  const piece = await file.slice(start, end);
  return {
    byteLength: file.byteLength,
    slice: (from, to = file.byteLength) =>
      from >= start && to <= end ? piece.slice(from - start, to - start) : file.slice(from, to),
  };
}

async function readGroup(
  file: AsyncBuffer,
  metadata: FileMetaData,
  columns: readonly ArchivedColumn[],
  rowStart: number,
  rows: number,
): Promise<ColumnValues> {
  const byName = new Map(columns.map(({ name }): [string, ArrayLike<ArchivedValue>] => [name, []]));
  await parquetRead({
    file,
    metadata,
    parsers,
    compressors,
    columns: columns.map(({ name }) => name),
    rowStart,
    rowEnd: rowStart + rows,
    onChunk({ columnName, columnData, rowStart: chunkStart }) {
      const column = byName.get(columnName);
      if (column === undefined) return; // the caller knows no such column, and compares the lists
      if (chunkStart === rowStart && columnData.length === rows) {
        byName.set(columnName, columnData as ArrayLike<ArchivedValue>); // a single page: as it is
        return;
      }
      if (!Array.isArray(column)) throw new Error(`The column ${columnName} came twice.`);
      for (let index = 0; index < columnData.length; index++) {
        column[chunkStart - rowStart + index] = columnData[index] as ArchivedValue;
      }
    },
  });
  return columns.map(({ name }) => {
    const column = byName.get(name) ?? [];
    if (column.length !== rows) throw new Error(`The column ${name} has ${column.length} values instead of ${rows}.`);
    return column;
  });
}

/** hyparquet wants an ArrayBuffer of exactly these bytes. */
const ownBuffer = (bytes: Uint8Array): ArrayBuffer => Uint8Array.from(bytes).buffer;
