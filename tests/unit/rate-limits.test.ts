import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RateLimits } from '../../src/ingest/keys/rate-limits.js';

/** Limits on a clock that the test moves. */
function limitsAt(): { limits: RateLimits; pass: (milliseconds: number) => void } {
  let nowMs = 1000;
  return { limits: new RateLimits(() => nowMs), pass: (milliseconds) => (nowMs += milliseconds) };
}

const BURST_SECONDS = 2;
const rates = fc.double({ min: 0.1, max: 10_000, noNaN: true });
/** Pauses and amounts, in turn. */
const history = (largest: number) =>
  fc.array(
    fc.record({ pauseMs: fc.double({ min: 0, max: 5000, noNaN: true }), amount: fc.integer({ min: 1, max: largest }) }),
    {
      minLength: 1,
      maxLength: 200,
    },
  );

describe('RateLimits', () => {
  it('lets through no more than the burst and what the rate has brought since', () => {
    fc.assert(
      fc.property(rates, history(500), (rate, steps) => {
        const { limits, pass } = limitsAt();
        const burst = Math.max(1, rate * BURST_SECONDS);
        let seconds = 0;
        let passed = 0;
        for (const { pauseMs, amount } of steps) {
          pass(pauseMs);
          seconds += pauseMs / 1000;
          if (limits.take('a', 'records', amount, rate) !== undefined) continue;
          passed += amount;
          // What is larger than the burst passes when the bucket is full, and is owed.
          expect(passed).toBeLessThanOrEqual(Math.max(burst, amount) + rate * seconds + 1e-3);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('lets through what it announced, when it announced it, and not much earlier', () => {
    fc.assert(
      fc.property(rates, history(500), (rate, steps) => {
        const { limits, pass } = limitsAt();
        for (const { pauseMs, amount } of steps) {
          pass(pauseMs);
          const wait = limits.take('a', 'records', amount, rate);
          if (wait === undefined) continue;
          expect(wait).toBeGreaterThan(0);
          pass(wait * 500);
          expect(limits.take('a', 'records', amount, rate)).toBeDefined();
          pass(wait * 500 + 1e-3);
          expect(limits.take('a', 'records', amount, rate)).toBeUndefined();
        }
      }),
      { numRuns: 300 },
    );
  });

  it('keeps callers, and requests from records, apart', () => {
    const { limits } = limitsAt();
    for (const caller of ['a', 'b']) {
      for (const thing of ['requests', 'records'] as const) {
        expect(limits.take(caller, thing, 20, 10)).toBeUndefined();
        expect(limits.take(caller, thing, 1, 10)).toBeCloseTo(0.1);
      }
    }
  });

  it('has no limit where there is none', () => {
    const { limits } = limitsAt();
    for (const rate of [0, Number.POSITIVE_INFINITY]) {
      for (let count = 0; count < 1000; count++) expect(limits.take('a', 'requests', 1e9, rate)).toBeUndefined();
      expect(limits.wait('a', 'requests', rate)).toBeUndefined();
    }
  });

  it('takes nothing by asking', () => {
    const { limits } = limitsAt();
    for (let count = 0; count < 100; count++) expect(limits.wait('a', 'records', 1)).toBeUndefined();
    expect(limits.take('a', 'records', 2, 1)).toBeUndefined();
    expect(limits.wait('a', 'records', 1)).toBe(1);
  });
});
