import { createHash } from 'node:crypto';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { describe, expect, it } from 'vitest';
import { detectDelimiter, splitCells } from '../../src/gateway/import/csv-cells.js';
import { IDENTITY_MAPPING, planImport, type PlannedFile } from '../../src/gateway/import/plan-import.js';
import { readMapping } from '../../src/gateway/import/read-mapping.js';
import type { Position, SourceRow } from '../../src/gateway/import/source-row.js';
import { readBody } from '../../src/pipeline/read-body.js';
import { isRejection, readRecord } from '../../src/pipeline/read-record.js';
import { channel, type ChannelName } from '../../src/telemetry/channels.js';
import { QualityFlag } from '../../src/telemetry/quality-flags.js';
import { ReadingBatch } from '../../src/telemetry/reading-batch.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const MAPPING = `
device: {constant: pump-1}
time: {column: time, format: yyyy-MM-dd HH:mm:ss, zone: UTC}
columns:
  Amps: {channel: motor_current, unit: A}
  Bar: {channel: pressure, unit: bar}
ignore: [label]
constants: {source_system: test-bed}
`;

async function plan(name: string, content: string | Uint8Array, mapping: string = MAPPING): Promise<PlannedFile> {
  const path = join(temporaryDirectory('import'), name);
  writeFileSync(path, content);
  const [planned] = await planImport({
    files: [path],
    mapping: mapping === '' ? IDENTITY_MAPPING : readMapping(mapping, 'm.yaml'),
    mappingText: mapping,
    deviceId: undefined,
  });
  return planned as PlannedFile;
}

async function rowsOf({ source }: PlannedFile, from?: Position): Promise<SourceRow[]> {
  const rows: SourceRow[] = [];
  for await (const part of source.rows(from)) rows.push(...part);
  return rows;
}

/** What the pipeline makes of the records: values by channel, or the code of the refusal. */
interface Read {
  readonly deviceId: string;
  readonly timestamp: number;
  readonly channels: Readonly<Partial<Record<ChannelName, number>>>;
  readonly flags: number;
  readonly raw: unknown;
}

async function readAll(planned: PlannedFile): Promise<(Read | string)[]> {
  const rows = await rowsOf(planned);
  const body = `${planned.envelope}${rows.map((row) => planned.mapper.map(row).json).join(',')}]}`;
  const parsed = readBody(Buffer.from(body), 'application/json', { receivedUs: Date.now() * 1000, sourceSystem: 'x' });
  if (isRejection(parsed)) throw new Error(`the body as a whole is refused: ${parsed.message}`);
  expect(parsed.records).toHaveLength(rows.length);
  return parsed.records.map((record) => {
    const batch = new ReadingBatch(1);
    const rejection = readRecord(record, parsed.context, batch);
    if (rejection !== undefined) return rejection.code;
    const channels: Partial<Record<ChannelName, number>> = {};
    for (const name of ['motor_current', 'pressure', 'temperature'] as const) {
      const shown = batch.values[channel(name).index] as number;
      if (!Number.isNaN(shown)) channels[name] = shown;
    }
    const raw: unknown = batch.rawValues[0] === undefined ? undefined : JSON.parse(batch.rawValues[0]);
    return {
      deviceId: batch.deviceId[0] as string,
      timestamp: batch.timestampUs[0] as number,
      channels,
      flags: batch.flagsLow[0] as number,
      raw,
    };
  });
}

const T = '2020-03-09 10:14:3';
const instant = (second: number): number => Date.UTC(2020, 2, 9, 10, 14, 30 + second) * 1000;

describe('a CSV file', () => {
  it.each([
    ['semicolons', `time;Amps;Bar;label\n${T}0;1.5;2;0.0\n`],
    ['commas', `time,Amps,Bar,label\n${T}0,1.5,2,0.0\n`],
    ['tabs', `time\tAmps\tBar\n${T}0\t1.5\t2\n`],
    ['pipes', `time|Amps|Bar\n${T}0|1.5|2\n`],
    ['CRLF, a BOM and no newline at the end', `\uFEFFtime;Amps;Bar\r\n${T}0;1.5;2`],
    ['quotes', `"time","Amps","Bar"\n"${T}0","1.5","2"\n`],
    ['blank lines and spaces', `\n time ; Amps;Bar\n\n${T}0; 1.5 ;2\n   \n\n`],
    ['a delimiter at the end of each line', `time;Amps;Bar;\n${T}0;1.5;2;\n`],
    ['another order and a column more', `Bar;Amps;time\n2;1.5;${T}0\n`],
  ])('may have %s', async (_, text) => {
    const [read, ...others] = await readAll(await plan('a.csv', text));
    expect(others).toEqual([]);
    expect(read).toMatchObject({ deviceId: 'pump-1', timestamp: instant(0), channels: { motor_current: 1.5 } });
    expect((read as Read).channels.pressure).toBeCloseTo(29.0075, 3);
  });

  it('may have decimal commas, and be packed', async () => {
    const text = `time;Amps;Bar\n${T}0;1,5;2,25\n`;
    const [read] = await readAll(await plan('a.CSV.GZ', gzipSync(text), `${MAPPING}decimal: ','\n`));
    expect(read).toMatchObject({ channels: { motor_current: 1.5 } });
  });

  it('may take the device from a column', async () => {
    const mapping = MAPPING.replace('{constant: pump-1}', '{column: tag}');
    const reads = await readAll(
      await plan('a.csv', `tag;time;Amps;Bar\n007;${T}0;1;2\nP-2;${T}0;1;2\n;${T}1;1;2\n`, mapping),
    );
    expect(reads.map((read) => (typeof read === 'string' ? read : read.deviceId))).toEqual([
      '007',
      'P-2',
      'missing_field',
    ]);
  });

  it('keeps what nobody mapped, leaves out what is ignored, and takes no reading for none', async () => {
    const text = `time;Amps;Bar;label;Note;Depth\n${T}0;NaN;;0.0;"a;b ""c""";12.5\n`;
    const [read] = await readAll(await plan('a.csv', text));
    expect(read).toMatchObject({ channels: {}, raw: { Note: 'a;b "c"', Depth: 12.5 } });
    expect((read as Read).flags & QualityFlag.unknownFields).not.toBe(0);
    expect((read as Read).raw).not.toHaveProperty('label');
  });

  it('turns a pressure slightly below zero into zero, flagged', async () => {
    const [read] = await readAll(await plan('a.csv', `time;Amps;Bar\n${T}0;1;-0.273216\n`));
    expect(read).toMatchObject({ channels: { pressure: 0 } });
    expect((read as Read).flags & QualityFlag.zeroOffset).not.toBe(0);
  });

  it('loses no good row to a bad one', async () => {
    const bad = [
      `${T}1;1`, // too few
      `${T}1;1;2;3;4`, // too many
      `${T}1;"1;2`, // a quote without end
      `${T}1;"1"x;2`, // something behind a quote
      `${T}1;one;2`,
      `${T}1;Infinity;2`,
      `${T}1;1e999;2`,
      `${T}1;0x10;2`,
      `not a time;1;2`,
      `2020-02-30 00:00:00;1;2`,
      `;1;2`,
      `\u0000\u0001\u0002`,
    ];
    for (const line of bad) {
      const reads = await readAll(await plan('a.csv', `time;Amps;Bar\n${T}0;1;2\n${line}\n${T}2;1;2\n`));
      expect(reads, JSON.stringify(line)).toHaveLength(3);
      expect(typeof reads[1], JSON.stringify(line)).toBe('string');
      expect([reads[0], reads[2]]).toMatchObject([{ timestamp: instant(0) }, { timestamp: instant(2) }]);
    }
  });

  it('says of a row that cannot be read what is wrong, where, and how it read', async () => {
    const planned = await plan('a.csv', `time;Amps;Bar\n${T}0;1;2\n${T}1;1\n`);
    const [, row] = await rowsOf(planned);
    expect(JSON.parse(planned.mapper.map(row as SourceRow).json)).toEqual({
      device_id: 'pump-1',
      import_problem: '2 cells where the header has 3',
      import_file: 'a.csv',
      import_line: 3,
      original: `${T}1;1`,
    });
  });

  it('takes a quoted cell over several lines', async () => {
    const planned = await plan('a.csv', `time;Amps;Bar;Note\n${T}0;1;2;"one\ntwo"\n${T}1;1;2;x\n`);
    expect(await readAll(planned)).toMatchObject([{ raw: { Note: 'one\ntwo' } }, { timestamp: instant(1) }]);
  });

  it('finds the rows behind a quote that is never closed, however many there are', async () => {
    const rest = Array.from({ length: 500 }, (_, index) => `${T}2;${index};2`).join('\n');
    const reads = await readAll(await plan('a.csv', `time;Amps;Bar\n${T}1;"1;2\n${rest}\n`));
    expect(reads).toHaveLength(501);
    expect(reads.filter((read) => typeof read === 'string')).toHaveLength(1);
  });

  it('may have characters of another encoding', async () => {
    const text = Buffer.from(`time;Amps;Bar;Température\n${T}0;1;2;3\n`, 'latin1');
    expect(await readAll(await plan('a.csv', text, `${MAPPING}encoding: latin1\n`))).toMatchObject([
      { raw: { Température: 3 } },
    ]);
    const cell = Buffer.from(`time;Amps;Bar;Note\n${T}0;1;2;é\n${T}1;1;2;e\n`, 'latin1');
    expect(await readAll(await plan('a.csv', cell))).toMatchObject(['missing_field', { timestamp: instant(1) }]);
  });

  it('survives a line of ten megabytes without keeping it', async () => {
    const path = join(temporaryDirectory('import'), 'long.csv');
    writeFileSync(path, `time;Amps;Bar\n${T}0;1;2\n`);
    for (let part = 0; part < 10; part++) appendFileSync(path, 'x'.repeat(1_000_000));
    appendFileSync(path, `\n${T}1;1;2\n`);
    const [planned] = await planImport({
      files: [path],
      mapping: readMapping(MAPPING, 'm.yaml'),
      mappingText: MAPPING,
      deviceId: undefined,
    });
    const reads = await readAll(planned as PlannedFile);
    expect(reads).toMatchObject([{ timestamp: instant(0) }, 'missing_field', { timestamp: instant(1) }]);
    const [, long] = await rowsOf(planned as PlannedFile);
    expect(long?.problem).toContain('10000000 bytes');
    expect(long?.text?.length).toBeLessThan(100_000);
  });

  it('with nothing but a header has no rows', async () => {
    expect(await rowsOf(await plan('a.csv', 'time;Amps;Bar'))).toEqual([]);
  });

  it.each([
    ['', /is empty/],
    ['\n \n', /is empty/],
    [Buffer.from([0, 1, 2, 3, 0x0a, 255, 254]), /binary/],
    [Buffer.from('\uFEFFtime;Amps\n', 'utf16le'), /UTF-16; save it as UTF-8/],
    [`"time;Amps;Bar\n`, /quotes of the header do not match/],
  ])('is refused when it is none: %j', async (content, message) => {
    await expect(plan('a.csv', content)).rejects.toThrow(message);
  });

  it('without a mapped column is refused with column, place in the mapping, and what there is', async () => {
    await expect(plan('a.csv', 'time;Ampere;Bar\n')).rejects.toThrow(
      /does not fit the mapping; it has the columns time, Ampere, Bar:\n {2}m\.yaml:5:3: there is no column "Amps" \(motor_current\)$/,
    );
    await expect(plan('a.csv', 'when;Amps;Bar\n')).rejects.toThrow('m.yaml:3:1: there is no column "time" (the time)');
  });

  it('under the wrong delimiter says so', async () => {
    await expect(plan('a.csv', `time;Amps;Bar\n`, `${MAPPING}delimiter: comma\n`)).rejects.toThrow(
      'it has the one column "time;Amps;Bar" (is it the right delimiter?)',
    );
  });

  it('may not smuggle a channel past the mapping', async () => {
    await expect(plan('a.csv', 'time;Amps;Bar;temperature\n')).rejects.toThrow(
      'column "temperature" has the name of a field but is not mapped',
    );
  });

  it('that ends in the middle of its gzip stream gives what it has, then says so', async () => {
    const lines = Array.from(
      { length: 200_000 },
      (_, index) => `${T}0;${createHash('md5').update(String(index)).digest('hex')};2`,
    );
    const packed = gzipSync(`time;Amps;Bar\n${lines.join('\n')}\n`);
    const planned = await plan('a.csv.gz', packed.subarray(0, packed.length / 2));
    await expect(rowsOf(planned)).rejects.toThrow(/gzip file ends too early/);
  });
});

