import fc from 'fast-check';
import { expect, it } from 'vitest';
import { retryDelaySeconds } from '../../src/jobs/retry-delay.js';

it('doubles from five seconds to an hour, jittered over its upper half, and never beyond the regular time', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000_000 }),
      fc.double({ min: 0.001, max: 86_400, noNaN: true }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (attempt, interval, random) => {
        const delay = retryDelaySeconds(attempt, interval, random);
        const ceiling = Math.min(3600, 5 * 2 ** (attempt - 1));
        expect(delay).toBeLessThanOrEqual(Math.min(interval, ceiling));
        expect(delay).toBeGreaterThanOrEqual(Math.min(interval, ceiling / 2));
      },
    ),
  );
  expect([1, 2, 3, 11, 50].map((attempt) => retryDelaySeconds(attempt, 86_400, 0))).toEqual([2.5, 5, 10, 1800, 1800]);
});
