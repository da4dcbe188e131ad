import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readBody, type BodyType, type ParsedBody } from '../../src/pipeline/read-body.js';
import { isRejection, readRecord, type RecordContext } from '../../src/pipeline/read-record.js';
import {
  CHANNEL_COUNT,
  CHANNELS,
  channel,
  channelMask,
  CHANNEL_NAMES,
  type ChannelName,
} from '../../src/telemetry/channels.js';
import { QualityFlag } from '../../src/telemetry/quality-flags.js';
import { ReadingBatch } from '../../src/telemetry/reading-batch.js';
import type { Rejection } from '../../src/telemetry/rejection.js';
import { findUnit } from '../../src/telemetry/units.js';

const RECEIVED_US = 1_795_458_128_000_000;
const context: RecordContext = { receivedUs: RECEIVED_US, sourceSystem: 'scada' };
const base = { device_id: 'esp-1', timestamp: '2026-11-23T18:22:00Z' };

function read(
  record: unknown,
  ctx = context,
): { batch: ReadingBatch; rejection: Rejection | undefined; value: (name: ChannelName) => number } {
  const batch = new ReadingBatch(1);
  const rejection = readRecord(record, ctx, batch);
  return { batch, rejection, value: (name) => batch.values[channel(name).index] as number };
}

const refusal = (record: unknown, ctx = context): { code: string; field: string } => {
  const { rejection, batch } = read(record, ctx);
  expect(batch.length).toBe(0);
  expect(rejection?.message).toBeTruthy();
  return { code: rejection?.code as string, field: rejection?.field as string };
};

