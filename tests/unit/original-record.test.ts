/** What a dead letter keeps of a record: the bytes that came, and nothing else. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Message } from '../../src/pipeline/batch-former.js';
import { readMessage, refuse } from '../../src/pipeline/prepared-batch.js';
import { readBody, type ParsedBody } from '../../src/pipeline/read-body.js';
import { isRejection } from '../../src/pipeline/read-record.js';
import { reject } from '../../src/telemetry/rejection.js';

const RECEIVED_US = 1_790_000_000_000_000;
const REFUSAL = reject('conflict', '', 'whatever the reason');

function message(body: string, contentType: 'application/json' | 'application/x-ndjson'): Message {
  return {
    body: Buffer.from(body),
    headers: { schemaVersion: 1, contentType, records: null, receivedUs: RECEIVED_US, source: 'test' },
  };
}

function parsedOf(sent: Message): ParsedBody {
  const parsed = readMessage(sent, RECEIVED_US);
  if (isRejection(parsed)) throw new Error(parsed.message);
  return parsed;
}

const lettersOf = (sent: Message): Buffer[] => {
  const parsed = parsedOf(sent);
  return parsed.records.map((_, index) => Buffer.from(refuse(sent, parsed, index, REFUSAL).original));
};

/** A number as senders write it, which JSON.parse does not give back. */
const numberText = fc.oneof(
  fc.constantFrom('1e999', '-1E+400', '12345678901234567890123', '0.10', '1.0', '-0', '1e2'),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
);
const space = fc.constantFrom('', ' ', '\t', '  ');
const text = fc.string({ unit: 'binary' }).map((value) => JSON.stringify(value));
const value = fc.oneof(
  numberText,
  text,
  fc.constantFrom('null', 'true', '[1,[2,"]"]]', '{"b":[{}]}', String.raw`"A\/"`),
);
/** The text of an object, fields repeated at will. */
const recordText = fc
  .array(fc.tuple(fc.oneof(fc.constantFrom('"device_id"', '"a"', '"records"'), text), space, value, space), {
    maxLength: 5,
  })
  .map((fields) => `{${fields.map(([name, before, given, after]) => `${name}:${before}${given}${after}`).join(',')}}`);
const records = fc.array(recordText, { minLength: 2, maxLength: 6 });
const pretty = fc.constantFrom('', ' ', '\n    ', '\r\n\t');

describe('the original bytes of a refused record', () => {
  it('are a part of the array that it came in, and read as the same record', () => {
    fc.assert(
      fc.property(records, pretty, pretty, fc.boolean(), (texts, before, after, hasMark) => {
        const body = `${hasMark ? '\ufeff' : ''}[${texts.map((record) => before + record + after).join(',')}]`;
        const sent = message(body, 'application/json');
        expect(lettersOf(sent).map(String)).toEqual(texts);
        const parsed = parsedOf(sent);
        texts.forEach((record, index) => expect(JSON.parse(record)).toEqual(parsed.records[index]));
        for (const letter of lettersOf(sent)) expect(Buffer.from(sent.body).includes(letter)).toBe(true);
      }),
    );
  });

  it('are the line of NDJSON, whether it is JSON or not', () => {
    const line = fc.oneof(recordText, fc.constantFrom('{"a":', 'nonsense', '[1e999]', '{"a":1}{"b":2}'));
    fc.assert(
      fc.property(fc.array(line, { minLength: 2 }), fc.constantFrom('\n', '\r\n', '\n\n \n'), (lines, between) => {
        const sent = message(lines.join(between), 'application/x-ndjson');
        expect(lettersOf(sent).map(String)).toEqual(lines);
      }),
    );
  });

  it('keep the defaults of their envelope around them', () => {
    const others = fc.record(
      {
        time_zone: fc.constantFrom('UTC', '+03:00'),
        timestamp_unit: fc.constantFrom('ms', 's'),
        device_id: fc.string(),
        units: fc.constant({ temperature: 'F' }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(records, others, fc.boolean(), (texts, envelope, isLast) => {
        const members = Object.entries(envelope).map(
          ([name, given]) => `${JSON.stringify(name)}:${JSON.stringify(given)}`,
        );
        const array = `"records" : [ ${texts.join(' , ')} ]`;
        const sent = message(`{${(isLast ? [...members, array] : [array, ...members]).join(',')}}`, 'application/json');
        const parsed = parsedOf(sent);
        lettersOf(sent).forEach((letter, index) => {
          expect(letter.includes(texts[index] as string)).toBe(true);
          const again = readBody(letter, 'application/json', { receivedUs: RECEIVED_US, sourceSystem: 'scada' });
          // The context follows from the envelope; a zone is a function, which has no equal.
          expect(again).toMatchObject({
            form: 'envelope',
            records: [parsed.records[index]],
            envelope: parsed.envelope,
          });
        });
      }),
    );
  });

  it('are the whole body where that is the record', () => {
    for (const body of [
      '\ufeff {"temperature":1e999,"a":1,"a":2}\n',
      '[ {"a":12345678901234567890} ]',
      '{"records":[{}],"device_id":"x"}',
    ])
      expect(lettersOf(message(body, 'application/json')).map(String)).toEqual([body]);
  });

  it('come out of any depth', () => {
    const deep = `{"a":${'['.repeat(50_000)}1e999${']'.repeat(50_000)}}`;
    expect(lettersOf(message(`[{"b":1},${deep}]`, 'application/json')).map(String)).toEqual(['{"b":1}', deep]);
  });
});

describe('the device of a refused record', () => {
  const deviceIn = (deviceId: string): string | null => {
    const sent = message(JSON.stringify([{ device_id: deviceId }]), 'application/json');
    return refuse(sent, parsedOf(sent), 0, REFUSAL).failure.deviceId;
  };

  it('is the id as it came where that can be one, and else cut between two characters', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', 'é', '🛢', '\u{10ffff}'), minLength: 60, maxLength: 300 }),
        (id) => {
          const kept = deviceIn(id);
          expect(kept).toBe(Array.from(id).slice(0, 128).join(''));
          expect(kept?.isWellFormed()).toBe(true);
        },
      ),
    );
  });
});
