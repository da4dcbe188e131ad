import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CopyEncoder, TELEMETRY_COLUMNS } from '../../src/storage/copy-encoder.js';
import { CHANNEL_COUNT } from '../../src/telemetry/channels.js';
import { splitFlags } from '../../src/telemetry/quality-flags.js';
import { ReadingBatch } from '../../src/telemetry/reading-batch.js';

const POSTGRES_EPOCH_US = 946_684_800_000_000n;
const HEADER_BYTES = 19;

/** The fields of every tuple of a binary COPY stream, as PostgreSQL would find them. */
function tuples(chunks: readonly Uint8Array[]): (Buffer | null)[][] {
  const data = Buffer.concat(chunks);
  expect(data.subarray(0, HEADER_BYTES).toString('latin1')).toBe('PGCOPY\n\u00ff\r\n\0' + '\0'.repeat(8));
  const rows: (Buffer | null)[][] = [];
  let at = HEADER_BYTES;
  for (let count = data.readInt16BE(at); count !== -1; count = data.readInt16BE(at)) {
    at += 2;
    const fields: (Buffer | null)[] = [];
    for (let field = 0; field < count; field++) {
      const length = data.readInt32BE(at);
      at += 4;
      fields.push(length === -1 ? null : data.subarray(at, at + length));
      if (length > 0) at += length;
    }
    rows.push(fields);
  }
  expect(at + 2).toBe(data.length);
  return rows;
}

const epochMicros = (field: Buffer | null | undefined): bigint =>
  (field as Buffer).readBigInt64BE() + POSTGRES_EPOCH_US;
const real = (field: Buffer | null | undefined): number => (field ? field.readFloatBE() : Number.NaN);
const smallint = (field: Buffer | null | undefined): number => (field ? field.readInt16BE() : -1);
const text = (field: Buffer | null | undefined): string => (field as Buffer).toString('utf8');

/** A tuple as the batch row that it was encoded from, and the time of ingestion. */
function decode(fields: readonly (Buffer | null)[]): Record<string, unknown> {
  expect(fields.length).toBe(TELEMETRY_COLUMNS.length);
  const rest = fields.slice(2 + CHANNEL_COUNT);
  const flags = splitFlags(Number((rest[4] as Buffer).readBigInt64BE()));
  const raw = rest[8];
  if (raw) expect(raw[0]).toBe(1);
  return {
    timestampUs: epochMicros(fields[0]),
    deviceId: text(fields[1]),
    values: fields.slice(2, 2 + CHANNEL_COUNT).map(real),
    qualityScore: real(rest[0]),
    isAnomaly: (rest[1] as Buffer)[0],
    ingestionUs: epochMicros(rest[2]),
    sourceSystem: text(rest[3]),
    flagsHigh: flags.high,
    flagsLow: flags.low,
    anomalyScore: real(rest[5]),
    anomalyCause: smallint(rest[6]),
    operatingState: smallint(rest[7]),
    rawValues: raw ? raw.subarray(1).toString('utf8') : undefined,
  };
}

/** The whole range of timestamptz; beyond 2^53 only what a double can hold, which is what it is given. */
const anyInstant = fc.oneof(
  fc.maxSafeInteger(),
  fc.constantFrom(
    -1,
    0,
    1,
    946_684_799_999_999,
    946_684_800_000_000,
    -210_866_803_200_000_000,
    253_402_300_799_999_968,
  ),
  fc.integer({ min: -6_000_000_000_000_000, max: 7_000_000_000_000_000 }).map((value) => value * 32),
);
const float32 = fc.float({ noNaN: false });
const anyRow = fc.record({
  timestampUs: anyInstant,
  deviceId: fc.oneof(
    fc.string({ minLength: 1, maxLength: 20 }),
    fc.string({ minLength: 1, maxLength: 128, unit: 'grapheme' }),
  ),
  values: fc.array(float32, { minLength: CHANNEL_COUNT, maxLength: CHANNEL_COUNT }),
  qualityScore: fc.constantFrom(0, 0.5, 1).map(Math.fround),
  isAnomaly: fc.constantFrom(0, 1),
  sourceSystem: fc.string({ maxLength: 10, unit: 'grapheme' }),
  flagsHigh: fc.nat((1 << 19) - 1),
  flagsLow: fc.integer(),
  anomalyScore: float32,
  anomalyCause: fc.integer({ min: -1, max: 200 }),
  operatingState: fc.integer({ min: 0, max: 4 }),
  rawValues: fc.option(
    fc.dictionary(fc.string({ unit: 'grapheme' }), fc.integer()).map((value) => JSON.stringify(value)),
    { nil: undefined },
  ),
});

function batchOf(rows: readonly (typeof anyRow extends fc.Arbitrary<infer R> ? R : never)[]): ReadingBatch {
  const batch = new ReadingBatch(Math.max(1, rows.length));
  for (const entry of rows) {
    const row = batch.open();
    batch.timestampUs[row] = entry.timestampUs;
    batch.deviceId[row] = entry.deviceId;
    batch.values.set(entry.values, row * CHANNEL_COUNT);
    batch.qualityScore[row] = entry.qualityScore;
    batch.isAnomaly[row] = entry.isAnomaly;
    batch.sourceSystem[row] = entry.sourceSystem;
    batch.flagsHigh[row] = entry.flagsHigh;
    batch.flagsLow[row] = entry.flagsLow;
    batch.anomalyScore[row] = entry.anomalyScore;
    batch.anomalyCause[row] = entry.anomalyCause;
    batch.operatingState[row] = entry.operatingState;
    batch.rawValues[row] = entry.rawValues;
  }
  return batch;
}

describe('the COPY encoder', () => {
  it('writes what decodes to the same rows, with one encoder for all batches', () => {
    const encoder = new CopyEncoder();
    fc.assert(
      fc.property(fc.array(anyRow, { maxLength: 20 }), anyInstant, (rows, ingestionUs) => {
        const decoded = tuples(encoder.encode(batchOf(rows), ingestionUs)).map(decode);
        expect(decoded).toEqual(
          rows.map((row) => ({ ...row, timestampUs: BigInt(row.timestampUs), ingestionUs: BigInt(ingestionUs) })),
        );
      }),
    );
  });

  it('writes chosen rows in the order given', () => {
    const batch = new ReadingBatch(3);
    for (const id of ['a', 'b', 'c']) batch.deviceId[batch.open()] = id;
    const encoder = new CopyEncoder();
    expect(tuples(encoder.encode(batch, 0, [2, 0])).map((fields) => text(fields[1]))).toEqual(['c', 'a']);
    expect(tuples(encoder.encode(batch, 0, []))).toEqual([]);
  });

  it('grows to fit rows larger than its buffer, and does not keep what one huge batch needed', () => {
    const batch = new ReadingBatch(3);
    for (let count = 0; count < 3; count++) {
      const row = batch.open();
      batch.deviceId[row] = `w${row}`;
      batch.rawValues[row] = JSON.stringify({ note: 'ü'.repeat(4_000_000) });
    }
    const encoder = new CopyEncoder();
    const decoded = tuples(encoder.encode(batch, 0)).map(decode);
    expect(decoded.map((row) => row['rawValues'] === batch.rawValues[0])).toEqual([true, true, true]);
    const [chunk] = encoder.encode(batch, 0, []);
    expect((chunk as Uint8Array).buffer.byteLength).toBeLessThanOrEqual(1 << 20);
  });
});