describe('readRecord', () => {
  it.each<[ChannelName, string, number, number]>([
    ['temperature', 'F', 392, 200],
    ['temperature', 'F', -58, -50],
    ['temperature', 'K', 473.15, 200],
    ['pressure', 'bar', 1378.9514586356618, 20_000],
    ['pressure', 'bara', 1.01325, 0],
    ['pressure', 'psia', 14.6959487755, 0],
    ['flow_rate', 'l/min', 11_040.784370000001, 100_000],
  ])('takes a limit of %s written in %s for possible', (name, unit, received, canonical) => {
    const { batch, value } = read({ ...base, [name]: received, [`${name}_unit`]: unit });
    expect([batch.flagsLow[0], batch.flagsHigh[0]]).toEqual([0, 0]);
    expect(value(name)).toBeCloseTo(canonical, 9);
  });

  it('counts the characters of a device id, not its UTF-16 units', () => {
    expect(read({ ...base, device_id: '🛢'.repeat(128) }).rejection).toBeUndefined();
    expect(refusal({ ...base, device_id: '🛢'.repeat(129) }).code).toBe('invalid_device_id');
  });

  it('reads channels as float32 and leaves the others NULL', () => {
    const { batch, value } = read({ ...base, temperature: 81.3, flow_rate: 0 });
    expect(batch.length).toBe(1);
    expect(batch.deviceId[0]).toBe('esp-1');
    expect(batch.timestampUs[0]).toBe(1_795_458_120_000_000);
    expect(value('temperature')).toBe(Math.fround(81.3));
    expect(value('flow_rate')).toBe(0);
    expect(value('vibration')).toBeNaN();
    expect(batch.rawValues[0]).toBeUndefined();
  });

  it('converts units given per field, whatever the order of the fields', () => {
    expect(read({ temperature_unit: 'F', ...base, temperature: 212 }).value('temperature')).toBeCloseTo(100, 4);
    expect(read({ ...base, pressure: 10, pressure_unit: 'bar' }).value('pressure')).toBeCloseTo(145.0377, 3);
  });

  it('refuses a unit of another dimension and names what it accepts', () => {
    const { rejection } = read({ ...base, vibration: 0.2, vibration_unit: 'in/s' });
    expect(rejection).toMatchObject({ code: 'unknown_unit', field: 'vibration_unit' });
    expect(rejection?.message).toContain('g, m/s2');
  });

  it('stores an impossible value as NULL, flags it and keeps what was received', () => {
    const { batch, value } = read({ ...base, temperature: 500, temperature_unit: 'F', vibration: -7 });
    expect(value('temperature')).toBeNaN();
    expect(batch.flagsHigh[0]).toBe(channelMask(['temperature', 'vibration']));
    expect(JSON.parse(batch.rawValues[0] as string)).toEqual({
      temperature: 500,
      temperature_unit: 'F',
      vibration: -7,
    });
  });

  it('takes a reading slightly below zero for zero, with a flag', () => {
    const { batch, value } = read({ ...base, pressure: -0.27, pressure_unit: 'bar' });
    expect(value('pressure')).toBe(0);
    expect(Object.is(value('pressure'), -0)).toBe(false);
    expect(batch.flagsLow[0]).toBe(QualityFlag.zeroOffset);
    expect(read({ ...base, pressure: -100.01 }).batch.flagsHigh[0]).toBe(channelMask(['pressure']));
  });

  it('keeps unknown fields beside the good channels', () => {
    const { batch, value } = read({
      ...base,
      temperature: 80,
      wellhead_choke: 32,
      note: 'a\u0000b\ud800',
      nested: { a: [1, 1e999] },
    });
    expect(value('temperature')).toBe(80);
    expect(batch.flagsLow[0]).toBe(QualityFlag.unknownFields);
    expect(JSON.parse(batch.rawValues[0] as string)).toEqual({
      wellhead_choke: 32,
      note: 'a\\u0000b\\ud800',
      nested: { a: [1, 'Infinity'] },
    });
  });

  it('is not led astray by names of the prototype', () => {
    const { batch, rejection } = read(
      JSON.parse('{"device_id":"d","timestamp":"2026-11-23T18:22:00Z","__proto__":{"temperature":5},"constructor":1}'),
    );
    expect(rejection).toBeUndefined();
    expect(JSON.parse(batch.rawValues[0] as string)).toHaveProperty('constructor', 1);
    expect(batch.values[0]).toBeNaN();
  });

  it.each<[unknown, string, string]>([
    [null, 'not_an_object', ''],
    [[], 'not_an_object', ''],
    ['x', 'not_an_object', ''],
    [{ timestamp: base.timestamp }, 'missing_field', 'device_id'],
    [{ device_id: 'd' }, 'missing_field', 'timestamp'],
    [{ ...base, device_id: 7 }, 'wrong_type', 'device_id'],
    [{ ...base, device_id: '' }, 'invalid_device_id', 'device_id'],
    [{ ...base, device_id: 'x'.repeat(129) }, 'invalid_device_id', 'device_id'],
    [{ ...base, device_id: 'a\nb' }, 'invalid_device_id', 'device_id'],
    [{ ...base, device_id: 'a\u0085b' }, 'invalid_device_id', 'device_id'],
    [{ ...base, device_id: 'a\ud800' }, 'invalid_device_id', 'device_id'],
    [{ ...base, temperature: '80' }, 'wrong_type', 'temperature'],
    [{ ...base, temperature: true }, 'wrong_type', 'temperature'],
    [{ ...base, temperature: Infinity }, 'not_finite', 'temperature'],
    [{ ...base, temperature: NaN }, 'not_finite', 'temperature'],
    [{ ...base, timestamp: 1_732_386_128 }, 'timestamp_unit_missing', 'timestamp'],
    [{ ...base, timestamp: 1, timestamp_unit: 'fortnight' }, 'unknown_unit', 'timestamp_unit'],
    [{ ...base, timestamp: '2026-11-23 18:22:00' }, 'naive_timestamp', 'timestamp'],
    [{ ...base, timestamp: 'noon' }, 'invalid_timestamp', 'timestamp'],
    [{ ...base, timestamp: null }, 'wrong_type', 'timestamp'],
    [{ ...base, timestamp: '2026-11-23T18:32:08.1Z' }, 'future_timestamp', 'timestamp'],
    [{ ...base, source_system: 5 }, 'wrong_type', 'source_system'],
    [{ ...base, x: JSON.parse('['.repeat(20) + ']'.repeat(20)) as unknown }, 'too_deep', 'x'],
    [{ ...base, x: 'y'.repeat(70_000) }, 'too_large', ''],
  ])('refuses %j', (record, code, field) => {
    expect(refusal(record)).toEqual({ code, field });
  });

  it('has no limit in the past and allows ten minutes ahead', () => {
    expect(read({ ...base, timestamp: '0001-01-01T00:00:00Z' }).rejection).toBeUndefined();
    expect(read({ ...base, timestamp: '2026-11-23T18:32:08Z' }).rejection).toBeUndefined();
  });

  it('stores a value within the range and never one outside, in any unit', () => {
    const anyChannel = fc.constantFrom(...CHANNELS);
    fc.assert(
      fc.property(
        anyChannel,
        fc.nat(),
        fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }),
        (of, pick, received) => {
          const unitName = of.acceptedUnits[pick % of.acceptedUnits.length] as string;
          const unit = findUnit(of.quantity, unitName) as { factor: number; offset: number };
          const canonical = received * unit.factor + unit.offset;
          const { batch, value } = read({ ...base, [of.name]: received, [`${of.name}_unit`]: unitName });
          const stored = value(of.name);
          if (canonical >= of.minimum && canonical <= of.maximum) expect(stored).toBe(Math.fround(canonical) + 0);
          else if (canonical < 0 && canonical >= -of.zeroTolerance) expect(stored).toBe(0);
          else {
            expect(stored).toBeNaN();
            expect(JSON.parse(batch.rawValues[0] as string)).toEqual({
              [of.name]: received,
              [`${of.name}_unit`]: unitName,
            });
          }
        },
      ),
    );
  });

  it('never throws, and either adds a row or says why not', () => {
    const record = fc.dictionary(
      fc.oneof(
        fc.constantFrom(...CHANNEL_NAMES, 'device_id', 'timestamp', 'timestamp_unit', 'temperature_unit'),
        fc.string(),
      ),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          record,
          fc.jsonValue(),
          record.map((r) => ({ ...base, ...r })),
        ),
        (candidate) => {
          const { batch, rejection } = read(candidate);
          expect(batch.length).toBe(rejection === undefined ? 1 : 0);
          for (let index = 0; index < CHANNEL_COUNT * batch.length; index++) {
            const stored = batch.values[index] as number;
            const { minimum, maximum } = CHANNELS[index] as (typeof CHANNELS)[number];
            expect(Number.isNaN(stored) || (stored >= minimum && stored <= maximum)).toBe(true);
          }
        },
      ),
    );
  });
});

