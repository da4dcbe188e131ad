/** Rows → the bytes of a Parquet file, a row group at a time. */
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { fingerprintOf, type RowPage } from './chunk-rows.js';
import { parquetElement, type ArchivedColumn, type ArchivedValue } from './column-types.js';
import { RowTally, type TallyResult } from './row-tally.js';

/** Held in memory as JavaScript values, some 30 MB of 26 columns; readers skip and read by row group. */
const ROWS_A_GROUP = 65_536;
/** Half the time of the default level for a twentieth more bytes. */
const GZIP_LEVEL = 4;

/** What a part turned out to be, once all its bytes have been taken. */
export interface WrittenPart {
  readonly tally: TallyResult;
  readonly fingerprint: string;
  readonly bytes: number;
  /** Hex, of the whole file. */
  readonly sha256: string;
}

export class PartWriter {
  readonly #columns: readonly ArchivedColumn[];
  readonly #tally: RowTally;
  readonly #sha256 = createHash('sha256');
  readonly #bytes = new ByteWriter();
  readonly #parquet: ParquetWriter;
  #group: ArchivedValue[][];
  #hash = 0n;
  #written: WrittenPart | undefined;

  constructor(columns: readonly ArchivedColumn[], metadata: Readonly<Record<string, string>>) {
    this.#columns = columns;
    this.#tally = new RowTally(columns);
    this.#group = columns.map(() => []);
    this.#parquet = new ParquetWriter({
      writer: this.#bytes,
      schema: [{ name: 'telemetry', num_children: columns.length }, ...columns.map(parquetElement)],
      codec: 'GZIP',
      compressors: { GZIP: (input) => gzipSync(input, { level: GZIP_LEVEL }) },
      createdBy: 'downhole',
      kvMetadata: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    });
  }

  /** The bytes of the file, as they are taken. */
  async *bytes(pages: AsyncIterable<RowPage>): AsyncGenerator<Uint8Array> {
    for await (const page of pages) {
      this.#tally.add(page.values, page.rows);
      this.#hash += page.hash;
      for (const [index, values] of page.values.entries()) {
        const column = this.#group[index] as ArchivedValue[];
        for (const value of values) column.push(value);
      }
      if (this.#groupRows >= ROWS_A_GROUP) yield await this.#writeGroup();
    }
    if (this.#groupRows > 0) yield await this.#writeGroup();
    await this.#parquet.finish();
    yield this.#take();
    const tally = this.#tally.result();
    const fingerprint = fingerprintOf(tally.rows, this.#hash);
    this.#written = { tally, fingerprint, bytes: this.#bytes.offset, sha256: this.#sha256.digest('hex') };
  }

  get written(): WrittenPart {
    if (this.#written === undefined) throw new Error('The part has not been written to its end.');
    return this.#written;
  }

  get #groupRows(): number {
    return this.#group[0]?.length ?? 0;
  }

  async #writeGroup(): Promise<Uint8Array> {
    const columnData = this.#columns.map(({ name, type }, index) => {
      const data = this.#group[index] as ArchivedValue[];
      // A dictionary takes -0 for 0.
      const isPlain = (type === 'float' || type === 'double') && data.some((value) => Object.is(value, -0));
      return isPlain ? { name, data, encoding: 'PLAIN' as const } : { name, data };
    });
    await this.#parquet.write({ columnData, rowGroupSize: ROWS_A_GROUP * 2 });
    this.#group = this.#columns.map(() => []);
    return this.#take();
  }

  /** What has been written since the last time: a copy, since the buffer is used again. */
  #take(): Uint8Array {
    const bytes = Uint8Array.from(new Uint8Array(this.#bytes.buffer, 0, this.#bytes.index));
    this.#bytes.index = 0;
    this.#sha256.update(bytes);
    return bytes;
  }
}
