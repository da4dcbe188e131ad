/** Rows → the bytes of a Parquet file, a row group at a time. */
import { createHash } from 'node:crypto';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { fingerprintOf } from './chunk-rows.js';
import { parquetElement, type ArchivedColumn } from './column-types.js';
import { encodeColumn, writeColumn } from './encode-column.js';
import type { RowGroup } from './row-group.js';
import { RowTally, type TallyResult } from './row-tally.js';

/** What a part turned out to be, once all its bytes have been taken. */
export interface WrittenPart {
  readonly tally: TallyResult;
  readonly fingerprint: string;
  readonly bytes: number;
  /** Hex, of the whole file. */
  readonly sha256: string;
}

export class PartWriter {
  readonly #tally: RowTally;
  readonly #sha256 = createHash('sha256');
  readonly #bytes = new ByteWriter();
  readonly #parquet: ParquetWriter;
  #hash = 0n;
  #written: WrittenPart | undefined;

  constructor(columns: readonly ArchivedColumn[], metadata: Readonly<Record<string, string>>) {
    this.#tally = new RowTally(columns);
    this.#parquet = new ParquetWriter({
      writer: this.#bytes,
      schema: [{ name: 'telemetry', num_children: columns.length }, ...columns.map(parquetElement)],
      createdBy: 'downhole',
      kvMetadata: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    });
  }

  /** The bytes of the file, as they are taken. */
  async *bytes(groups: AsyncIterable<RowGroup>): AsyncGenerator<Uint8Array> {
    for await (const group of groups) {
      this.#tally.addGroup(group);
      this.#hash += group.hash;
      yield await this.#write(group);
    }
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

  async #write({ columns, rows }: RowGroup): Promise<Uint8Array> {
    const start = this.#bytes.offset;
    // Compressed beside one another, in Node's pool.
    const encoded = await Promise.all(columns.map((column) => encodeColumn(column, rows)));
    const chunks = encoded.map((column) => writeColumn(this.#bytes, column));
    const uncompressed = chunks.reduce((sum, { meta_data }) => sum + (meta_data?.total_uncompressed_size ?? 0n), 0n);
    this.#parquet.row_groups.push({
      columns: chunks,
      total_byte_size: uncompressed,
      num_rows: BigInt(rows),
      total_compressed_size: BigInt(this.#bytes.offset - start),
    });
    this.#parquet.num_rows += BigInt(rows);
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
