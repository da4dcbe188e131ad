import fc from 'fast-check';
import { expect, it } from 'vitest';
import { withoutDropped, type SecondsRange } from '../../src/storage/dropped-ranges.js';

const HORIZON = 60;
/** Sorted, none touching another, as the database merges them. */
const gaps = fc
  .uniqueArray(fc.integer({ min: -5, max: HORIZON + 5 }), { maxLength: 8 })
  .map((ends) => [...ends].sort((a, b) => a - b))
  .map((ends) =>
    ends.flatMap((toSeconds, index): SecondsRange[] =>
      index % 2 === 0 ? [] : [{ fromSeconds: ends[index - 1] as number, toSeconds }],
    ),
  );

it('leaves exactly the buckets of a range that no dropped range touches', () => {
  fc.assert(
    fc.property(gaps, fc.integer({ min: 1, max: 7 }), fc.nat({ max: 4 }), (dropped, bucketSeconds, first) => {
      const fromSeconds = first * bucketSeconds;
      const toSeconds = Math.floor(HORIZON / bucketSeconds) * bucketSeconds;
      const left = withoutDropped({ fromSeconds, toSeconds }, dropped, bucketSeconds);
      for (let at = fromSeconds; at < toSeconds; at += bucketSeconds) {
        const end = at + bucketSeconds;
        const isTouched = dropped.some((gap) => gap.fromSeconds < end && gap.toSeconds > at);
        const isLeft = left.some((each) => each.fromSeconds <= at && each.toSeconds >= end);
        expect(isLeft, `bucket at ${at}`).toBe(!isTouched);
      }
      for (const each of left) {
        expect([each.fromSeconds % bucketSeconds, each.toSeconds % bucketSeconds]).toEqual([0, 0]);
        expect(each.fromSeconds).toBeGreaterThanOrEqual(fromSeconds);
        expect(each.toSeconds).toBeLessThanOrEqual(toSeconds);
      }
    }),
    { numRuns: 1000 },
  );
});
