import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { random } from '../../benchmarks/random.js';
import type { DetectorState } from '../../src/pipeline/detection/detector.js';
import { LevelShiftDetector } from '../../src/pipeline/detection/level-shift-detector.js';
import { LEVEL_SHIFT_DEFAULTS } from '../../src/pipeline/detection/level-shift-parameters.js';
import { ReadingWatch } from '../../src/pipeline/rules/reading-watch.js';
import { channel, type ChannelName } from '../../src/telemetry/channels.js';
import { OperatingState } from '../../src/telemetry/operating-state.js';
import { feed, type FedRecord, type Values, type Verdict } from '../support/detector-feed.js';

const START = 1_795_458_128;
const LEVELS: Values = {
  temperature: 80,
  vibration: 0.2,
  pressure: 500,
  flow_rate: 1500,
  motor_current: 42,
  intake_pressure: 800,
  discharge_pressure: 2500,
};

interface Run {
  readonly seconds: number;
  readonly every?: number;
  readonly seed?: number;
  /** Changes the values of a record, given the seconds since the start. */
  readonly change?: (values: Record<string, number>, second: number) => void;
  readonly state?: (second: number) => OperatingState;
}

/** A pump whose channels hover about their levels, 0.5 % up and down. */
function records({ seconds, every = 1, seed = 1, change, state }: Run): FedRecord[] {
  const next = random(seed);
  return Array.from({ length: Math.floor(seconds / every) }, (_, index) => {
    const second = index * every;
    const values: Record<string, number> = {};
    for (const [name, level] of Object.entries(LEVELS)) values[name] = (level as number) * (1 + 0.01 * (next() - 0.5));
    change?.(values, second);
    return { at: START + second, values, state: state?.(second) ?? OperatingState.running };
  });
}

const anomalies = (verdicts: readonly Verdict[]): number[] =>
  verdicts.flatMap(({ isAnomaly }, index) => (isAnomaly ? [index] : []));
const scale =
  (name: ChannelName, factor: number, from: number, to = Infinity): NonNullable<Run['change']> =>
  (values, second) => {
    if (second >= from && second < to) values[name] = (values[name] as number) * factor;
  };