describe('reading on from any row', () => {
  const lines = [`${T}0;1;2`, '', `${T}1;"1";2`, `${T}2;1`, `${T}3;"a\nb";2`, `${T}4;1;2`, 'é;1;2', `${T}5;1;2`];
  const text = `time;Amps;Bar\n${lines.join('\r\n')}`;

  it.each([
    ['a.csv', text],
    ['a.csv.gz', gzipSync(text)],
    ['a.ndjson', '{"a":1}\n\n{"a":2}\nnonsense\n{"a":"é"}\n'],
    ['a.parquet', parquetBytes()],
  ])('gives the rest: %s', async (name, content) => {
    const planned = await plan(name, content);
    const all = await rowsOf(planned);
    for (const [index, row] of all.entries()) {
      const rest = await rowsOf(planned, row.next);
      expect(rest.map(({ values, text: original, line }) => [values, original, line])).toEqual(
        all.slice(index + 1).map(({ values, text: original, line }) => [values, original, line]),
      );
    }
  });
});

function parquetBytes(): Uint8Array {
  const times = [0, 1, 2, 3].map((second) => new Date(instant(second) / 1000));
  return new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        { name: 'time', data: times, type: 'TIMESTAMP' },
        { name: 'Amps', data: [1.5, 2.5, null, 4.5], type: 'DOUBLE', nullable: true },
        { name: 'Bar', data: [0, 1, 2, 3], type: 'INT32' },
        { name: 'Count', data: [1n, 2n, 3n, 9_007_199_254_740_993n], type: 'INT64' },
      ],
      rowGroupSize: 3,
    }),
  );
}

