/**
 * A column of a row group as Parquet has it: definition levels, a dictionary where it pays, values; each compressed by itself.
 * The library that writes the rest of the file (its header, its footer, the header of each page) takes values as objects one by
 * one, at a third of the speed. Format: parquet.thrift and Encodings.md of Apache Parquet.
 */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { ColumnChunk, Encoding } from 'hyparquet';
import type { ByteWriter } from 'hyparquet-writer';
import { writePageHeader } from 'hyparquet-writer/src/datapage.js';
import { bitWidthOf, encodeBits, encodeLevels, encodeIndexes } from './encode-levels.js';
import { parquetElement } from './column-types.js';
import { distinctNumbers, distinctTexts, plainNumbers, plainTexts, presentRows } from './encode-values.js';
import { statisticsOf, type Statistics } from './encode-statistics.js';
import type { GroupColumn } from './row-group.js';

/** Half the time of the default level for a twentieth more bytes. */
const GZIP_LEVEL = 4;
const compress = promisify(gzip);

export interface EncodedColumn {
  readonly column: GroupColumn;
  readonly rows: number;
  readonly nulls: number;
  readonly encoding: Encoding;
  readonly levels: Uint8Array;
  readonly dictionary: Page | undefined;
  readonly values: Page;
  readonly statistics: Statistics;
}

interface Page {
  readonly count: number;
  readonly bytes: number;
  readonly compressed: Uint8Array;
}

/** Everything of the column that lies in the group is read before the first wait: the group may be used again then. */
export async function encodeColumn(column: GroupColumn, rows: number): Promise<EncodedColumn> {
  const { values, nullable, nulls } = column;
  const present = presentRows(column, rows);
  const levels = nullable ? encodeLevels(column.isNull, rows, nulls) : new Uint8Array(0);
  const rest = { column, rows, nulls, levels };
  if (values instanceof Uint8Array) {
    const statistics = statisticsOf(column, present);
    const page = await pageOf(present.length, encodeBits(values, present));
    return { ...rest, encoding: 'PLAIN', dictionary: undefined, values: page, statistics };
  }
  const found =
    present.length === 0
      ? undefined
      : Array.isArray(values)
        ? distinctTexts(values, present)
        : distinctNumbers(values, present);
  // Of values that are alike one is enough.
  const statistics = statisticsOf(column, found?.firstRows ?? present);
  const plain = (at: Int32Array): Uint8Array =>
    Array.isArray(values) ? plainTexts(values, at) : plainNumbers(values, at);
  if (found === undefined) {
    const page = await pageOf(present.length, plain(present));
    return { ...rest, encoding: 'PLAIN', dictionary: undefined, values: page, statistics };
  }
  const indexes = encodeIndexes(found.indexes, bitWidthOf(found.firstRows.length));
  const pages = [pageOf(found.firstRows.length, plain(found.firstRows)), pageOf(present.length, indexes)] as const;
  const [dictionary, page] = await Promise.all(pages);
  return { ...rest, encoding: 'RLE_DICTIONARY', dictionary, values: page, statistics };
}

async function pageOf(count: number, bytes: Uint8Array): Promise<Page> {
  return { count, bytes: bytes.length, compressed: await compress(bytes, { level: GZIP_LEVEL }) };
}

/** Appends the pages of a column, and says what the footer has to know of them. */
export function writeColumn(writer: ByteWriter, encoded: EncodedColumn): ColumnChunk {
  const { column, rows, nulls, encoding, levels, dictionary, values, statistics } = encoded;
  const start = writer.offset;
  if (dictionary !== undefined) {
    writePageHeader(writer, {
      type: 'DICTIONARY_PAGE',
      uncompressed_page_size: dictionary.bytes,
      compressed_page_size: dictionary.compressed.length,
      dictionary_page_header: { num_values: dictionary.count, encoding: 'PLAIN' },
    });
    writer.appendBytes(dictionary.compressed);
  }
  const dataStart = writer.offset;
  writePageHeader(writer, {
    type: 'DATA_PAGE_V2',
    uncompressed_page_size: levels.length + values.bytes,
    compressed_page_size: levels.length + values.compressed.length,
    data_page_header_v2: {
      num_values: rows,
      num_nulls: nulls,
      num_rows: rows,
      encoding,
      definition_levels_byte_length: levels.length,
      repetition_levels_byte_length: 0,
      is_compressed: true,
    },
  });
  writer.appendBytes(levels);
  writer.appendBytes(values.compressed);
  const saved =
    values.bytes - values.compressed.length + ((dictionary?.bytes ?? 0) - (dictionary?.compressed.length ?? 0));
  const size = writer.offset - start;
  const { type } = parquetElement(column);
  if (type === undefined) throw new Error(`The column ${column.name} has no type in Parquet.`);
  return {
    file_offset: BigInt(start),
    meta_data: {
      type,
      encodings: dictionary === undefined ? ['PLAIN', 'RLE'] : ['PLAIN', 'RLE', 'RLE_DICTIONARY'],
      path_in_schema: [column.name],
      codec: 'GZIP',
      num_values: BigInt(rows),
      total_uncompressed_size: BigInt(size + saved),
      total_compressed_size: BigInt(size),
      data_page_offset: BigInt(dataStart),
      ...(dictionary === undefined ? {} : { dictionary_page_offset: BigInt(start) }),
      statistics,
      encoding_stats: [
        ...(dictionary === undefined
          ? []
          : [{ page_type: 'DICTIONARY_PAGE' as const, encoding: 'PLAIN' as const, count: 1 }]),
        { page_type: 'DATA_PAGE_V2' as const, encoding, count: 1 },
      ],
    },
  };
}