describe('level shift', () => {
  it('judges nothing before it knows the pump, and calls noise nothing', () => {
    const verdicts = feed(new LevelShiftDetector(), records({ seconds: 7200 }));
    expect(verdicts.slice(0, LEVEL_SHIFT_DEFAULTS.warmUpSeconds).every(({ score }) => Number.isNaN(score))).toBe(true);
    expect(verdicts.slice(LEVEL_SHIFT_DEFAULTS.warmUpSeconds + 2).every(({ score }) => score >= 0)).toBe(true);
    expect(anomalies(verdicts)).toEqual([]);
  });

  it.each(['flow_rate', 'intake_pressure', 'discharge_pressure', 'vibration', 'motor_current'] as const)(
    'finds a step of %s, names it, and ends when the level is back',
    (name) => {
      const run = records({ seconds: 2400, change: scale(name, 1.25, 1000, 1600) });
      const found = feed(new LevelShiftDetector(), run);
      const alarms = anomalies(found);
      expect(alarms[0]).toBeGreaterThanOrEqual(1000);
      expect(alarms[0]).toBeLessThan(1010);
      expect(alarms.at(-1)).toBeLessThan(1640);
      expect(alarms.filter((second) => second >= 1000 && second < 1600).length).toBeGreaterThan(580);
      expect(found[1100]).toMatchObject({ isAnomaly: true, cause: channel(name).index });
    },
  );

  it('finds a small step in minutes that the noise of single values hides', () => {
    const found = anomalies(
      feed(new LevelShiftDetector(), records({ seconds: 2000, change: scale('flow_rate', 0.97, 1000) })),
    );
    expect(found[0]).toBeGreaterThanOrEqual(1000);
    expect(found[0]).toBeLessThan(1100);
  });

  it('finds a slow closure before it has ended', () => {
    const found = anomalies(
      feed(
        new LevelShiftDetector(),
        records({
          seconds: 2000,
          change: (values, second) => {
            const share = Math.min(Math.max((second - 1000) / 300, 0), 1);
            values['flow_rate'] = (values['flow_rate'] as number) * (1 - 0.3 * share);
          },
        }),
      ),
    );
    expect(found[0]).toBeGreaterThanOrEqual(1000);
    expect(found[0]).toBeLessThan(1080);
  });

  it('takes a level that lasts for the new normal', () => {
    const { longestSeconds, settleSeconds } = LEVEL_SHIFT_DEFAULTS;
    const verdicts = feed(new LevelShiftDetector(), records({ seconds: 6000, change: scale('flow_rate', 0.8, 1000) }));
    expect(anomalies(verdicts).at(-1)).toBeLessThan(1000 + longestSeconds + settleSeconds + 60);
  });

  it('calls nothing that goes back to where it was before the last anomaly', () => {
    const run = records({ seconds: 6000, change: scale('flow_rate', 0.8, 1000, 3000) });
    const alarms = anomalies(feed(new LevelShiftDetector(), run));
    expect(alarms[0]).toBeLessThan(1010);
    expect(alarms.at(-1)).toBeLessThan(2990);
  });

  it.each([
    ['far past it', 1.4, 1],
    ['somewhat past it', 1.15, LEVEL_SHIFT_DEFAULTS.returnSettleSeconds],
    ['the other way', 0.6, 1],
  ])('calls what goes %s an anomaly', (_, factor, withinSeconds) => {
    const run = records({
      seconds: 6000,
      change: (values, second) => {
        scale('flow_rate', 0.8, 1000, 3000)(values, second);
        scale('flow_rate', factor, 3000)(values, second);
      },
    });
    const later = anomalies(feed(new LevelShiftDetector(), run)).filter((second) => second >= 2990);
    expect(later[0]).toBeGreaterThanOrEqual(3000);
    expect(later[0]).toBeLessThan(3010 + withinSeconds);
  });

  it('forgets where it was after a while: then going there is an anomaly again', () => {
    const { returnSeconds, longestSeconds, settleSeconds } = LEVEL_SHIFT_DEFAULTS;
    const backAt = 1000 + longestSeconds + settleSeconds + returnSeconds + 60;
    const run = records({ seconds: backAt + 300, change: scale('flow_rate', 0.8, 1000, backAt) });
    expect(anomalies(feed(new LevelShiftDetector(), run)).some((second) => second >= backAt)).toBe(true);
  });

  it('has the level where a recording stays that begins with a start', () => {
    for (const until of [60, 150, 300]) {
      const run = records({ seconds: 3000, change: scale('flow_rate', 0.2, 0, until) });
      expect(anomalies(feed(new LevelShiftDetector(), run))).toEqual([]);
    }
  });

  it('calls no start after a pause an anomaly, nor the way back to the level from before', () => {
    const run = records({ seconds: 6000, change: scale('flow_rate', 0.2, 4000, 4120) });
    const paused = run.filter((_, second) => second < 3000 || second >= 4000);
    expect(anomalies(feed(new LevelShiftDetector(), paused))).toEqual([]);
  });

  it('counts several channels that move together for more than one', () => {
    const slight = (names: readonly ChannelName[]): number[] =>
      anomalies(
        feed(
          new LevelShiftDetector(),
          records({
            seconds: 2000,
            change: (values, second) => names.forEach((name) => scale(name, 1.047, 1000)(values, second)),
          }),
        ),
      );
    expect(slight(['intake_pressure'])).toEqual([]);
    expect(slight(['discharge_pressure'])).toEqual([]);
    expect(slight(['intake_pressure', 'discharge_pressure']).length).toBeGreaterThan(0);
  });

  it('sets a single spike aside', () => {
    const spiked = records({
      seconds: 3000,
      change: (values, second) => {
        if (second > 400 && second % 97 === 0) values['flow_rate'] = (second % 2) * 9000;
        if (second > 400 && second % 131 === 0) values['intake_pressure'] = 5000;
      },
    });
    expect(anomalies(feed(new LevelShiftDetector(), spiked))).toEqual([]);
  });

  it('bears missing values: silence of channels neither alarms nor ends an alarm', () => {
    const next = random(7);
    const holes = records({
      seconds: 2600,
      change: (values, second) => {
        scale('flow_rate', 0.8, 1400, 2000)(values, second);
        for (const name of Object.keys(values)) if (next() < 0.2) delete values[name];
      },
    });
    const alarms = anomalies(feed(new LevelShiftDetector(), holes));
    expect(alarms[0]).toBeGreaterThanOrEqual(1400);
    expect(alarms.length).toBeGreaterThan(580);
    expect(alarms.at(-1)).toBeLessThan(2040);
  });

  it('judges two reports of one instant, gauge and drive apart', () => {
    const apart = records({ seconds: 2000, change: scale('intake_pressure', 1.2, 1000) }).flatMap(({ at, values }) => [
      { at, values: { intake_pressure: values.intake_pressure as number, temperature: values.temperature as number } },
      { at, values: { motor_current: values.motor_current as number } },
    ]);
    const alarms = anomalies(feed(new LevelShiftDetector(), apart));
    expect(alarms[0]).toBeGreaterThanOrEqual(2000);
    expect(alarms[0]).toBeLessThan(2030);
  });
});

