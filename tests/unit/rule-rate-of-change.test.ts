/** Rate of change: what moves faster than a process can, through the evaluator. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RuleProfile } from '../../src/telemetry/rule-profile.js';
import { causesAt, RuleFeed, type Readings, type TimedReadings } from '../support/rule-feed.js';

const running: Readings = { drive_frequency: 50, motor_current: 40 };

/** Causes of a run of temperatures, each `[seconds, °C]`. The limit is 2 °C/s unless the profile says otherwise. */
function temperatures(points: readonly (readonly [number, number | null])[], rules?: RuleProfile): string[] {
  const records = points.map(([at, temperature]) => ({
    at,
    values: temperature === null ? running : { ...running, temperature },
  }));
  return causesAt(records, new RuleFeed(rules === undefined ? {} : { rules }).feed(records));
}
const FAST = 'rate_of_change:temperature';

describe('rate of change', () => {
  it('is exceeded above the limit, and not at it', () => {
    expect(
      temperatures([
        [0, 80],
        [1, 82],
        [2, 84.01],
        [3, 84],
      ]),
    ).toEqual([`2: ${FAST}`]);
  });

  it('is a rate per time: the same difference over a longer interval is none', () => {
    expect(
      temperatures([
        [0, 80],
        [10, 100],
        [40, 160],
      ]),
    ).toEqual([]);
    expect(
      temperatures([
        [0, 80],
        [10, 100.5],
      ]),
    ).toEqual([`10: ${FAST}`]);
  });

  it('calls a single spike once: the next value is compared with the last that was believed', () => {
    expect(
      temperatures([
        [0, 80],
        [1, 150],
        [2, 80.1],
        [3, 80],
      ]),
    ).toEqual([`1: ${FAST}`]);
    expect(
      temperatures([
        [0, 80],
        [1, 0],
        [2, 150],
        [3, 80],
      ]),
    ).toEqual([`1: ${FAST}`, `2: ${FAST}`]);
  });

  it('believes a step once the next record confirms it, even an equal one', () => {
    expect(
      temperatures([
        [0, 80],
        [1, 100],
        [2, 101],
        [3, 100],
      ]),
    ).toEqual([`1: ${FAST}`]);
    expect(
      temperatures([
        [0, 80],
        [1, 100],
        [2, 100],
        [3, 100.5],
      ]),
    ).toEqual([`1: ${FAST}`]);
  });

  it('takes noise between records of one moment for noise, not for a rate', () => {
    expect(
      temperatures([
        [0, 80],
        [0.01, 81.9],
        [0.02, 80.1],
        [0.03, 82],
      ]),
    ).toEqual([]);
  });

  it('compares nothing across a gap', () => {
    const slow: RuleProfile = { channels: { temperature: { ratePerSecond: 0.01 } } };
    expect(
      temperatures(
        [
          [0, 80],
          [300, 90],
        ],
        slow,
      ),
    ).toEqual([`300: ${FAST}`]);
    expect(
      temperatures(
        [
          [0, 80],
          [300.001, 90],
        ],
        slow,
      ),
    ).toEqual([]);
    // The gap is that of the channel: other records in between do not bridge it.
    expect(
      temperatures(
        [
          [0, 80],
          [150, null],
          [299, null],
          [301, 90],
        ],
        slow,
      ),
    ).toEqual([]);
    expect(
      temperatures(
        [
          [0, 80],
          [150, null],
          [299, 90],
        ],
        slow,
      ),
    ).toEqual([`299: ${FAST}`]);
  });

  it('knows when a channel was reported last, whatever was reported since', () => {
    // 10 °C within 10 s, of which nine brought no temperature.
    const points: [number, number | null][] = [
      [0, 80],
      ...Array.from({ length: 9 }, (_, i): [number, null] => [i + 1, null]),
      [10, 90],
    ];
    expect(temperatures(points)).toEqual([]);
    expect(
      temperatures([
        [0, 80],
        [1, null],
        [2, null],
        [3, 90],
      ]),
    ).toEqual([`3: ${FAST}`]);
  });

  it('does not judge two reports of one instant against each other, nor a repetition', () => {
    const records: TimedReadings[] = [
      { at: 0, values: { ...running, temperature: 80 } },
      { at: 1, values: running },
      { at: 1, values: { temperature: 81 } },
      { at: 1, values: { ...running, temperature: 120 } },
      { at: 2, values: { ...running, temperature: 82 } },
    ];
    expect(causesAt(records, new RuleFeed().feed(records))).toEqual([]);
  });

  it('is mute while the pump stands, starts or changes its speed, and compares nothing with what was before', () => {
    const frequency = (at: number): number => (at < 10 ? 50 : at < 20 ? 0 : at < 200 ? 50 : 55);
    const records = Array.from({ length: 300 }, (_, at) => {
      const values = { drive_frequency: frequency(at), motor_current: frequency(at) === 0 ? 0 : 40 };
      // Jumps as it stops, as it starts, during the start, and as the speed changes.
      return {
        at,
        values: { ...values, temperature: at < 10 ? 80 : at < 20 ? 20 : at < 100 ? 120 : at < 205 ? 60 : 100 },
      };
    });
    expect(causesAt(records, new RuleFeed().feed(records))).toEqual([]);
    // Running again for sixty seconds after the change of speed, it is judged.
    const later = [{ at: 300, values: { drive_frequency: 55, motor_current: 40, temperature: 150 } }];
    const feed = new RuleFeed();
    feed.feed(records);
    expect(causesAt(later, feed.feed(later))).toEqual([`300: ${FAST}`]);
  });

  it('sets a flag beside the cause, and costs no quality', () => {
    const [, spike] = new RuleFeed().feed([
      { at: 0, values: { ...running, temperature: 80 } },
      { at: 1, values: { ...running, temperature: 150 } },
    ]);
    expect(spike).toEqual({ cause: FAST, flags: ['rateOfChange'] });
  });

  it('goes by the well: its own limit, none, and the rated values', () => {
    expect(
      temperatures(
        [
          [0, 80],
          [1, 84],
        ],
        { channels: { temperature: { ratePerSecond: 5 } } },
      ),
    ).toEqual([]);
    expect(
      temperatures(
        [
          [0, 80],
          [1, 190],
        ],
        { channels: { temperature: { ratePerSecond: null } } },
      ),
    ).toEqual([]);
    const currents = (rules?: RuleProfile): string[] => {
      const records = [40, 190].map((motor_current, at) => ({ at, values: { drive_frequency: 50, motor_current } }));
      return causesAt(records, new RuleFeed(rules === undefined ? {} : { rules }).feed(records));
    };
    expect(currents()).toEqual([]);
    expect(currents({ ratedCurrentA: 40, channels: {} })).toEqual(['1: rate_of_change:motor_current']);
    expect(currents({ ratedCurrentA: 50, channels: {} })).toEqual([]);
    expect(currents({ ratedCurrentA: 40, channels: { motor_current: { ratePerSecond: 200 } } })).toEqual([]);
    const speeds = [3000, 0].map((rpm, at) => ({ at, values: { motor_current: 40, drive_frequency: 50, rpm } }));
    expect(causesAt(speeds, new RuleFeed({ rules: { ratedFrequencyHz: 49, channels: {} } }).feed(speeds))).toEqual([
      '1: rate_of_change:rpm',
    ]);
    expect(causesAt(speeds, new RuleFeed({ rules: { ratedFrequencyHz: 50, channels: {} } }).feed(speeds))).toEqual([]);
  });

  it('never calls what stays within the limit, at any sampling', () => {
    const step = fc.record({
      seconds: fc.double({ min: 0.001, max: 250, noNaN: true }),
      share: fc.double({ min: -0.99, max: 0.99, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        let [at, temperature] = [0, 80];
        const points = steps.map(({ seconds, share }): [number, number] => {
          at += seconds;
          temperature = Math.min(200, Math.max(-50, temperature + 2 * share * seconds));
          return [at, temperature];
        });
        expect(temperatures(points)).toEqual([]);
      }),
    );
  });

  it('calls every lone spike exactly once', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 2, max: 12 }), { minLength: 1, maxLength: 8 }),
        fc.constantFrom(-50, 0, 120, 200),
        (gaps, away) => {
          const spikes = gaps.map(
            (
              (at) => (gap: number) =>
                (at += gap)
            )(0),
          );
          const points = Array.from({ length: (spikes.at(-1) as number) + 3 }, (_, at): [number, number] => [
            at,
            spikes.includes(at) ? away : 80 + (at % 3) * 0.1,
          ]);
          expect(temperatures(points)).toEqual(spikes.map((at) => `${at}: ${FAST}`));
        },
      ),
    );
  });
});