describe('a Parquet file', () => {
  it('is read with its types, row group by row group', async () => {
    const reads = await readAll(await plan('a.parquet', parquetBytes()));
    expect(reads).toMatchObject([
      { timestamp: instant(0), channels: { motor_current: 1.5, pressure: 0 }, raw: { Count: 1 } },
      { timestamp: instant(1), channels: { motor_current: 2.5 } },
      { timestamp: instant(2) },
      { timestamp: instant(3), raw: { Count: '9007199254740993' } },
    ]);
    expect((reads[2] as Read).channels).not.toHaveProperty('motor_current');
  });

  it('that is none is refused', async () => {
    await expect(plan('a.parquet', 'time;Amps;Bar\n')).rejects.toThrow(/not a Parquet file that can be read/);
    await expect(plan('a.parquet', '')).rejects.toThrow(/not a Parquet file that can be read/);
  });

  it('without a mapped column is refused like a CSV file', async () => {
    const bytes = new Uint8Array(parquetWriteBuffer({ columnData: [{ name: 'x', data: [1], type: 'INT32' }] }));
    await expect(plan('a.parquet', bytes)).rejects.toThrow('there is no column "Amps" (motor_current)');
  });
});

describe('an NDJSON file', () => {
  it('needs no mapping when its fields have the names of a record', async () => {
    const lines = [
      { device_id: 'a', timestamp: '2020-03-09T10:14:30Z', pressure: 2, pressure_unit: 'bar', note: { deep: [1] } },
      { device_id: 'a', timestamp: 1583748873, timestamp_unit: 's', temperature: 20, __proto__: null },
      { device_id: 'a', timestamp: '2020-03-09 10:14:30', temperature: 20 },
    ];
    const text = [
      ...lines.map((line) => JSON.stringify(line)),
      'nonsense',
      '[1]',
      '',
      `${'['.repeat(100)}${']'.repeat(100)}`,
    ];
    const reads = await readAll(await plan('a.jsonl', text.join('\n'), ''));
    expect(reads).toMatchObject([
      { deviceId: 'a', raw: { note: { deep: [1] } } },
      { timestamp: 1583748873e6, channels: { temperature: 20 } },
      'naive_timestamp',
      'missing_field',
      'missing_field',
      'missing_field',
    ]);
  });

  it('is mapped like any other', async () => {
    const reads = await readAll(
      await plan('a.ndjson.gz', gzipSync(`{"time":"${T}0","Amps":"1.5","temperature":5,"label":1}`)),
    );
    expect(reads).toMatchObject([{ channels: { motor_current: 1.5 }, raw: { temperature_: 5 } }]);
    expect((reads[0] as Read).channels).not.toHaveProperty('temperature');
  });
});

