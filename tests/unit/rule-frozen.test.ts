/** Frozen values: a lively channel that repeats itself, through the evaluator. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RuleProfile } from '../../src/telemetry/rule-profile.js';
import { causesAt, RuleFeed, type Readings, type TimedReadings } from '../support/rule-feed.js';

const running: Readings = { drive_frequency: 50, motor_current: 40 };
const CAUSE = 'frozen:vibration';

/** Goes to and fro by more than its smallest step. */
const lively = (at: number): number => 0.2 + ((at * 7) % 11) * 0.001;

/** A record a second: `value(at)`, or no vibration where that is undefined. */
function records(
  seconds: number,
  value: (at: number) => number | undefined,
  others: (at: number) => Readings = () => running,
): TimedReadings[] {
  return Array.from({ length: seconds }, (_, at) => {
    const vibration = value(at);
    return { at, values: { ...others(at), ...(vibration === undefined ? {} : { vibration }) } };
  });
}
const frozenAt = (run: readonly TimedReadings[], rules?: RuleProfile): number[] => {
  const called = new RuleFeed(rules === undefined ? {} : { rules }).feed(run);
  return causesAt(run, called).map((text) => {
    expect(text).toMatch(CAUSE);
    return Number.parseInt(text, 10);
  });
};

describe('a frozen value', () => {
  it('is found when it was repeated 120 times, and until it moves', () => {
    const found = frozenAt(records(400, (at) => lively(at < 100 || at >= 300 ? at : 99)));
    expect(found[0]).toBe(99 + 120);
    expect(found.at(-1)).toBe(299);
    expect(found).toHaveLength(299 - 219 + 1);
  });

  it('is none while 119 values in a row are equal', () => {
    expect(frozenAt(records(400, (at) => lively(at < 100 || at >= 219 ? at : 99)))).toEqual([]);
  });

  it('counts values, not records: missing ones neither count nor break the run', () => {
    const found = frozenAt(records(600, (at) => (at >= 100 && at % 2 === 1 ? undefined : lively(Math.min(at, 100)))));
    expect(found[0]).toBe(100 + 240);
    // Only records that carry the frozen reading are suspect.
    expect(found.every((at) => at % 2 === 0)).toBe(true);
  });

  it('has nothing to do with time: a report a minute freezes after as many', () => {
    const run = records(400, (at) => lively(at < 100 ? at : 99)).map(({ at, values }) => ({ at: at * 60, values }));
    expect(frozenAt(run)[0]).toBe(219 * 60);
  });

  it('is none of a channel whose noise does not reach over a step', () => {
    // Between two steps it flickers, then it stands for hours.
    expect(frozenAt(records(9000, (at) => (at < 3000 ? 0.2 + 0.001 * ((at * 7) % 2) : 0.2)))).toEqual([]);
  });

  it('is none of a trend that ends: a trend is no sign of life', () => {
    expect(frozenAt(records(3000, (at) => 0.2 + 0.001 * Math.min(at, 1500)))).toEqual([]);
  });

  it('is none of what was reported by exception, by its habit or by the word of its row', () => {
    expect(frozenAt(records(6000, (at) => lively(Math.floor(at / 200))))).toEqual([]);
    const frozen = records(400, (at) => lively(Math.min(at, 99)));
    expect(frozenAt(frozen, { reportsByException: true, channels: {} })).toEqual([]);
  });

  it('allows for a gauge that is slower than the records that carry it', () => {
    const slow = (at: number): number => lively(Math.floor(at / 40));
    expect(frozenAt(records(4000, slow))).toEqual([]);
    expect(frozenAt(records(4000, (at) => slow(Math.min(at, 2000))))[0]).toBe(2000 + 8 * 39);
  });

  it('is no zero: what is off stands there', () => {
    expect(frozenAt(records(1000, (at) => (at < 200 ? lively(at) : 0)))).toEqual([]);
  });

  it('is none while the pump stands', () => {
    const standing = (at: number): Readings => (at < 150 ? running : { drive_frequency: 0, motor_current: 0 });
    expect(frozenAt(records(1000, (at) => lively(Math.min(at, 100)), standing))).toEqual([]);
  });

  it('is no drive frequency: that is set, not measured', () => {
    const run = records(1000, lively, (at) => ({
      motor_current: 40,
      drive_frequency: at < 300 ? 50 + ((at * 7) % 11) * 0.05 : 50,
    }));
    expect(frozenAt(run)).toEqual([]);
  });

  it('has to prove itself anew once it has stood', () => {
    const once = (at: number): number => lively(at < 100 ? at : 99);
    const run = records(1000, (at) => (at < 400 ? once(at) : at < 405 ? 0.3 : 0.301));
    expect(frozenAt(run).at(-1)).toBe(399);
  });

  it('goes by the well: another number, or never', () => {
    const run = records(400, (at) => lively(Math.min(at, 99)));
    expect(frozenAt(run, { channels: { vibration: { frozenAfter: 200 } } })[0]).toBe(299);
    expect(frozenAt(run, { channels: { vibration: { frozenAfter: null } } })).toEqual([]);
  });

  it('sets a flag, and leaves the cause to whatever else is wrong', () => {
    const feed = new RuleFeed();
    feed.feed(records(250, (at) => lively(Math.min(at, 99))));
    const [plain, spike] = feed.feed([
      { at: 250, values: { ...running, vibration: lively(99), discharge_pressure: 2900, intake_pressure: 800 } },
      { at: 251, values: { ...running, vibration: lively(99), discharge_pressure: 700, intake_pressure: 800 } },
    ]);
    expect(plain).toEqual({ cause: CAUSE, flags: ['frozenReading'] });
    expect(spike?.cause).toBe(
      'rate_of_change:discharge_pressure' === spike?.cause ? spike.cause : 'discharge_below_intake',
    );
    expect(spike?.flags).toContain('frozenReading');
  });

  it('is found of any lively channel, however its values go', () => {
    const values = fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 120, maxLength: 200 });
    fc.assert(
      fc.property(values, (noise) => {
        fc.pre(
          noise.filter(
            (value, at) =>
              at > 1 &&
              (value - (noise[at - 1] as number)) * ((noise[at - 1] as number) - (noise[at - 2] as number)) < -4,
          ).length > 24,
        );
        const run = records(noise.length + 130, (at) => 1 + (noise[Math.min(at, noise.length - 1)] as number) / 100);
        const found = frozenAt(run);
        expect(found.at(-1)).toBe(noise.length + 129);
        expect(found.every((at) => at >= noise.length + 100)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});
