/** What the rules that look back remember: saved and restored bit by bit, the same in any batches, untouched by what comes late. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EvaluatorState } from '../../src/pipeline/evaluator.js';
import { ReadingMemory } from '../../src/pipeline/rules/reading-memory.js';
import { RuleFeed, type Called, type Readings, type TimedReadings } from '../support/rule-feed.js';

const value = (least: number, most: number): fc.Arbitrary<number | null> =>
  fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 0, max: 20 }).map((step) => least + ((most - least) * step) / 1000) },
    { weight: 1, arbitrary: fc.constantFrom(null, 0, most) },
  );
const step = fc.record({
  seconds: fc.constantFrom(0, 0.5, 1, 1, 1, 2, 15, 60, 400),
  drive_frequency: fc.oneof(
    { weight: 8, arbitrary: fc.constant(50) },
    { weight: 1, arbitrary: fc.constantFrom(0, 55, null) },
  ),
  temperature: value(80, 120),
  vibration: value(0.1, 40),
  intake_pressure: value(800, 3276.7),
  pressure: value(200, 4000),
  /** So often the same again: runs are long. */
  times: fc.oneof(
    { weight: 12, arbitrary: fc.constant(1) },
    { weight: 1, arbitrary: fc.integer({ min: 10, max: 140 }) },
  ),
});

/** Times in order, now and then two reports of one instant. */
function recordsOf(steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[]): TimedReadings[] {
  let at = 0;
  return steps.flatMap(({ seconds, times, ...channels }) => {
    const values = Object.fromEntries(Object.entries(channels).filter(([, given]) => given !== null)) as Readings;
    return Array.from({ length: times }, () => ({ at: (at += seconds), values }));
  });
}
const history = fc.array(step, { minLength: 2, maxLength: 120 }).map(recordsOf);

/** As a store gives it back: fields of a hash. */
const stored = (state: EvaluatorState): EvaluatorState => JSON.parse(JSON.stringify(state)) as EvaluatorState;

describe('the memory of the rules', () => {
  it('goes on exactly where saved state left off, wherever it was saved', () => {
    let findings = 0;
    fc.assert(
      fc.property(history, fc.double({ min: 0, max: 1, noNaN: true }), (records, share) => {
        const cut = Math.floor(share * records.length);
        const whole = new RuleFeed();
        const expected = whole.feed(records);
        const before = new RuleFeed();
        const first = before.feed(records.slice(0, cut));
        const after = new RuleFeed(cut === 0 ? {} : { saved: stored(before.saved()) });
        expect([...first, ...after.feed(records.slice(cut))]).toEqual(expected);
        expect(after.saved()).toEqual(whole.saved());
        findings += expected.filter(({ flags }) => flags.length > 0).length;
      }),
    );
    expect(findings).toBeGreaterThan(100); // or nothing was tried
  });

  it('finds the same in any cut into batches', () => {
    fc.assert(
      fc.property(history, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (records, sizes) => {
        const feed = new RuleFeed();
        const called: Called[] = [];
        for (let at = 0, turn = 0; at < records.length; turn++) {
          const size = sizes[turn % sizes.length] as number;
          called.push(...feed.feed(records.slice(at, at + size)));
          at += size;
        }
        expect(called).toEqual(new RuleFeed().feed(records));
      }),
    );
  });

  it('is not touched by records that come late', () => {
    fc.assert(
      fc.property(history, fc.nat(), (records, turn) => {
        const feed = new RuleFeed();
        feed.feed(records);
        const before = feed.saved();
        const late = records[turn % records.length] as TimedReadings;
        const [called] = feed.feed([{ at: late.at - 1000, values: { ...late.values, temperature: 199 } }]);
        expect(called?.flags).toEqual(['notEvaluated']);
        expect(feed.saved()).toEqual(before);
      }),
    );
  });

  it('learns nothing twice from a record that comes again', () => {
    fc.assert(
      fc.property(history, (records) => {
        const feed = new RuleFeed();
        feed.feed(records);
        const before = feed.saved();
        feed.feed([records.at(-1) as TimedReadings]);
        expect(feed.saved().rules).toBe(before.rules);
      }),
    );
  });
});

describe('saved state', () => {
  const records: TimedReadings[] = Array.from({ length: 200 }, (_, at) => ({
    at,
    values: {
      drive_frequency: 50,
      temperature: 90 + ((at * 3) % 5) * 0.1,
      vibration: 0.2 + ((Math.min(at, 150) * 7) % 11) / 1000,
    },
  }));

  it.each([
    ['of a version before the rules', undefined],
    ['of another version', Buffer.from(new Float64Array([2, 3]).buffer).toString('base64')],
    ['cut short', 'AAAAAAAA8D8AAAAAAAAIQA=='],
    ['that is no state', 'not base64 at all'],
    ['of no text', 42],
  ])('%s is a fresh start of the rules, and of nothing else', (_name, rules) => {
    const feed = new RuleFeed();
    feed.feed(records);
    const { rules: mine, ...others } = feed.saved();
    expect(mine).toBeTypeOf('string');
    const restored = new RuleFeed({ saved: { ...others, rules } as EvaluatorState });
    expect(restored.saved()).toEqual(others);
    // It goes on as if the device were new to the rules.
    expect(restored.feed([{ at: 200, values: { drive_frequency: 50, temperature: 190 } }])).toEqual([
      { cause: null, flags: [] },
    ]);
  });

  it('is forgotten with the device', () => {
    const feed = new RuleFeed();
    feed.feed(records);
    feed.evaluator.forget(0);
    expect(feed.saved().rules).toBeUndefined();
  });

  it('stays with its device while the memory grows', () => {
    const memory = new ReadingMemory();
    const feed = new RuleFeed();
    feed.feed(records);
    const saved = feed.saved().rules;
    memory.reserve(3);
    memory.restore(2, saved);
    memory.reserve(5000);
    expect(memory.snapshot(2)).toBe(saved);
    expect([0, 1, 3, 64, 4999].map((device) => memory.snapshot(device))).toEqual(Array(5).fill(undefined));
  });
});
