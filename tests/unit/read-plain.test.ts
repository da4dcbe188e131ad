/** The short way into a batch has to lead where the long one does, or nowhere. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readBody, type BodyType } from '../../src/pipeline/read-body.js';
import { NOT_PLAIN, PlainReader } from '../../src/pipeline/read-plain.js';
import { isRejection, readRecord, type RecordContext } from '../../src/pipeline/read-record.js';
import { CHANNEL_COUNT, CHANNELS } from '../../src/telemetry/channels.js';
import { ReadingBatch } from '../../src/telemetry/reading-batch.js';

const RECEIVED_US = Date.UTC(2026, 10, 23, 18, 30) * 1000;
const CONTEXT: RecordContext = { receivedUs: RECEIVED_US, sourceSystem: 'scada' };

/** Every column of every row. */
const rowsOf = (batch: ReadingBatch): unknown[] =>
  Array.from({ length: batch.length }, (_, row) => ({
    timestampUs: batch.timestampUs[row],
    deviceId: batch.deviceId[row],
    values: [...batch.values.subarray(row * CHANNEL_COUNT, (row + 1) * CHANNEL_COUNT)],
    flags: [batch.flagsLow[row], batch.flagsHigh[row]],
    receivedUs: batch.receivedUs[row],
    sourceSystem: batch.sourceSystem[row],
    rawValues: batch.rawValues[row],
    device: batch.device[row],
  }));

/** The rows as the long way reads them; undefined where it refuses anything. */
function longWay(body: Buffer, type: BodyType, context: RecordContext): unknown[] | undefined {
  const parsed = readBody(body, type, context);
  if (isRejection(parsed)) return undefined;
  const batch = new ReadingBatch(Math.max(1, parsed.records.length));
  for (const record of parsed.records) if (readRecord(record, parsed.context, batch) !== undefined) return undefined;
  return rowsOf(batch);
}

const reader = new PlainReader();

/** The rows as the short way reads them; undefined where it finds something that is not plain. */
function shortWay(body: Buffer, type: BodyType, context: RecordContext): unknown[] | undefined {
  const batch = new ReadingBatch(1); // grows
  const records = reader.read(body, type, context, batch);
  if (records !== NOT_PLAIN) expect(records).toBe(batch.length);
  else expect(batch.length).toBe(0);
  return records === NOT_PLAIN ? undefined : rowsOf(batch);
}

/**
 * Texts made with a small generator of random numbers from one seed: fast-check's own strings took a hundred times as long.
 * A body that fails is printed whole.
 */
class Texts {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** A whole number from 0 to below `below`. */
  number(below: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#state / 4_294_967_296) * below);
  }

  one<T>(...choices: readonly T[]): T {
    return choices[this.number(choices.length)] as T;
  }

  space(): string {
    return this.one('', '', '', ' ', '\t', '\r', '  ');
  }

  /** Printable ASCII without quotes and backslashes. */
  plain(length: number): string {
    const codes = Array.from({ length }, () => this.number(95) + 32);
    return String.fromCharCode(...codes.filter((code) => code !== 34 && code !== 92));
  }

  digits(count: number): string {
    return Array.from({ length: count }, () => this.number(10)).join('');
  }

  /** A decimal number within the bounds of a channel, and of no offset of its zero. */
  reading(channel: number): string {
    const { minimum, maximum, zeroTolerance } = CHANNELS[channel] as (typeof CHANNELS)[number];
    const integer = this.number(Math.floor(maximum));
    const decimal = `${integer}.${this.digits(1 + this.number(9))}`;
    const below = zeroTolerance > 0 ? '0' : this.one('-0', '-0.0', `-${this.number(-minimum)}.${this.digits(3)}`);
    return this.one('null', String(integer), decimal, decimal, decimal, '0.0', below);
  }

  time(): string {
    const seconds = new Date(this.number(RECEIVED_US / 1e6) * 1000).toISOString().slice(0, 19);
    const decimals = this.number(7);
    return `"${seconds}${decimals === 0 ? '' : `.${this.digits(decimals)}`}Z"`;
  }

  /** A plain record, its fields in any order. */
  record(): string {
    const device = this.one('esp-1', 'esp-2', `x${this.plain(this.number(128))}`);
    const channels = CHANNELS.map(({ index }) => index).filter(() => this.number(2) === 0);
    const fields: [string, string][] = [
      ['device_id', `"${device}"`],
      ['timestamp', this.time()],
      ...(this.number(3) === 0 ? [['source_system', `"${this.plain(this.number(20))}"`] as [string, string]] : []),
      ...channels.map((index): [string, string] => [CHANNELS[index]?.name as string, this.reading(index)]),
    ];
    const order = new Map(fields.map((field) => [field, this.number(1000)]));
    if (this.number(2) === 0) fields.sort((a, b) => (order.get(a) as number) - (order.get(b) as number));
    const parts = fields.map(([name, value]) => `${this.space()}"${name}"${this.space()}:${this.space()}${value}`);
    return `{${parts.map((part) => part + this.space()).join(',')}}`;
  }

  body(): [string, BodyType] {
    const records = Array.from({ length: 1 + this.number(4) }, () => this.record());
    if (this.number(3) === 0) return [this.space() + this.record() + this.space(), 'application/json'];
    if (this.number(2) === 0)
      return [records.join('\n') + this.one('', '\n', '\r\n', ' \n\n '), 'application/x-ndjson'];
    return [`\n[${this.space()}${records.join(`${this.space()},\n`)}${this.space()}]\n`, 'application/json'];
  }
}