describe('sampling', () => {
  it.each([1, 5, 30, 60, 300, 1200])('works at one record in %d s', (every) => {
    const shiftAt = 1000 * every;
    const run = records({
      seconds: 1060 * every,
      every,
      change: scale('flow_rate', 0.8, shiftAt, shiftAt + 18 * every),
    });
    const alarms = anomalies(feed(new LevelShiftDetector(), run));
    expect(alarms[0]).toBeGreaterThanOrEqual(1000);
    expect(alarms[0]).toBeLessThan(1006);
  });

  it('does not mind irregular intervals', () => {
    const next = random(3);
    let at = START;
    const run = records({ seconds: 3000, change: scale('flow_rate', 0.8, 2000) }).map((record) => {
      at += next() < 0.1 ? 45 : 1 + Math.floor(next() * 10);
      return { ...record, at };
    });
    const alarms = anomalies(feed(new LevelShiftDetector(), run));
    expect(alarms[0]).toBeGreaterThanOrEqual(2000);
    expect(alarms[0]).toBeLessThan(2010);
  });

  it('does not call the step of a coarse channel a shift', () => {
    const coarse = records({
      seconds: 20_000,
      change: (values, second) => {
        values['vibration'] = second % 5000 < 2500 ? 0.05 : 0.06;
        values['temperature'] = 80 + Math.floor((second % 9000) / 3000);
      },
    });
    expect(anomalies(feed(new LevelShiftDetector(), coarse))).toEqual([]);
  });

  it('leaves a frozen channel out until it moves again', () => {
    const frozen = records({
      seconds: 2000,
      change: (values, second) => {
        if (second >= 1000 && second < 1500) values['flow_rate'] = 1507;
      },
    });
    const detector = new LevelShiftDetector();
    const watch = new ReadingWatch();
    expect(anomalies(feed(detector, frozen.slice(0, 1300), watch))).toEqual([]);
    expect(watch.frozen).toBe(1 << channel('flow_rate').index);
    expect(anomalies(feed(detector, frozen.slice(1300), watch))).toEqual([]);
    expect(watch.frozen).toBe(0);
  });
});

describe('operation', () => {
  const { off, starting, running, transient } = OperatingState;

  it('judges nothing while the pump stands, starts or changes speed, and takes the level it comes to', () => {
    const run = records({
      seconds: 4000,
      state: (second) =>
        second < 1000
          ? running
          : second < 1500
            ? off
            : second < 1620
              ? starting
              : second >= 2500 && second < 2560
                ? transient
                : running,
      change: (values, second) => {
        if (second >= 1000 && second < 1500) values['flow_rate'] = values['motor_current'] = 0;
        if (second >= 1500) values['flow_rate'] = (values['flow_rate'] as number) * 0.8;
        if (second >= 2500) values['motor_current'] = (values['motor_current'] as number) * 1.3;
      },
    });
    const verdicts = feed(new LevelShiftDetector(), run);
    expect(anomalies(verdicts)).toEqual([]);
    expect(verdicts.slice(1000, 1620).every(({ score }) => Number.isNaN(score))).toBe(true);
    expect(verdicts.slice(2500, 2560).every(({ score }) => Number.isNaN(score))).toBe(true);
  });

  it('learns nothing while the pump stands', () => {
    const run = records({ seconds: 1000 });
    const detector = new LevelShiftDetector();
    feed(detector, run);
    const levels = (): unknown => detector.snapshot(0)?.['numbers'];
    const before = Buffer.from(levels() as string, 'base64');
    feed(detector, [
      { at: START + 1000, values: { flow_rate: 0 }, state: off },
      { at: START + 1001, values: { flow_rate: 0 }, state: off },
    ]);
    const after = Buffer.from(levels() as string, 'base64');
    expect(after.subarray(16 * 8)).toEqual(before.subarray(16 * 8));
  });

  it('compares at one speed: what the affinity laws explain is no anomaly', () => {
    const hz = (second: number): number => 50 + 0.9 * Math.sin(second / 300);
    const drifting = (isKnown: boolean): FedRecord[] =>
      records({
        seconds: 6000,
        change: (values, second) => {
          const share = hz(second) / 50;
          values['flow_rate'] = (values['flow_rate'] as number) * share;
          const intake = values['intake_pressure'] as number;
          values['discharge_pressure'] = intake + ((values['discharge_pressure'] as number) - intake) * share * share;
          values['motor_current'] = (values['motor_current'] as number) * share * share;
          if (isKnown) values['drive_frequency'] = hz(second);
        },
      });
    const worst = (verdicts: readonly Verdict[]): number =>
      Math.max(...verdicts.slice(400).map(({ score }) => (Number.isNaN(score) ? 0 : score)));
    const known = worst(feed(new LevelShiftDetector(), drifting(true)));
    expect(known).toBeLessThan(1);
    expect(worst(feed(new LevelShiftDetector(), drifting(false)))).toBeGreaterThan(1.3 * known);
  });

  it('follows the profile of the well', () => {
    const run = records({ seconds: 1400, change: scale('flow_rate', 0.9, 1000) });
    const deaf = new LevelShiftDetector();
    deaf.reserve(1);
    deaf.setProfile(0, { channels: { flow_rate: { weight: 0 } } });
    expect(anomalies(feed(deaf, run))).toEqual([]);
    const patient = new LevelShiftDetector();
    patient.setProfile(0, { channels: { flow_rate: { leastShift: 0.2 } } });
    expect(anomalies(feed(patient, run))).toEqual([]);
    const hearing = new LevelShiftDetector();
    hearing.setProfile(0, { channels: { flow_rate: { weight: 0 } } });
    hearing.setProfile(0, undefined);
    expect(anomalies(feed(hearing, run))).not.toEqual([]);
  });
});

