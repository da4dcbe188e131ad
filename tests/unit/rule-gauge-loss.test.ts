/** Gauge loss: the downhole channels go together while the surface lives on, through the evaluator. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { causesAt, RuleFeed, type Readings, type TimedReadings } from '../support/rule-feed.js';

const CAUSE = 'gauge_loss';
const surface = (at: number): Readings => ({ drive_frequency: 50, motor_current: 40 + (at % 3) * 0.1, pressure: 250 });
const gauge = (at: number): Readings => ({
  temperature: 90 + ((at * 3) % 5) * 0.1,
  vibration: 0.2 + ((at * 7) % 11) * 0.001,
  intake_pressure: 800 + ((at * 5) % 7),
  discharge_pressure: 2900 + ((at * 5) % 7),
});
const both = (at: number): Readings => ({ ...surface(at), ...gauge(at) });

const every = (seconds: number, count: number, values: (at: number) => Readings): TimedReadings[] =>
  Array.from({ length: count }, (_, index) => ({ at: index * seconds, values: values(index * seconds) }));
const lostAt = (records: readonly TimedReadings[]): number[] =>
  causesAt(records, new RuleFeed().feed(records)).flatMap((text) =>
    text.endsWith(CAUSE) ? [Number.parseFloat(text)] : [],
  );

describe('gauge loss', () => {
  it('is found half a minute after the first record without the gauge, and until it is back', () => {
    const found = lostAt(every(1, 300, (at) => (at < 100 || at >= 200 ? both(at) : surface(at))));
    expect(found).toEqual(Array.from({ length: 70 }, (_, index) => 130 + index));
  });

  it('takes three records at least, however far apart they are', () => {
    expect(lostAt(every(60, 60, (at) => (at < 1800 ? both(at) : surface(at))))[0]).toBe(1800 + 120);
    expect(lostAt(every(60, 60, (at) => (at < 1800 || at >= 1920 ? both(at) : surface(at))))).toEqual([]);
  });

  it.each([
    ['zeros', 0, 0, 0],
    ['full scale of a register', 65.535, 32.767, 6553.5],
    ['full scale of a signed one, or nothing', -0, 0, 3276.7],
  ])('is found where the gauge shows %s', (_name, temperature, vibration, pressure) => {
    const gone: Readings = { temperature, vibration, intake_pressure: pressure, discharge_pressure: pressure };
    const records = every(1, 200, (at) => (at < 100 ? both(at) : { ...surface(at), ...gone }));
    const found = lostAt(records);
    // The first such record differs from the last good one, and is taken for a reading still.
    expect(found[0]).toBeLessThanOrEqual(132);
    expect(found.at(-1)).toBe(199);
  });

  it('is none where one channel lives on, or there is but one', () => {
    expect(
      lostAt(
        every(1, 300, (at) => (at < 100 ? both(at) : { ...surface(at), vibration: gauge(at).vibration as number })),
      ),
    ).toEqual([]);
    expect(
      lostAt(every(1, 300, (at) => ({ ...surface(at), ...(at < 100 ? { temperature: 90 + (at % 5) } : {}) }))),
    ).toEqual([]);
  });

  it('is none while the gauge stands, if what it shows is a reading', () => {
    expect(lostAt(every(1, 300, (at) => ({ ...surface(at), ...gauge(Math.min(at, 100)) })))).toEqual([]);
  });

  it('is none of a device that never had one, or has not shown how it reports', () => {
    expect(lostAt(every(1, 300, surface))).toEqual([]);
    expect(lostAt(every(1, 300, (at) => (at < 7 ? both(at) : surface(at))))).toEqual([]);
  });

  it('allows for a gauge that reports apart, and less often', () => {
    const apart = (at: number): Readings => (at % 60 === 59 ? gauge(at) : surface(at));
    expect(lostAt(every(1, 3600, apart))).toEqual([]);
    const found = lostAt(every(1, 3600, (at) => (at < 1800 ? apart(at) : surface(at))));
    expect(found[0]).toBeGreaterThan(1800 + 3 * 60);
    expect(found[0]).toBeLessThanOrEqual(1800 + 4 * 60);
  });

  it('is none while the pump stands or starts, nor in a silence of everything', () => {
    const stopped: Readings = { drive_frequency: 0, motor_current: 0, pressure: 250 };
    expect(lostAt(every(1, 400, (at) => (at < 100 ? both(at) : stopped)))).toEqual([]);
    const restarted = every(1, 500, (at) => (at < 100 ? both(at) : at < 200 ? stopped : surface(at)));
    expect(lostAt(restarted)[0]).toBe(200 + 120 + 30);
    const silent = every(1, 300, (at) => (at === 200 ? surface(at) : both(at))).filter(
      ({ at }) => at < 100 || at >= 200,
    );
    expect(lostAt(silent)).toEqual([]);
  });

  it('sets its flag with records of the surface and of the lost gauge alike', () => {
    const gone: Readings = { temperature: 0, vibration: 0, intake_pressure: 0, discharge_pressure: 0 };
    const feed = new RuleFeed();
    feed.feed(every(1, 200, (at) => (at < 100 ? both(at) : { ...surface(at), ...gone })));
    const called = feed.feed([
      { at: 200, values: surface(200) },
      { at: 201, values: gone },
      { at: 202, values: both(202) },
    ]);
    expect(called.map(({ flags }) => flags.includes('gaugeLoss'))).toEqual([true, true, false]);
    expect(called.map(({ cause }) => cause)).toEqual([CAUSE, CAUSE, 'rate_of_change:temperature']);
  });

  it('is never found where the gauge misses two records of three at most', () => {
    const misses = fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 20, maxLength: 150 });
    fc.assert(
      fc.property(misses, fc.double({ min: 0.1, max: 900, noNaN: true }), (counts, seconds) => {
        const pattern = counts.flatMap((count) => [true, ...Array.from({ length: count }, () => false)]);
        const records = every(seconds, pattern.length, (at) =>
          pattern[Math.round(at / seconds)] === true ? both(at) : surface(at),
        );
        expect(lostAt(records)).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});