const plainBody = fc.noShrink(fc.nat()).map((seed) => new Texts(seed).body());

describe('PlainReader', () => {
  it('reads every plain body, and as the long way does', () => {
    fc.assert(
      fc.property(plainBody, ([text, type]) => {
        const body = Buffer.from(text);
        const rows = shortWay(body, type, CONTEXT);
        expect(rows).toBeDefined();
        expect(rows).toEqual(longWay(body, type, CONTEXT));
      }),
      { numRuns: 500 },
    );
  });

  it('reads a body with any bytes changed, left out or added as the long way does, or leaves it alone', () => {
    const edit = fc.record({
      at: fc.nat(),
      remove: fc.integer({ min: 0, max: 3 }),
      insert: fc.oneof(
        fc.constantFrom(
          '',
          '"',
          '\\',
          '\\u0041',
          '0',
          '00',
          '.',
          '-',
          'e5',
          'E-3',
          ',',
          ':',
          '}',
          '{',
          ']',
          '[',
          '\n',
          ' ',
          'é',
          '\u0007',
        ),
        fc.constantFrom(
          '9999999999999999999',
          '"temperature":1,',
          '"temperature_unit":"F",',
          '"unknown":1,',
          '+01:00',
          '60',
          'null',
          'true',
        ),
        fc.string({ maxLength: 3 }),
      ),
    });
    fc.assert(
      fc.property(plainBody, fc.array(edit, { minLength: 1, maxLength: 3 }), ([text, type], edits) => {
        const changed = edits.reduce((before, { at, remove, insert }) => {
          const where = at % (before.length + 1);
          return before.slice(0, where) + insert + before.slice(where + remove);
        }, text);
        const body = Buffer.from(changed);
        const rows = shortWay(body, type, CONTEXT);
        if (rows !== undefined) expect(rows).toEqual(longWay(body, type, CONTEXT));
      }),
      { numRuns: 3000 },
    );
  });

  it.each([
    ['a number with an exponent', '{"device_id":"a","timestamp":"2026-11-23T18:22:08Z","rpm":1e3}'],
    ['a repeated field', '{"device_id":"a","timestamp":"2026-11-23T18:22:08Z","rpm":1,"rpm":2}'],
    ['a unit', '{"device_id":"a","timestamp":"2026-11-23T18:22:08Z","temperature":70,"temperature_unit":"F"}'],
    ['an unknown field', '{"device_id":"a","timestamp":"2026-11-23T18:22:08Z","colour":1}'],
    ['an impossible value', '{"device_id":"a","timestamp":"2026-11-23T18:22:08Z","rpm":10001}'],
    ['an offset of the zero', '{"device_id":"a","timestamp":"2026-11-23T18:22:08Z","rpm":-1}'],
    ['a time ahead', '{"device_id":"a","timestamp":"2026-11-23T18:40:01Z"}'],
    ['a leap second', '{"device_id":"a","timestamp":"2016-12-31T23:59:60Z"}'],
    ['a day that does not exist', '{"device_id":"a","timestamp":"2026-02-30T18:22:08Z"}'],
    ['an escape', '{"device_id":"\\u0061","timestamp":"2026-11-23T18:22:08Z"}'],
    ['no device', '{"timestamp":"2026-11-23T18:22:08Z"}'],
    ['an empty device', '{"device_id":"","timestamp":"2026-11-23T18:22:08Z"}'],
    ['an envelope', '{"records":[{"device_id":"a","timestamp":"2026-11-23T18:22:08Z"}]}'],
    ['an empty array', '[]'],
    ['nothing', ''],
    ['text behind the record', '{"device_id":"a","timestamp":"2026-11-23T18:22:08Z"}x'],
    ['a byte order mark', '\ufeff{"device_id":"a","timestamp":"2026-11-23T18:22:08Z"}'],
    ['a body that ends in the middle', '[{"device_id":"a","timestamp":"2026-11-23T18:22:08Z"},'],
  ])('leaves %s alone, and takes nothing of it', (_, text) => {
    const good = '{"device_id":"a","timestamp":"2026-11-23T18:22:08Z"}';
    expect(shortWay(Buffer.from(text), 'application/json', CONTEXT)).toBeUndefined();
    expect(shortWay(Buffer.from(`[${good},${text}]`), 'application/json', CONTEXT)).toBeUndefined();
    expect(shortWay(Buffer.from(good), 'application/json', CONTEXT)).toHaveLength(1);
  });

  it('leaves a body alone whose context has units or a device', () => {
    const body = Buffer.from('{"device_id":"a","timestamp":"2026-11-23T18:22:08Z"}');
    expect(shortWay(body, 'application/json', { ...CONTEXT, units: [] })).toBeUndefined();
    expect(shortWay(body, 'application/json', { ...CONTEXT, deviceId: 'b' })).toBeUndefined();
  });

  it('tells devices apart whose names only differ in one character, however many there are', () => {
    const ids = Array.from({ length: 300_000 }, (_, number) => `esp-${number.toString(36)}`);
    const context = CONTEXT;
    const batch = new ReadingBatch(1000);
    for (let at = 0; at < ids.length; at += 1000) {
      const part = ids.slice(at, at + 1000);
      batch.clear();
      const body = Buffer.from(
        `[${part.map((id) => `{"device_id":"${id}","timestamp":"2026-11-23T18:22:08Z"}`).join(',')}]`,
      );
      expect(reader.read(body, 'application/json', context, batch)).toBe(1000);
      expect(batch.deviceId.slice(0, 1000)).toEqual(part);
    }
  });
});