describe('memory', () => {
  const value = fc.option(fc.double({ min: 0, max: 3000, noNaN: true }), { nil: undefined });
  interface Step extends Values {
    readonly gap: number;
    readonly state: OperatingState;
  }
  const step: fc.Arbitrary<Step> = fc.record({
    gap: fc.constantFrom(0, 1, 1, 1, 2, 30, 4000),
    state: fc.constantFrom<OperatingState>(0, 1, 2, 3, 3, 3, 3, 4),
    flow_rate: value,
    temperature: value,
    intake_pressure: value,
    drive_frequency: fc.constantFrom(undefined, 0, 45, 50),
  });
  const recordsOf = (steps: readonly Step[], from: number): FedRecord[] => {
    let at = from;
    return steps.map(({ gap, state, ...values }) => {
      at += gap;
      return { at, state, values };
    });
  };
  /** Knows its pump, so that everything in it is at work. */
  const known = records({ seconds: 420 });
  const teacher = new LevelShiftDetector();
  feed(teacher, known);
  const saved = teacher.snapshot(0) as DetectorState;
  const taught = (): LevelShiftDetector => restored(saved);
  const restored = (state: DetectorState): LevelShiftDetector => {
    const detector = new LevelShiftDetector();
    detector.reserve(1);
    detector.restore(0, JSON.parse(JSON.stringify(state)) as DetectorState);
    return detector;
  };

  it('goes on bit by bit where a saved state left off, wherever it is saved', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), fc.nat(), (steps, cut) => {
        const all = recordsOf(steps, START + 420);
        const whole = taught();
        const expected = feed(whole, all);
        const at = cut % all.length;
        const first = taught();
        const before = feed(first, all.slice(0, at));
        const second = restored(first.snapshot(0) as DetectorState);
        expect([...before, ...feed(second, all.slice(at))]).toEqual(expected);
        expect(second.snapshot(0)).toEqual(whole.snapshot(0));
      }),
    );
  });

  it('goes on so from the first record on', () => {
    const all = known.slice(0, 60);
    const whole = new LevelShiftDetector();
    feed(whole, all);
    for (const at of [1, 2, 31, 59]) {
      const first = new LevelShiftDetector();
      feed(first, all.slice(0, at));
      const second = restored(first.snapshot(0) as DetectorState);
      feed(second, all.slice(at));
      expect(second.snapshot(0)).toEqual(whole.snapshot(0));
    }
  });

  it('judges a device alike whatever other devices do in between', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), fc.infiniteStream(fc.nat(3)), (steps, pick) => {
        const mine = recordsOf(steps, START + 420);
        const alone = feed(taught(), mine);
        const mixed: FedRecord[] = [];
        for (const record of mine) {
          for (let others = pick.next().value as number; others > 0; others--)
            mixed.push({ ...record, device: others, values: { flow_rate: 100 * others }, at: record.at + others / 7 });
          mixed.push(record);
        }
        const together = feed(taught(), mixed);
        expect(together.filter((_, index) => mixed[index]?.device === undefined)).toEqual(alone);
      }),
    );
  });

  it('learns nothing twice when the last record comes again', () => {
    const detector = taught();
    feed(detector, known.slice(-1));
    expect(detector.snapshot(0)).toEqual(saved);
  });

  it('does not take over what other parameters, another version or nobody has saved', () => {
    const other = new LevelShiftDetector({ ...LEVEL_SHIFT_DEFAULTS, slowSeconds: 900 });
    other.reserve(1);
    other.restore(0, saved);
    expect(other.snapshot(0)).toBeUndefined();
    expect(restored(saved).snapshot(0)).toEqual(saved);
    expect(restored({ ...saved, version: 99 }).snapshot(0)).toBeUndefined();
    expect(restored({ ...saved, numbers: 'AAAA' }).snapshot(0)).toBeUndefined();
    expect(restored({ ...saved, channels: 0 }).snapshot(0)).toBeUndefined();
  });

  it('forgets', () => {
    const detector = taught();
    detector.forget(0);
    expect(detector.snapshot(0)).toBeUndefined();
  });
});
