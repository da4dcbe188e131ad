/** Delay, hysteresis and grouping of alerts, for any history of looks. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextState, type AlertState, type Sighting } from '../../src/alerts/alert-state.js';
import { planMessages, type ActiveSilence, type OpenAlert } from '../../src/alerts/plan-messages.js';

const SECOND = 1e6;

interface Look {
  readonly sighting: Sighting;
  /** Since the look before; below zero: the clock was set back. */
  readonly seconds: number;
}

const looks = (least: number): fc.Arbitrary<Look[]> =>
  fc.array(
    fc.record({
      sighting: fc.constantFrom<Sighting>('present', 'lingering', 'absent'),
      seconds: fc.integer({ min: least, max: 200 }),
    }),
    { maxLength: 60 },
  );
const delays = fc
  .record({ forUs: fc.integer({ min: 0, max: 300 }), resolveUs: fc.integer({ min: 0, max: 300 }) })
  .map(({ forUs, resolveUs }) => ({ forUs: forUs * SECOND, resolveUs: resolveUs * SECOND }));

interface Step {
  readonly atUs: number;
  readonly sighting: Sighting;
  readonly before: AlertState | undefined;
  readonly after: AlertState | undefined;
}

/** What is stored between looks is the open alert alone: one that has passed is history. */
function run(history: readonly Look[], times: { forUs: number; resolveUs: number }): Step[] {
  let atUs = 1e15;
  let state: AlertState | undefined;
  return history.map(({ sighting, seconds }) => {
    atUs += seconds * SECOND;
    const before = state;
    const after = nextState(before, sighting, atUs, times);
    state = after?.state === 'resolved' ? undefined : after;
    return { atUs, sighting, before, after };
  });
}

const isRaised = ({ before, after }: Step): boolean => after?.state === 'firing' && before?.state !== 'firing';
const isResolved = ({ after }: Step): boolean => after?.state === 'resolved';

describe('the state of an alert', () => {
  it('is raised after it was present for the delay without a break, and resolved after it was absent for the other', () => {
    fc.assert(
      fc.property(looks(0), delays, (history, times) => {
        const steps = run(history, times);
        steps.forEach((step, index) => {
          const unbroken = (wanted: Sighting): Step[] => {
            const past = steps.slice(0, index + 1).reverse();
            const end = past.findIndex(({ sighting }) => sighting !== wanted);
            return end === -1 ? past : past.slice(0, end);
          };
          if (isRaised(step))
            expect(step.atUs - (unbroken('present').at(-1)?.atUs ?? NaN)).toBeGreaterThanOrEqual(times.forUs);
          if (isResolved(step))
            expect(step.atUs - (unbroken('absent').at(-1)?.atUs ?? NaN)).toBeGreaterThanOrEqual(times.resolveUs);
          // And not later than it should: at the first look at which the delay is over.
          if (step.before?.state === 'pending' && step.sighting === 'present')
            expect(step.after?.state === 'firing').toBe(step.atUs - step.before.seenUs >= times.forUs);
        });
      }),
    );
  });

  it('never changes faster than its delays, also with a clock that is set back: raised and resolved take turns', () => {
    fc.assert(
      fc.property(looks(-200), delays, (history, times) => {
        const turns = run(history, times).filter((step) => isRaised(step) || isResolved(step));
        turns.forEach((turn, index) => {
          expect(isRaised(turn)).toBe(index % 2 === 0);
          const last = turns[index - 1];
          if (last === undefined) return;
          if (isResolved(turn)) expect(turn.after?.endedUs).toBeGreaterThanOrEqual(turn.after?.raisedUs ?? NaN);
        });
      }),
    );
    fc.assert(
      fc.property(looks(0), delays, (history, times) => {
        const turns = run(history, times).filter((step) => isRaised(step) || isResolved(step));
        turns.slice(1).forEach((turn, index) => {
          const gapUs = turn.atUs - (turns[index]?.atUs ?? NaN);
          expect(gapUs).toBeGreaterThanOrEqual(isRaised(turn) ? times.forUs : times.resolveUs);
        });
      }),
    );
  });

  it('stays as it is between the thresholds: a firing one fires, nothing comes up', () => {
    fc.assert(
      fc.property(looks(0), delays, (history, times) => {
        for (const step of run(history, times).filter(({ sighting }) => sighting === 'lingering'))
          expect(step.after?.state).toBe(step.before?.state === 'firing' ? 'firing' : undefined);
      }),
    );
  });
});

