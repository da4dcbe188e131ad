import fc from 'fast-check';
import { expect, it } from 'vitest';
import { CopyDecoder } from '../../src/archive/copy-decoder.js';
import { createRowGroup, type RowGroup } from '../../src/archive/row-group.js';
import type { ArchivedColumn } from '../../src/archive/column-types.js';
import { COPY_HEADER } from '../../src/storage/copy-encoder.js';

const COLUMNS: ArchivedColumn[] = [
  { name: 'device_id', type: 'text', nullable: false },
  { name: 'timestamp', type: 'timestamp', nullable: false },
  { name: 'temperature', type: 'float', nullable: true },
  { name: 'state', type: 'integer', nullable: true },
  { name: 'raw', type: 'json', nullable: true },
];
const SINCE_2000_US = 946_684_800_000_000n;

interface Row {
  readonly device: string;
  readonly timeUs: bigint;
  readonly temperature: number | null;
  readonly state: number | null;
  readonly raw: string | null;
  readonly hash: bigint;
}

const anyRow: fc.Arbitrary<Row> = fc.record({
  device: fc.string({ unit: 'grapheme', maxLength: 6 }).map((text) => text.replaceAll('\0', '')),
  timeUs: fc.bigInt(-(2n ** 62n), 2n ** 62n),
  temperature: fc.option(fc.float({ noNaN: true })),
  state: fc.option(fc.integer({ min: -32_768, max: 32_767 })),
  raw: fc.option(fc.json()),
  hash: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
});

const field = (bytes: Uint8Array | null): Buffer => {
  const length = Buffer.alloc(4);
  length.writeInt32BE(bytes?.length ?? -1);
  return Buffer.concat([length, bytes ?? new Uint8Array(0)]);
};
const number = (bytes: number, write: (buffer: Buffer) => unknown): Buffer => {
  const buffer = Buffer.alloc(bytes);
  write(buffer);
  return buffer;
};
const orNull = <T>(value: T | null, encode: (value: T) => Buffer): Buffer =>
  field(value === null ? null : encode(value));

function streamOf(rows: readonly Row[]): Buffer {
  const encoded = rows.map(({ device, timeUs, temperature, state, raw, hash }) =>
    Buffer.concat([
      number(2, (buffer) => buffer.writeInt16BE(COLUMNS.length + 1)),
      field(Buffer.from(device)),
      field(number(8, (buffer) => buffer.writeBigInt64BE(timeUs - SINCE_2000_US))),
      orNull(temperature, (value) => number(4, (buffer) => buffer.writeFloatBE(value))),
      orNull(state, (value) => number(2, (buffer) => buffer.writeInt16BE(value))),
      orNull(raw, (value) => Buffer.concat([Buffer.of(1), Buffer.from(value)])),
      field(number(8, (buffer) => buffer.writeBigInt64BE(hash))),
    ]),
  );
  return Buffer.concat([COPY_HEADER, ...encoded, number(2, (buffer) => buffer.writeInt16BE(-1))]);
}

/** The values of a group, before it is used again. */
function rowsOf({ rows, columns }: RowGroup): Omit<Row, 'hash'>[] {
  const value = (row: number, index: number): unknown =>
    columns[index]?.isNull[row] === 1 ? null : columns[index]?.values[row];
  return Array.from({ length: rows }, (_, row) => ({
    device: value(row, 0) as string,
    timeUs: value(row, 1) as bigint,
    temperature: value(row, 2) as number | null,
    state: value(row, 3) as number | null,
    raw: value(row, 4) as string | null,
  }));
}

it('reads the same rows, wherever the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(anyRow, { maxLength: 20 }),
      fc.array(fc.nat({ max: 40 })),
      fc.nat({ max: 6 }),
      (rows, cuts, more) => {
        const decoder = new CopyDecoder(createRowGroup(COLUMNS, more + 1));
        const found: Omit<Row, 'hash'>[] = [];
        let hash = 0n;
        const take = (group: RowGroup): void => {
          expect(group.columns[2]?.nulls).toBe(rowsOf(group).filter(({ temperature }) => temperature === null).length);
          found.push(...rowsOf(group));
          hash += group.hash;
        };
        // The rows twice, as two streams.
        for (let times = 0; times < 2; times++) {
          decoder.restart();
          const stream = streamOf(rows);
          let at = 0;
          for (const cut of [...cuts, stream.length]) {
            for (const group of decoder.push(stream.subarray(at, at + cut))) take(group);
            at += cut;
          }
          if (rows.length > 0) expect(decoder.lastTimeUs).toBe(Number(rows.at(-1)?.timeUs));
        }
        for (const group of decoder.flush()) take(group);
        const expected = rows.map(({ hash: _hash, ...row }) => row);
        expect(found).toEqual([...expected, ...expected]);
        expect(hash).toBe(2n * rows.reduce((sum, row) => sum + row.hash, 0n));
        expect(decoder.rows).toBe(2 * rows.length);
      },
    ),
    { numRuns: 300 },
  );
});
