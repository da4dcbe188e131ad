import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { zoneOffset } from '../../src/telemetry/time-zone.js';
import { epochToMicros, formatTimestamp, parseTimestamp, sqlTimestamp } from '../../src/telemetry/timestamp.js';

const utc = (text: string): number => parseTimestamp(text) as number;

describe('parseTimestamp', () => {
  it.each([
    ['1970-01-01T00:00:00Z', 0],
    ['2026-11-23T18:22:08.672341Z', 1_795_458_128_672_341],
    ['2026-11-23T19:22:08.672341+01:00', 1_795_458_128_672_341],
    ['2026-11-23 13:22:08.672341-05', 1_795_458_128_672_341],
    ['2026-11-23t18:22:08.6723419999z', 1_795_458_128_672_341],
    ['1969-12-31T23:59:59.999999Z', -1],
    ['2024-02-29T12:00Z', 1_709_208_000_000_000],
    ['2016-12-31T23:59:60Z', 1_483_228_800_000_000],
  ])('reads %s', (text, micros) => {
    expect(parseTimestamp(text)).toBe(micros);
  });

  it.each([
    '',
    'yesterday',
    '2026-13-01T00:00:00Z',
    '2026-02-29T00:00:00Z',
    '2026-11-23',
    '2026-11-23T24:00:00Z',
    '2026-11-23T18:60:00Z',
    '2026-11-23T18:22:61Z',
    '2026-11-23T18:22:08.Z',
    '2026-11-23T18:22:08+25:00',
    '2026-11-23T18:22:08Zx',
    '2026-11-23T18:22:08+1',
    '2026-1-23T18:22:08Z',
    '٢٠٢٦-11-23T18:22:08Z',
    '2026-11-23T18:22:08+01:0',
    '+2026-11-23T18:22Z',
  ])('refuses %j', (text) => {
    expect(parseTimestamp(text)).toBe('invalid_timestamp');
  });

  it('refuses a naive timestamp unless a zone is given', () => {
    expect(parseTimestamp('2020-02-08 13:30:47')).toBe('naive_timestamp');
    expect(parseTimestamp('2020-02-08 13:30:47', zoneOffset('UTC'))).toBe(utc('2020-02-08T13:30:47Z'));
    expect(parseTimestamp('2020-07-08 13:30:47', zoneOffset('America/Chicago'))).toBe(utc('2020-07-08T13:30:47-05:00'));
    expect(parseTimestamp('2020-02-08 13:30:47', zoneOffset('+03:30'))).toBe(utc('2020-02-08T13:30:47+03:30'));
    expect(zoneOffset('Mars/Olympus_Mons')).toBeUndefined();
  });

  it('takes the earlier of the two instants where clocks are put back, and moves on where they are put forward', () => {
    const berlin = zoneOffset('Europe/Berlin');
    expect(parseTimestamp('2025-10-26 02:30:00', berlin)).toBe(utc('2025-10-26T02:30:00+02:00'));
    expect(parseTimestamp('2025-10-26 03:30:00', berlin)).toBe(utc('2025-10-26T03:30:00+01:00'));
    expect(parseTimestamp('2025-03-30 01:59:59', berlin)).toBe(utc('2025-03-30T01:59:59+01:00'));
    expect(parseTimestamp('2025-03-30 03:00:00', berlin)).toBe(utc('2025-03-30T03:00:00+02:00'));
  });

  it('gives back every microsecond that formatTimestamp wrote', () => {
    const years1700to2250 = fc.integer({ min: -8_520_336_000_000_000, max: 8_835_955_200_000_000 });
    fc.assert(fc.property(years1700to2250, (micros) => parseTimestamp(formatTimestamp(micros)) === micros));
  });

  it('agrees with the calendar of the platform', () => {
    const milliseconds = fc.integer({ min: Date.UTC(1700, 0, 1), max: Date.UTC(2250, 0, 1) });
    fc.assert(
      fc.property(milliseconds, (ms) => {
        expect(parseTimestamp(new Date(ms).toISOString())).toBe(ms * 1000);
      }),
    );
  });

  it('refuses what it could not keep to the microsecond', () => {
    expect(parseTimestamp('0001-01-01T00:00:00Z')).toBe(-62_135_596_800_000_000);
    expect(parseTimestamp('0001-01-01T00:00:00.000001Z')).toBe('invalid_timestamp');
  });
});

describe('epochToMicros', () => {
  it.each([
    [1_732_386_128.672341, 's', 1_732_386_128_672_341],
    [1_732_386_128_672, 'ms', 1_732_386_128_672_000],
    [1_732_386_128_672_341, 'us', 1_732_386_128_672_341],
    [1_732_386_128_000_000_000, 'ns', 1_732_386_128_000_000],
    [-1.5, 's', -1_500_000],
  ] as const)('%d %s', (value, unit, micros) => {
    expect(epochToMicros(value, unit)).toBe(micros);
  });

  it('refuses what no calendar has', () => {
    expect(epochToMicros(1e18, 's')).toBe('invalid_timestamp');
    expect(epochToMicros(Number.NaN, 'ms')).toBe('invalid_timestamp');
  });

  it('keeps microseconds of seconds with a fraction', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 4_000_000_000 }),
        fc.integer({ min: 0, max: 999_999 }),
        (seconds, micros) => {
          expect(epochToMicros(Number(`${seconds}.${String(micros).padStart(6, '0')}`), 's')).toBe(
            seconds * 1e6 + micros,
          );
        },
      ),
    );
  });
});

describe('sqlTimestamp', () => {
  it.each([
    [utc('2026-11-23T18:22:08.672341Z'), '2026-11-23T18:22:08.672341Z'],
    [utc('0001-01-01T00:00:00Z'), '0001-01-01T00:00:00Z'],
    [utc('0000-12-31T23:59:00Z'), '0001-12-31T23:59:00Z BC'],
    [utc('0000-01-01T00:00:00Z') - 1_000_000, '0002-12-31T23:59:59Z BC'],
  ])('writes %d as PostgreSQL reads it', (micros, text) => {
    expect(sqlTimestamp(micros)).toBe(text);
  });
});
