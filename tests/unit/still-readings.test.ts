/** Which readings are said to stand still, and which only seem to. */
import { describe, expect, it } from 'vitest';
import { BucketHistory } from '../../src/pipeline/diagnosis/bucket-history.js';
import { CHANNEL_COUNT, channel } from '../../src/telemetry/channels.js';
import { OperatingState } from '../../src/telemetry/operating-state.js';

const { index } = channel('discharge_pressure');

/** How many readings, one a minute, it takes until the channel is said to stand still; undefined: it never is. */
function foundAfter(readings: readonly number[]): number | undefined {
  const history = new BucketHistory();
  const values = new Float32Array(CHANNEL_COUNT).fill(Number.NaN);
  for (const [number, reading] of readings.entries()) {
    values[index] = reading;
    history.add(number * 60e6, values, 0, OperatingState.running);
    if ((history.stillMask & (1 << index)) !== 0) return number;
  }
  return undefined;
}

/** Noise of so many digits, up to twice as much, the same each time. */
const wobble = (number: number, digits: number): number => 2 * digits * Math.sin(number * number * 1.7);
const minutes = (count: number, reading: (number: number) => number): number[] =>
  Array.from({ length: count }, (_, number) => Math.round(reading(number)));
const standing = (count: number, reading: number): number[] => minutes(count, () => reading);

describe('a reading stands still', () => {
  it('when it has swung by several digits, and is found within 120 readings', () => {
    const lively = minutes(120, (number) => 2938 + wobble(number, 3));
    const found = foundAfter([...lively, ...standing(120, 2938)]);
    expect(found).toBeGreaterThan(125);
    expect(found).toBeLessThan(240);
  });

  it('not when it only drifts away from the edge of its last digit', () => {
    const atTheEdge = minutes(120, (number) => 2938.5 + wobble(number, 0.2));
    expect(new Set(atTheEdge).size).toBe(2);
    expect(foundAfter([...atTheEdge, ...standing(600, 2938)])).toBeUndefined();
  });

  it('not when it has come to rest after a long way down', () => {
    const onTheWay = minutes(300, (number) => 1400 - 3 * number);
    expect(foundAfter([...onTheWay, ...standing(600, 503)])).toBeUndefined();
  });

  it('not before it is known how often it changes', () => {
    const lively = minutes(12, (number) => 2938 + wobble(number, 3));
    expect(foundAfter([...lively, ...standing(12, 2938)])).toBeUndefined();
    expect(foundAfter([...lively, ...standing(108, 2938)])).toBeDefined();
  });
});
