import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RatePacer } from '../../src/pipeline/rate-pacer.js';

describe('the limit of records per second', () => {
  it('lets no more through in any span than the rate allows, beside one batch', () => {
    const arrivals = fc.array(fc.record({ afterMs: fc.nat(3000), records: fc.integer({ min: 1, max: 5000 }) }));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), arrivals, (perSecond, batches) => {
        const pacer = new RatePacer(perSecond);
        let nowMs = 0;
        const passed: { atMs: number; records: number }[] = [];
        for (const { afterMs, records } of batches) {
          nowMs += afterMs;
          nowMs += pacer.delayMs(records, nowMs);
          passed.push({ atMs: nowMs, records });
        }
        for (let from = 0; from < passed.length; from++) {
          let sum = 0;
          for (const { atMs, records } of passed.slice(from)) {
            const spanMs = atMs - (passed[from] as { atMs: number }).atMs;
            expect(sum).toBeLessThanOrEqual((perSecond * spanMs) / 1000 + 1e-6 * (1 + sum));
            sum += records;
          }
        }
      }),
    );
  });

  it('costs nothing where the records come slowly enough', () => {
    const pacer = new RatePacer(100);
    const delays = Array.from({ length: 20 }, (_, index) => pacer.delayMs(50, index * 500));
    expect(delays.every((delay) => delay === 0)).toBe(true);
    expect(pacer.mostAtOnce).toBe(100);
  });

  it('is no limit at 0', () => {
    const pacer = new RatePacer(0);
    expect(pacer.delayMs(1e9, 0) + pacer.delayMs(1e9, 0)).toBe(0);
    expect(pacer.mostAtOnce).toBe(Infinity);
  });
});
