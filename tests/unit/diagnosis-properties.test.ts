/** What holds for every diagnosis, whatever the well: size, order and noise do not decide. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BucketHistory } from '../../src/pipeline/diagnosis/bucket-history.js';
import { diagnose, type Diagnosis } from '../../src/pipeline/diagnosis/diagnose.js';
import { createReference, frequencyOf } from '../../src/pipeline/diagnosis/reference.js';
import { symptomsOf } from '../../src/pipeline/diagnosis/symptoms.js';
import { CHANNEL_COUNT, CHANNELS } from '../../src/telemetry/channels.js';
import type { ConditionName } from '../../src/telemetry/conditions.js';
import { OperatingState } from '../../src/telemetry/operating-state.js';
import { HAND_MADE_FAULTS } from '../support/hand-made-faults.js';
import { handMadeTrace, ONSET_US, type TraceSpec } from '../support/hand-made-trace.js';

const RUNS = 25;
const CLEAR: readonly ConditionName[] = [
  'deadhead',
  'broken_shaft',
  'tubing_leak',
  'gas_lock',
  'overload',
  'electrical',
];
const clearFault = fc.constantFrom(...CLEAR);

function rankingOf(spec: TraceSpec, change: (values: Float32Array) => void = () => undefined): Diagnosis[] {
  const batch = handMadeTrace({ ...spec, intervalSeconds: Math.max(10, spec.intervalSeconds) });
  const history = new BucketHistory();
  for (let row = 0; row < batch.length; row++) {
    change(batch.values.subarray(row * CHANNEL_COUNT, (row + 1) * CHANNEL_COUNT));
    history.add(batch.timestampUs[row] as number, batch.values, row * CHANNEL_COUNT, OperatingState.running);
  }
  const { fine } = history;
  const during = fine.select(0, fine.length, (at) => fine.fromUs(at) >= ONSET_US);
  const before = fine.select(0, fine.length, (at) => fine.toUs(at) < ONSET_US);
  const circumstances = { stillMask: history.stillMask, goneMask: 0, operatedUs: Number.NEGATIVE_INFINITY };
  return diagnose(symptomsOf(createReference(before, frequencyOf(during)), during, circumstances));
}

const confidenceIn = (ranking: readonly Diagnosis[], name: ConditionName): number =>
  ranking.find(({ condition }) => condition === name)?.confidence ?? 0;

describe('a diagnosis', () => {
  it('is the same for a well of another size', () => {
    fc.assert(
      fc.property(clearFault, fc.double({ min: 0.6, max: 2, noNaN: true }), (name, size) => {
        const spec = HAND_MADE_FAULTS[name][0] as TraceSpec;
        const scaled = rankingOf(spec, (values) => {
          for (const { index, quantity, name: channelName } of CHANNELS)
            if (quantity !== 'temperature' && channelName !== 'leakage_current' && channelName !== 'vibration')
              values[index] = (values[index] as number) * size;
        });
        expect(scaled[0]?.condition).toBe(name);
        expect(confidenceIn(scaled, name)).toBeCloseTo(confidenceIn(rankingOf(spec), name), 1);
      }),
      { numRuns: RUNS },
    );
  });

  it('is not surer where there is more noise', () => {
    fc.assert(
      fc.property(
        clearFault,
        fc.double({ min: 0.01, max: 0.2, noNaN: true }),
        fc.integer({ min: 1, max: 1e6 }),
        (name, noise, seed) => {
          const spec = { ...(HAND_MADE_FAULTS[name][0] as TraceSpec), seed };
          const quiet = confidenceIn(rankingOf({ ...spec, noise: 0.004 }), name);
          const noisy = confidenceIn(rankingOf({ ...spec, noise: 0.004 + noise }), name);
          expect(noisy).toBeLessThanOrEqual(quiet + 0.05);
        },
      ),
      { numRuns: RUNS },
    );
  });

  it('is not surer with an instrument less, and says which one is missing', () => {
    fc.assert(
      fc.property(clearFault, (name) => {
        const spec = HAND_MADE_FAULTS[name][0] as TraceSpec;
        const all = rankingOf(spec);
        const least = rankingOf({ ...spec, without: ['intake_pressure'] });
        expect(confidenceIn(least, name)).toBeLessThanOrEqual(confidenceIn(all, name) + 0.05);
        const found = least.find(({ condition }) => condition === name);
        if (['deadhead', 'broken_shaft', 'gas_lock'].includes(name))
          expect(found?.evidence.missing).toContain('there is no intake pressure');
      }),
      { numRuns: RUNS },
    );
  });

  it('has a confidence between 0 and 1 whatever the channels do, and is sorted by it', () => {
    const multiple = fc.double({ min: 0, max: 4, noNaN: true });
    const courses = fc.record({
      motor_current: multiple,
      intake_pressure: multiple,
      flow_rate: multiple,
      pressure: multiple,
      vibration: multiple,
    });
    fc.assert(
      fc.property(courses, (course) => {
        const ranking = rankingOf({
          intervalSeconds: 10,
          beforeSeconds: 600,
          duringSeconds: 300,
          course: () => course,
        });
        const confidences = ranking.map(({ confidence }) => confidence);
        expect(confidences).toEqual([...confidences].sort((a, b) => b - a));
        for (const confidence of confidences) expect(confidence > 0 && confidence <= 1).toBe(true);
      }),
      { numRuns: RUNS },
    );
  });

  it('is none where nothing is different', () => {
    expect(rankingOf({ intervalSeconds: 10, beforeSeconds: 1200, duringSeconds: 300, course: () => ({}) })).toEqual([]);
  });
});
