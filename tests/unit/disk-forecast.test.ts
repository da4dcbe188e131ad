import fc from 'fast-check';
import { expect, it } from 'vitest';
import { forecastDisk, type MeasuredDay } from '../../src/storage/disk-forecast.js';

const growing = (days: number, perDay: number, first = 20_000): MeasuredDay[] =>
  Array.from({ length: days }, (_, index) => ({ day: first + index, usedBytes: 1e9 + index * perDay }));

it('finds the growth of a disk that grows by the same each day, whatever the order and the gaps', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000_000 }),
      fc.uniqueArray(fc.integer({ min: 0, max: 27 }), { minLength: 2, maxLength: 28 }),
      fc.integer({ min: 0, max: 1_000_000_000 }),
      (perDay, offsets, free) => {
        fc.pre(Math.max(...offsets) - Math.min(...offsets) >= 3);
        const forecast = forecastDisk(
          offsets.map((offset) => ({ day: 20_000 + offset, usedBytes: 5e9 + offset * perDay })),
          free,
        );
        expect(forecast.growthBytesPerDay).toBeCloseTo(perDay, 3);
        expect(forecast.daysUntilFull).toBeCloseTo(free / perDay, 3);
      },
    ),
  );
});

it('is not led astray by one day on which much came or went', () => {
  const days = growing(15, 1000).map((day, index) => (index === 7 ? { ...day, usedBytes: 9e9 } : day));
  expect(forecastDisk(days, 10_000)).toMatchObject({ growthBytesPerDay: 1000, daysUntilFull: 10 });
});

it('says what it does not know', () => {
  expect(forecastDisk([], 1e9)).toMatchObject({ daysUntilFull: null, growthBytesPerDay: null });
  expect(forecastDisk(growing(3, 1000), 1e9).basis).toBe('unknown: the sizes of 3 days are known, and 4 are needed');
  const unseen = forecastDisk(growing(10, 1000), null);
  expect(unseen).toMatchObject({ daysUntilFull: null, growthBytesPerDay: 1000 });
  expect(unseen.basis).toContain('cannot be seen');
  const shrinking = forecastDisk(growing(10, -1000), 1e9);
  expect(shrinking).toMatchObject({ daysUntilFull: null, growthBytesPerDay: -1000 });
  expect(shrinking.basis).toContain('does not fill');
  // What lies longer back than four weeks says nothing about today.
  expect(forecastDisk([...growing(20, 1_000_000, 10_000), ...growing(10, 1000)], 5000).daysUntilFull).toBe(5);
});