describe('the messages', () => {
  const open = (id: number, more: Partial<OpenAlert> = {}): OpenAlert => ({
    id,
    fingerprint: String(id),
    rule: 'device_silent',
    groupKey: 'device_silent site=North',
    severity: 'warning',
    labels: { device: `W-${id}`, site: 'North' },
    summary: '',
    detail: {},
    state: 'firing',
    told: 'nothing',
    toldSeverity: more.told === undefined ? null : 'warning',
    raisedAtUs: 0,
    endedAtUs: null,
    ...more,
  });
  const times = { groupWaitUs: 30 * SECOND, groupIntervalUs: 300 * SECOND, repeatUs: 3600 * SECOND };
  const silence = (more: Partial<ActiveSilence>): ActiveSilence => ({
    id: 1,
    deviceId: null,
    site: null,
    rule: null,
    ...more,
  });

  it('tell each alert once that it fires and once that it has passed, whatever comes when and is silenced', () => {
    const history = fc.array(
      fc.record({
        seconds: fc.integer({ min: 1, max: 400 }),
        turn: fc.integer({ min: 0, max: 4 }),
        silenced: fc.boolean(),
      }),
      { maxLength: 80 },
    );
    fc.assert(
      fc.property(history, (steps) => {
        let atUs = 0;
        let nextId = 1;
        const present = new Map<number, OpenAlert>();
        const all = new Map<number, OpenAlert>();
        const lastTold = new Map<string, number>();
        const told: { id: number; state: string; atUs: number }[] = [];
        const put = (alert: OpenAlert): void => void all.set(alert.id, alert);
        const tell = (silences: ActiveSilence[]): void => {
          const waiting = [...all.values()].filter(
            ({ state, told: said }) => state === 'firing' || said !== 'resolved',
          );
          const plan = planMessages(waiting, silences, lastTold, atUs, { ...times, repeatUs: 0 });
          for (const { groupKey, alerts } of plan.messages) {
            expect(atUs - (lastTold.get(groupKey) ?? -Infinity)).toBeGreaterThanOrEqual(times.groupIntervalUs);
            lastTold.set(groupKey, atUs);
            for (const alert of alerts) {
              if (alert.told !== alert.state) told.push({ id: alert.id, state: alert.state, atUs });
              put({ ...alert, told: alert.state, toldSeverity: alert.severity });
            }
          }
          for (const alert of plan.untold) put({ ...alert, told: 'resolved' });
        };
        for (const { seconds, turn, silenced } of steps) {
          atUs += seconds * SECOND;
          const known = present.get(turn);
          const now = known === undefined ? undefined : all.get(known.id);
          if (now === undefined) {
            const fresh = open(nextId++, { raisedAtUs: atUs });
            present.set(turn, fresh);
            put(fresh);
          } else {
            present.delete(turn);
            put({ ...now, state: 'resolved', endedAtUs: atUs });
          }
          tell(silenced ? [silence({ site: 'North' })] : []);
        }
        atUs += 1000 * SECOND;
        tell([]);
        atUs += 1000 * SECOND;
        tell([]);
        const keys = told.map(({ id, state }) => `${id} ${state}`);
        expect(new Set(keys).size).toBe(keys.length);
        for (const { id, state } of all.values()) {
          const said = told.filter((each) => each.id === id).map((each) => each.state);
          // What came and went before anybody could be told is told as passed, or was within a window and is not.
          expect(state === 'firing' ? [['firing']] : [['firing', 'resolved'], ['resolved'], []]).toContainEqual(said);
        }
      }),
    );
  });

  it('wait for more of a group, and keep their distance', () => {
    const plan = (alerts: OpenAlert[], nowS: number, lastS?: number) =>
      planMessages(
        alerts,
        [],
        new Map(lastS === undefined ? [] : [[alerts[0]?.groupKey ?? '', lastS * SECOND]]),
        nowS * SECOND,
        times,
      ).messages.map((message) => message.alerts.map(({ id }) => id));
    const many = [open(1), open(2, { raisedAtUs: 20 * SECOND }), open(3, { groupKey: 'device_silent site=South' })];
    expect(plan(many, 29)).toEqual([]);
    expect(plan(many, 30)).toEqual([[1, 2], [3]]);
    expect(plan([open(1, { told: 'firing' }), open(2, { raisedAtUs: 100 * SECOND })], 200, 0)).toEqual([]);
    expect(plan([open(1, { told: 'firing' }), open(2, { raisedAtUs: 100 * SECOND })], 300, 0)).toEqual([[1, 2]]);
    // Nothing new: again after the repeat interval.
    expect(plan([open(1, { told: 'firing' })], 3599, 0)).toEqual([]);
    expect(plan([open(1, { told: 'firing' })], 3600, 0)).toEqual([[1]]);
  });

  it('tell once more of an alert that is graver by now, or less grave, as soon as the distance allows', () => {
    const grave = open(1, { told: 'firing', severity: 'critical' });
    const due = (alert: OpenAlert, nowS: number): number =>
      planMessages([alert], [], new Map([[alert.groupKey, 0]]), nowS * SECOND, { ...times, repeatUs: 0 }).messages
        .length;
    expect([due(grave, 299), due(grave, 300)]).toEqual([0, 1]);
    expect(due({ ...grave, toldSeverity: 'critical' }, 300)).toBe(0);
    expect(due({ ...grave, severity: 'warning', toldSeverity: 'critical' }, 300)).toBe(1);
    // What has passed and was told so is over, however grave it was.
    expect(due({ ...grave, state: 'resolved', told: 'resolved', endedAtUs: 0 }, 300)).toBe(0);
    const { silenced } = planMessages([grave], [silence({})], new Map(), 60 * SECOND, times);
    expect(silenced).toHaveLength(1);
  });

  it('leave out what a maintenance window covers, and tell it once that is over', () => {
    const alerts = [
      open(1),
      open(2, { labels: { device: 'W-2', site: 'South' }, groupKey: 'device_silent site=South' }),
    ];
    const idsWith = (silences: ActiveSilence[]) => {
      const { messages, silenced } = planMessages(alerts, silences, new Map(), 60 * SECOND, times);
      return [messages.flatMap((message) => message.alerts.map(({ id }) => id)), silenced.map(({ alert }) => alert.id)];
    };
    expect(idsWith([])).toEqual([[1, 2], []]);
    expect(idsWith([silence({})])).toEqual([[], [1, 2]]);
    expect(idsWith([silence({ site: 'South' })])).toEqual([[1], [2]]);
    expect(idsWith([silence({ deviceId: 'W-1' })])).toEqual([[2], [1]]);
    expect(idsWith([silence({ deviceId: 'W-1', rule: 'quality_low' })])).toEqual([[1, 2], []]);
    // That what was told has passed is told all the same.
    const passed = open(3, { state: 'resolved', told: 'firing', endedAtUs: 0 });
    expect(planMessages([passed], [silence({})], new Map(), 60 * SECOND, times).messages).toHaveLength(1);
  });
});