describe('a plan', () => {
  it('needs a device, files that exist, and each once', async () => {
    const noDevice = MAPPING.replace(/device: .*\n/, '');
    await expect(plan('a.csv', 'time;Amps;Bar\n', noDevice)).rejects.toThrow(/Nothing says which device/);
    const mapping = readMapping(MAPPING, 'm.yaml');
    const options = { mapping, mappingText: MAPPING, deviceId: undefined };
    const directory = temporaryDirectory('import');
    await expect(planImport({ ...options, files: [join(directory, 'none.csv')] })).rejects.toThrow(/cannot be read/);
    await expect(planImport({ ...options, files: [directory] })).rejects.toThrow(/is not a file; name the data files/);
    const path = join(directory, 'a.csv');
    writeFileSync(path, 'time;Amps;Bar\n');
    await expect(planImport({ ...options, files: [path, path] })).rejects.toThrow(/named twice/);
  });

  it('says so when the file name does not tell the device', async () => {
    const mapping = MAPPING.replace('{constant: pump-1}', () => "{fromFileName: {pattern: '(\\d+)\\.csv$'}}");
    await expect(plan('pump.csv', 'time;Amps;Bar\n', mapping)).rejects.toThrow(
      /m\.yaml:2:1: the pattern .* does not match/,
    );
    expect((await plan('pump-17.csv', 'time;Amps;Bar\n', mapping)).deviceId).toBe('17');
  });
});

describe('the cells of a record', () => {
  it('come back as they were written, whatever is in them', () => {
    const quote = (cell: string): string => `"${cell.replaceAll('"', '""')}"`;
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1 }), fc.constantFrom(',', ';', '\t', '|'), (cells, delimiter) => {
        expect(splitCells(cells.map(quote).join(delimiter), delimiter)).toEqual(cells);
      }),
    );
  });

  it('never fail', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('"', ',', 'a', '\n') }), (text) => {
        const cells = splitCells(text, ',');
        expect(Array.isArray(cells) || cells === 'open' || cells === 'malformed').toBe(true);
      }),
    );
  });

  it('are told apart by the delimiter under which the wanted columns are found', () => {
    expect(detectDelimiter('time;"a,b,c,d,e";Amps', new Set(['Amps']))).toBe(';');
    expect(detectDelimiter('a,b;c', new Set())).toBe(',');
    expect(detectDelimiter('alone', new Set(['alone']))).toBe(',');
  });
});
