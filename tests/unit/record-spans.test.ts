import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { detectBodyType } from '../../src/ingest/accept-records.js';
import { scanBody } from '../../src/ingest/body-scan.js';
import { recordSpans } from '../../src/pipeline/record-spans.js';
import { readBody } from '../../src/pipeline/read-body.js';
import { isRejection } from '../../src/pipeline/read-record.js';

const CONTEXT = { receivedUs: 0, sourceSystem: 'scada' };

/** Levels of a value, the slow and obvious way. */
function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

const json = fc.jsonValue({ maxDepth: 5, stringUnit: 'binary' });
const hostile = fc.oneof(
  json,
  fc.constantFrom('"', '\\', '\\"', ']', '}', ',', ':', '{"records":[', '\\\\"[{'),
  fc.string(),
);
const space = fc.constantFrom(undefined, 1, '\t', '\n ');

describe('recordSpans', () => {
  it('finds in an array the bytes that JSON.parse makes its elements of', () => {
    fc.assert(
      fc.property(fc.array(hostile), space, fc.boolean(), (records, indent, hasMark) => {
        const bytes = Buffer.from((hasMark ? '\ufeff' : '') + JSON.stringify(records, null, indent));
        const spans = recordSpans(bytes, 'array');
        expect(spans).toHaveLength(records.length * 2);
        records.forEach((record, index) => {
          const text = bytes.toString('utf8', spans[2 * index], spans[2 * index + 1]);
          expect(JSON.stringify(JSON.parse(text))).toBe(JSON.stringify(record));
        });
      }),
    );
  });

  it('finds the records of an envelope wherever they stand in it', () => {
    const other = fc.dictionary(fc.string(), hostile, { noNullPrototype: true, maxKeys: 3 });
    fc.assert(
      fc.property(other, fc.array(hostile), other, fc.boolean(), space, (before, records, after, isEscaped, indent) => {
        const members = [...Object.entries(before), ['records', records], ...Object.entries(after)] as [
          string,
          unknown,
        ][];
        const text = members
          .filter(([name, value]) => name !== 'records' || value === records)
          .map(([name, value]) => `${JSON.stringify(name)} : ${JSON.stringify(value, null, indent)}`)
          .join(' ,\n');
        const bytes = Buffer.from(`{${isEscaped ? text.replace('"records" :', '"\\u0072ecords":') : text}}`);
        const spans = recordSpans(bytes, 'envelope');
        const parsed = JSON.parse(bytes.toString()) as { records: unknown[] };
        expect(parsed.records).toHaveLength(spans.length / 2);
        parsed.records.forEach((record, index) => {
          const part = bytes.toString('utf8', spans[2 * index], spans[2 * index + 1]);
          expect(JSON.parse(part)).toEqual(record);
        });
      }),
    );
  });

  it('takes the last of repeated records, as JSON.parse does', () => {
    const bytes = Buffer.from('{"records":[1,2],"x":{"records":[9]},"records":[3]}');
    const [start, end, ...others] = recordSpans(bytes, 'envelope');
    expect([bytes.toString('utf8', start, end), others]).toEqual(['3', []]);
  });

  it('finds the lines that readBody finds, blank ones of any script left out', () => {
    const line = fc.oneof(
      json.map((value) => JSON.stringify(value)),
      fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\n', '').toWellFormed()),
      fc.constantFrom('', ' ', '\r', '\t', '\u00a0', '\u3000 ', '\ufeff', '\u2028'),
    );
    fc.assert(
      fc.property(fc.array(line), fc.boolean(), (lines, hasMark) => {
        const bytes = Buffer.from((hasMark ? '\ufeff' : '') + lines.join('\n'));
        const parsed = readBody(bytes, 'application/x-ndjson', CONTEXT);
        if (isRejection(parsed)) throw new Error(parsed.message);
        expect(recordSpans(bytes, 'ndjson')).toHaveLength(parsed.records.length * 2);
      }),
    );
  });
});

describe('scanBody', () => {
  it('knows how deep JSON nests, whatever its strings hold', () => {
    fc.assert(
      fc.property(hostile, space, (value, indent) => {
        const scan = scanBody(Buffer.from(JSON.stringify(value, null, indent)), 'application/json');
        expect(scan.depth).toBe(depthOf(value));
        if (Array.isArray(value) && value.length > 0) expect(scan.elements).toBe(value.length);
      }),
    );
  });

  it('begins anew with every line of NDJSON', () => {
    const lines = ['[[[', '{"a":"cut off [[[[[[', '"\\', '[1]'].join('\n');
    expect(scanBody(Buffer.from(lines), 'application/x-ndjson')).toEqual({ depth: 3, elements: 4 });
  });
});

describe('detectBodyType', () => {
  it.each([
    ['{"a":1}\n{"a":2}', 'application/x-ndjson'],
    ['{"a":1}\r\n{"a":2}\r\n', 'application/x-ndjson'],
    ['\ufeff{"a":1}\n{', 'application/x-ndjson'],
    ['{"a":1}', 'application/json'],
    ['{"a":1}\n\n', 'application/json'],
    ['{\n"a":1}', 'application/json'],
    ['{"a":{}\n,"b":1}', 'application/json'],
    ['[{"a":1},\n{"a":2}]', 'application/json'],
    ['', 'application/json'],
  ])('%j is %s', (text, type) => expect(detectBodyType(Buffer.from(text), 'application/json')).toBe(type));
});
