/** Episodes do not depend on how the readings were cut into runs, nor on restarts between them. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DeviceEpisodes, type KnownEpisode } from '../../src/episodes/device-episodes.js';
import { EPISODE_DEFAULTS } from '../../src/pipeline/episodes/episode.js';
import type { ConditionName } from '../../src/telemetry/conditions.js';
import { StateWriter } from '../../src/pipeline/state-bytes.js';
import type { ReadingBatch } from '../../src/telemetry/reading-batch.js';
import { HAND_MADE_FAULTS } from '../support/hand-made-faults.js';
import { handMadeTrace } from '../support/hand-made-trace.js';

/** What is stored of an episode, by its start. */
interface Stored {
  readonly lastUs: number;
  readonly isOpen: boolean;
  readonly found: string | undefined;
  readonly anomalous: number;
}
type Store = Map<number, Stored>;

interface Burst {
  readonly at: number;
  readonly rows: number;
}

function traceWith(condition: ConditionName, bursts: readonly Burst[]): ReadingBatch {
  const [fault] = HAND_MADE_FAULTS[condition];
  if (fault === undefined) throw new Error(`no course for ${condition}`);
  const batch = handMadeTrace({
    ...fault,
    intervalSeconds: 10,
    beforeSeconds: 1800,
    duringSeconds: 900,
    afterSeconds: 3600,
  });
  for (const { at, rows } of bursts)
    for (let row = at; row < Math.min(at + rows, batch.length); row++) {
      batch.isAnomaly[row] = 1;
      batch.anomalyScore[row] = 1 + (row % 7);
      batch.anomalyCause[row] = row % 3;
    }
  return batch;
}

/** What takes days: at a reading a quarter of an hour, or one a minute. */
const SLOW = { quarterly: 'ten days, each quarter', minutely: 'three days, each minute' } as const;

function slowTrace(which: keyof typeof SLOW): ReadingBatch {
  const fault = HAND_MADE_FAULTS.scale.find(({ name }) => name === SLOW[which]);
  if (fault === undefined) throw new Error(`no course "${SLOW[which]}"`);
  return handMadeTrace(fault);
}

function store(into: Store, device: DeviceEpisodes): void {
  const { changed, lapsed } = device.take();
  for (const { startUs, lastUs } of lapsed)
    into.set(startUs, { ...(into.get(startUs) as Stored), lastUs, isOpen: false });
  for (const { startUs, episode } of changed)
    into.set(startUs, {
      lastUs: episode.endUs,
      isOpen: episode.isOpen,
      found: episode.ranking[0]?.condition,
      anomalous: episode.anomalousRecords,
    });
}

const knownOf = (stored: Store): KnownEpisode[] =>
  [...stored]
    .toSorted(([a], [b]) => b - a)
    .slice(0, 3)
    .map(([startUs, { lastUs, isOpen }]) => ({ startUs, lastUs, isOpen }));

/** What happens at a cut, once what was found is stored: nothing, or the process dies and has saved its state or has not. */
type AtCut = 'nothing' | 'restart' | 'saved';

/** The device as it is where another process has loaded what this one has saved. */
function restored(saved: Uint8Array): DeviceEpisodes {
  const device = DeviceEpisodes.restored(EPISODE_DEFAULTS, saved);
  if (typeof device === 'string') throw new Error(`not restored: ${device}`);
  return device;
}

/** @param cuts rows before which what was found is stored */
function follow(batch: ReadingBatch, cuts: readonly number[], atCut: AtCut): Store {
  return followed(batch, cuts, atCut).stored;
}

function followed(
  batch: ReadingBatch,
  cuts: readonly number[],
  atCut: AtCut,
): { stored: Store; state: Uint8Array; digest: string } {
  const stored: Store = new Map();
  let device = new DeviceEpisodes(EPISODE_DEFAULTS);
  for (let row = 0; row < batch.length; row++) {
    if (cuts.includes(row)) {
      store(stored, device);
      if (atCut === 'saved') device = restored(device.save());
      if (atCut === 'restart') {
        device = new DeviceEpisodes(EPISODE_DEFAULTS);
        for (let older = 0; older < row; older++) device.add(batch, older);
        device.resume(knownOf(stored), batch.timestampUs[row - 1] as number);
      }
    }
    device.add(batch, row);
  }
  store(stored, device);
  const state = device.save();
  return { stored, state, digest: createHash('sha256').update(state).digest('hex') };
}

/** What a trace is made of, so that a counterexample can be read. */
const traces = fc.record({
  condition: fc.constantFrom<ConditionName>('gas_lock', 'deadhead', 'tubing_leak', 'overload'),
  bursts: fc.array(fc.record({ at: fc.nat(600), rows: fc.integer({ min: 1, max: 60 }) }), { maxLength: 4 }),
});
const cutsOf = fc.uniqueArray(fc.integer({ min: 1, max: 620 }), { minLength: 1, maxLength: 5 });

