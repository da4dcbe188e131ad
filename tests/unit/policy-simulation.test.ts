import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load-config.js';
import { lifecyclePolicy, type LifecyclePolicy } from '../../src/storage/policy/lifecycle-policy.js';
import { checkPolicy } from '../../src/storage/policy/policy-rules.js';
import { simulateLifecycle, type LateRow } from '../support/lifecycle-simulation.js';

const shipped = lifecyclePolicy(loadConfig({ environment: {} }));
const DAYS = 120;

/** Near what is safe, on both sides of it: ages of a few days, so that a simulation sees all of them end. */
const policies: fc.Arbitrary<LifecyclePolicy> = fc
  .record({
    lateAfterDays: fc.integer({ min: 1, max: 4 }),
    windows: fc.tuple(...shipped.levels.map(() => fc.integer({ min: -1, max: 4 }))),
    raw: fc.integer({ min: -2, max: 6 }),
    minute: fc.integer({ min: -2, max: 8 }),
    hour: fc.integer({ min: -2, max: 30 }),
    archiveBeforeDrop: fc.integer({ min: 0, max: 5 }),
    chunkDays: fc.constantFrom(1, 0.5),
  })
  .map(({ lateAfterDays, windows, raw, minute, hour, archiveBeforeDrop, chunkDays }) => {
    const starts = windows.map((extra) => lateAfterDays + 1 + extra);
    const rawDays = Math.max(1, Math.max(...starts.slice(0, 3)) + 2 + raw);
    const minuteDays = Math.max(1, rawDays + minute);
    const hourDays = Math.max(1, minuteDays + hour);
    const kept = { minuteDays, hourDays };
    return {
      chunkDays,
      lateAfterDays,
      rawDays,
      archiveAfterDays: Math.max(1, rawDays - archiveBeforeDrop),
      compressAfterDays: lateAfterDays,
      levels: shipped.levels.map((level, index) => ({
        ...level,
        refreshFromDays: starts[index] as number,
        compressAfterDays: starts[index] as number,
        retentionDays: level.retentionKey === null ? null : kept[level.retentionKey],
      })),
    };
  });

const lateRows: fc.Arbitrary<LateRow[]> = fc.array(
  fc.record({ arrives: fc.integer({ min: 0, max: DAYS - 1 }), age: fc.integer({ min: 0, max: 20 }) }),
  { maxLength: 40 },
);

const isSafe = (policy: LifecyclePolicy): boolean => checkPolicy(policy).every(({ severity }) => severity !== 'error');

/** Rows that come within this many days of the drop are what the gate on the archive is for, and no age can help. */
function inTime(policy: LifecyclePolicy, rows: readonly LateRow[]): LateRow[] {
  return rows.filter(({ age }) => age < policy.archiveAfterDays);
}

describe('a policy that the rules pass', () => {
  it('loses no aggregate whose readings are gone, and drops nothing that is not archived', () => {
    let safe = 0;
    fc.assert(
      fc.property(policies, lateRows, (policy, rows) => {
        if (!isSafe(policy)) return;
        safe++;
        expect(simulateLifecycle(policy, DAYS, inTime(policy, rows))).toEqual([]);
      }),
      { numRuns: 1500 },
    );
    // Otherwise nothing has been tried.
    expect(safe).toBeGreaterThan(15);
  });

  it('is the only kind that loses nothing: the simulation sees the losses that the rules are there for', () => {
    const level = (name: string, change: object): LifecyclePolicy => ({
      ...shipped,
      levels: shipped.levels.map((each) => (each.name === name ? { ...each, ...change } : each)),
    });
    const late = [{ arrives: 50, age: 5 }];
    expect(simulateLifecycle(shipped, DAYS, late)).toEqual([]);
    expect(simulateLifecycle(level('1min', { refreshFromDays: 40 }), DAYS, late)[0]).toMatch(
      /1min has nothing of the 1/,
    );
    expect(simulateLifecycle(level('1min', { refreshFromDays: 3 }), DAYS, late)[0]).toMatch(/1min has 1 of the 2/);
    expect(simulateLifecycle(level('1hour', { refreshFromDays: 100 }), DAYS, late)[0]).toMatch(/1hour has nothing/);
    expect(simulateLifecycle({ ...shipped, archiveAfterDays: 29 }, DAYS, late)[0]).toMatch(/is in no archive/);
  });
});
