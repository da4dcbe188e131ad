/** The parts `rated` and `rules` of a profile: taken over, or said to be wrong with field, value and remedy. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { storedDetection } from '../../src/storage/stored-detection.js';
import { storedLimits } from '../../src/storage/stored-limits.js';
import { storedRules } from '../../src/storage/stored-rules.js';

describe('a profile for the rules', () => {
  it('is taken over', () => {
    const profile = {
      rated: { currentA: 48, frequencyHz: 50 },
      rules: {
        channels: { vibration: { ratePerSecond: 1.5, frozenAfter: null }, temperature: { ratePerSecond: null } },
      },
    };
    expect(storedRules(profile, 'periodic')).toEqual({
      rules: {
        ratedCurrentA: 48,
        ratedFrequencyHz: 50,
        channels: { vibration: { ratePerSecond: 1.5, frozenAfter: null }, temperature: { ratePerSecond: null } },
      },
      problems: [],
    });
  });

  it.each([null, undefined, {}, { limits: { temperature: { max: 120 } } }, { rated: {}, rules: { channels: {} } }])(
    'that says nothing leaves the defaults: %j',
    (profile) => {
      expect(storedRules(profile, 'periodic')).toEqual({ rules: undefined, problems: [] });
    },
  );

  it('knows who reports by exception', () => {
    expect(storedRules(null, 'by_exception').rules).toEqual({ reportsByException: true, channels: {} });
  });

  it.each([
    [
      { rated: { currentA: '48' } },
      /^rated\.currentA is "48": it has to be a number from 1 to 1000 \(A\); the default/,
    ],
    [{ rated: { currentA: 0 } }, /^rated\.currentA is 0: it has to be a number from 1 to 1000/],
    [{ rated: { frequencyHz: 3000 } }, /^rated\.frequencyHz is 3000: .* from 10 to 400 \(Hz\)/],
    [{ rated: { currentA: null } }, /^rated\.currentA is null: it has to be a number/],
    [{ rated: { curentA: 48 } }, /^rated\.curentA is 48: there is no such field, is it meant to be currentA\?$/],
    [{ rated: 48 }, /^rated is 48: it has to be an object with currentA, frequencyHz/],
    [
      { rules: { channels: { vibration: { ratePerSecond: 0 } } } },
      /^rules\.channels\.vibration\.ratePerSecond is 0: .* above 0 and up to 50 \(g per second\), or null to switch it off/,
    ],
    [
      { rules: { channels: { vibration: { frozenAfter: 12 } } } },
      /^rules\.channels\.vibration\.frozenAfter is 12: .* a whole number from 30 to 1000000/,
    ],
    [
      { rules: { channels: { vibration: { frozenAfter: 120.5 } } } },
      /frozenAfter is 120\.5: it has to be a whole number/,
    ],
    [
      { rules: { channels: { vibratoin: {} } } },
      /^rules\.channels\.vibratoin is \{\}: .* is it meant to be vibration\?$/,
    ],
    [{ rules: { frozenAfter: 100 } }, /^rules\.frozenAfter is 100: there is no such field, it may have channels$/],
    [{ rules: [] }, /^rules is \[\]: it has to be an object/],
  ])('says what is wrong with %j, and keeps the default', (profile, problem) => {
    const { rules, problems } = storedRules(profile, 'periodic');
    expect(rules).toBeUndefined();
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(problem);
  });

  it('takes what is right beside what is wrong', () => {
    const { rules, problems } = storedRules({ rated: { currentA: 48, frequencyHz: 'fifty' } }, 'periodic');
    expect(rules).toEqual({ ratedCurrentA: 48, channels: {} });
    expect(problems).toHaveLength(1);
  });

  it('stops for nothing that JSON can hold', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), fc.jsonValue(), (rated, rules, channels) => {
        for (const profile of [
          rated,
          { rated, rules },
          { rules: { channels } },
          { rules: { channels: { rpm: channels } } },
        ])
          for (const problem of storedRules(profile, 'periodic').problems) expect(problem.length).toBeLessThan(400);
      }),
    );
  });
});

describe('the other parts of a profile', () => {
  it('say what is wrong with them in the same words', () => {
    const problems: string[] = [];
    const detection = { sensitivity: 100, channels: { flow_rate: { weight: -1, leastShift: 0.05 }, rpm: 3, flow: {} } };
    expect(storedDetection(detection, problems)).toEqual({ channels: { flow_rate: { leastShift: 0.05 } } });
    expect(
      storedLimits({ temperature: { max: '120' }, vibration: { min: 2, max: 1 }, rpm: { max: null } }, problems),
    ).toEqual({});
    expect(problems.map((problem) => problem.replace(/: .*/, ''))).toEqual([
      'detection.sensitivity is 100',
      'detection.channels.flow is {}',
      'detection.channels.flow_rate.weight is -1',
      'detection.channels.rpm is 3',
      'limits.temperature.max is "120"',
      'limits.vibration leaves no value',
    ]);
  });

  it('are taken over where they are right', () => {
    const problems: string[] = [];
    const detection = {
      sensitivity: 1.5,
      channels: { flow_rate: { weight: 0 }, intake_pressure: { leastShift: 0.05 } },
    };
    expect(storedDetection(detection, problems)).toEqual(detection);
    expect(storedDetection(undefined, problems)).toBeUndefined();
    expect(storedLimits({ temperature: { max: 120 } }, problems)).toEqual({ temperature: { min: -50, max: 120 } });
    expect(problems).toEqual([]);
  });
});