describe('the episodes of a device', () => {
  it('are the same however its readings are cut into runs', () => {
    fc.assert(
      fc.property(traces, cutsOf, ({ condition, bursts }, cuts) => {
        const batch = traceWith(condition, bursts);
        const whole = follow(batch, [], 'nothing');
        expect(whole.size).toBeGreaterThan(0);
        expect(follow(batch, cuts, 'nothing')).toEqual(whole);
      }),
      { numRuns: 6 },
    );
  });

  it('are the same after restarts anywhere', () => {
    fc.assert(
      fc.property(traces, cutsOf, ({ condition, bursts }, cuts) => {
        const batch = traceWith(condition, bursts);
        expect(follow(batch, cuts, 'restart')).toEqual(follow(batch, [], 'nothing'));
      }),
      { numRuns: 6 },
    );
  });

  it('stay two where the second was found too late to continue the first, and a restart lay between or before', () => {
    const batch = traceWith('gas_lock', []);
    const whole = follow(batch, [], 'nothing');
    const [[, first], [startUs]] = [...whole] as [[number, Stored], [number, Stored]];
    expect(startUs).toBe(first.lastUs);
    // While the first still went on, and after its end.
    for (const sinceEndUs of [-300e6, 300e6]) {
      const cut = batch.timestampUs.findIndex((micros) => micros > first.lastUs + sinceEndUs);
      expect(follow(batch, [cut], 'restart')).toEqual(whole);
    }
  });

  it('are the same, and so is everything that is known, where state is saved and restored anywhere', () => {
    fc.assert(
      fc.property(fc.option(traces), cutsOf, (trace, cuts) => {
        const batch = trace === null ? slowTrace('quarterly') : traceWith(trace.condition, trace.bursts);
        const { stored, digest } = followed(batch, [], 'nothing');
        expect(followed(batch, cuts, 'saved')).toMatchObject({ stored, digest });
      }),
      { numRuns: 8 },
    );
  }, 120_000);

  it('are found over days where the process is never the same for an hour', () => {
    const batch = slowTrace('minutely');
    const hourly = Array.from({ length: batch.length / 60 }, (_, hour) => 60 * (hour + 1));
    const found = [...follow(batch, hourly, 'saved').values()].map((episode) => episode.found);
    expect(found).toContain('scale');
  });

  it('cannot go on from state of another version, nor from a damaged one', () => {
    const batch = traceWith('deadhead', []);
    const { state } = followed(batch, [], 'nothing');
    expect(DeviceEpisodes.restored(EPISODE_DEFAULTS, state.subarray(0, state.length - 1))).toBe('damaged');
    expect(DeviceEpisodes.restored(EPISODE_DEFAULTS, new Uint8Array())).toBe('damaged');
    fc.assert(
      fc.property(fc.nat(state.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const damaged = Uint8Array.from(state, (byte, index) => (index === at ? byte ^ mask : byte));
        expect(DeviceEpisodes.restored(EPISODE_DEFAULTS, damaged)).toBe('damaged');
      }),
      { numRuns: 50 },
    );
    const other = new StateWriter();
    other.count(1);
    expect(DeviceEpisodes.restored(EPISODE_DEFAULTS, other.finish(999))).toBe('version');
    expect(DeviceEpisodes.restored(EPISODE_DEFAULTS, other.finish(2))).toBe('version');
  });

  it('stay the ones that are stored where a new tracker sees them begin at another time', () => {
    const batch = traceWith('deadhead', []);
    const [[startUs, { lastUs }]] = [...follow(batch, [], 'nothing')] as [[number, Stored]];
    const device = new DeviceEpisodes(EPISODE_DEFAULTS);
    const cut = batch.timestampUs.findIndex((micros) => micros > (startUs + lastUs) / 2);
    for (let row = 40; row < cut; row++) device.add(batch, row);
    const earlier = { startUs: startUs - 7e6, lastUs: startUs + 60e6, isOpen: true };
    device.resume([earlier], batch.timestampUs[cut - 1] as number);
    for (let row = cut; row < batch.length; row++) device.add(batch, row);
    const { changed, lapsed } = device.take();
    expect(changed.map((change) => change.startUs)).toEqual([earlier.startUs]);
    expect(lapsed).toEqual([]);
  });

  it('end when they were last seen where a new tracker does not see them at all', () => {
    const batch = traceWith('deadhead', []);
    const device = new DeviceEpisodes(EPISODE_DEFAULTS);
    for (let row = 0; row < 100; row++) device.add(batch, row);
    const stored = { startUs: batch.timestampUs[50] as number, lastUs: batch.timestampUs[90] as number, isOpen: true };
    device.resume([stored], batch.timestampUs[99] as number);
    expect(device.take()).toEqual({ changed: [], lapsed: [stored] });
    expect(device.take()).toEqual({ changed: [], lapsed: [] });
  });
});