describe('readBody', () => {
  const body = (text: string, type: BodyType = 'application/json'): ParsedBody | Rejection =>
    readBody(Buffer.from(text), type, context);
  const parsed = (text: string, type?: BodyType): ParsedBody => {
    const result = body(text, type);
    if (isRejection(result)) throw new Error(result.message);
    return result;
  };

  it('takes an object, an array, an envelope and NDJSON', () => {
    expect(parsed('{"device_id":"a"}')).toMatchObject({ form: 'object', records: [{ device_id: 'a' }] });
    expect(parsed('\ufeff[{"device_id":"a"},{}]')).toMatchObject({ form: 'array', records: [{ device_id: 'a' }, {}] });
    expect(parsed('{"a":1}\r\n\n{"b":2}\n', 'application/x-ndjson')).toMatchObject({
      form: 'ndjson',
      records: [{ a: 1 }, { b: 2 }],
    });
  });

  it('reads with the defaults of the envelope', () => {
    const { context: ctx, records } = parsed(
      JSON.stringify({
        records: [{ timestamp: '2020-02-08 13:30:47', temperature: 212 }],
        units: { temperature: 'F' },
        time_zone: 'UTC',
        device_id: 'from-envelope',
        source_system: 'historian',
      }),
    );
    const { batch, value } = read(records[0], ctx);
    expect(value('temperature')).toBeCloseTo(100, 4);
    expect(batch.deviceId[0]).toBe('from-envelope');
    expect(batch.sourceSystem[0]).toBe('historian');
    expect(batch.timestampUs[0]).toBe(Date.UTC(2020, 1, 8, 13, 30, 47) * 1000);
  });

  it.each([
    ['{"records":1}', 'wrong_type', 'records'],
    ['{"records":[],"units":{"vibration":"in/s"}}', 'unknown_unit', 'units.vibration'],
    ['{"records":[],"units":{"warp":"c"}}', 'unknown_unit', 'units.warp'],
    ['{"records":[],"time_zone":"Nowhere"}', 'unknown_unit', 'time_zone'],
    ['{"records":[],"colour":"red"}', 'wrong_type', 'colour'],
    ['{"records":', 'malformed_json', ''],
    ['', 'malformed_json', ''],
  ])('refuses %s as a whole', (text, code, field) => {
    expect(body(text)).toMatchObject({ code, field });
  });

  it('refuses bytes that are not UTF-8', () => {
    expect(readBody(Uint8Array.of(0x7b, 0xff, 0x7d), 'application/json', context)).toMatchObject({
      code: 'malformed_json',
    });
  });

  it('lets a bad line cost only itself', () => {
    const { records, context: ctx } = parsed(
      `${JSON.stringify(base)}\n{"device_id":\n${JSON.stringify(base)}`,
      'application/x-ndjson',
    );
    const batch = new ReadingBatch(3);
    expect(records.map((record) => readRecord(record, ctx, batch)?.code)).toEqual([
      undefined,
      'malformed_json',
      undefined,
    ]);
    expect(batch.length).toBe(2);
  });
});
