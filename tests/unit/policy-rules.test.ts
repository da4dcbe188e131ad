import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load-config.js';
import { DEFAULT_RETENTION, type LevelName } from '../../src/storage/aggregate-levels.js';
import { lifecyclePolicy, type LevelPolicy, type LifecyclePolicy } from '../../src/storage/policy/lifecycle-policy.js';
import { checkPolicy, daysText, POLICY_RULES } from '../../src/storage/policy/policy-rules.js';

const shipped = lifecyclePolicy(loadConfig({ environment: {} }));
const withLevel = (name: LevelName, change: Partial<LevelPolicy>): LifecyclePolicy => ({
  ...shipped,
  levels: shipped.levels.map((level) => (level.name === name ? { ...level, ...change } : level)),
});

/** Rule, what is unsafe, the least change that is safe, severity, and what the safe value says. */
const cases: [string, LifecyclePolicy, LifecyclePolicy, 'error' | 'warning', string][] = [
  [
    'refresh-within-source',
    { ...shipped, rawDays: 8, archiveAfterDays: 3 },
    { ...shipped, rawDays: 9, archiveAfterDays: 3 },
    'error',
    'retention.rawDays at least 9',
  ],
  [
    'refresh-within-source',
    withLevel('1hour', { refreshFromDays: 89 }),
    withLevel('1hour', { refreshFromDays: 88.9 }),
    'error',
    'retention.minuteDays at least 91',
  ],
  [
    'archive-before-drop',
    { ...shipped, rawDays: 27 },
    { ...shipped, rawDays: 28 },
    'error',
    'retention.rawDays at least 28',
  ],
  [
    'coarser-kept-longer',
    withLevel('1min', { retentionDays: 29 }),
    withLevel('1min', { retentionDays: 30 }),
    'error',
    'retention.minuteDays at least 30',
  ],
  [
    'coarser-kept-longer',
    withLevel('1min', { retentionDays: null }),
    withLevel('1min', { retentionDays: 365 }),
    'error',
    'retention.hourDays without an end',
  ],
  [
    'kept-beyond-refresh',
    withLevel('1min', { retentionDays: 8 }),
    withLevel('1min', { retentionDays: 9 }),
    'error',
    'retention.minuteDays at least 9',
  ],
  [
    'late-rows-found',
    withLevel('1min', { refreshFromDays: 6 }),
    withLevel('1min', { refreshFromDays: 6.5 }),
    'error',
    'start of the refresh window of 1min at least 7 days',
  ],
  [
    'changes-passed-on',
    withLevel('1hour', { refreshFromDays: 6.9 }),
    withLevel('1hour', { refreshFromDays: 7 }),
    'error',
    'start of the refresh window of 1hour at least 7 days',
  ],
  [
    'closed-buckets-only',
    withLevel('daily', { refreshToDays: 0.5 }),
    withLevel('daily', { refreshToDays: 1 }),
    'error',
    'end of the refresh window of daily at least 1 day',
  ],
  [
    'compress-after-late',
    { ...shipped, compressAfterDays: 5 },
    { ...shipped, compressAfterDays: 6 },
    'error',
    'compression.afterDays at least 6',
  ],
  [
    'compress-after-refresh',
    withLevel('daily', { compressAfterDays: 27 }),
    withLevel('daily', { compressAfterDays: 28 }),
    'error',
    'compression age of daily at least 28 days',
  ],
  [
    'compress-after-refresh',
    { ...shipped, compressAfterDays: 6 },
    { ...shipped, compressAfterDays: 7 },
    'warning',
    'compression.afterDays at least 7',
  ],
  [
    'compress-before-drop',
    { ...shipped, compressAfterDays: 30 },
    { ...shipped, compressAfterDays: 29 },
    'warning',
    'compression.afterDays below 30',
  ],
  [
    'chunks-fit-days',
    { ...shipped, chunkDays: 7 / 24 },
    { ...shipped, chunkDays: 6 / 24 },
    'warning',
    'storage.chunkHours 6',
  ],
  [
    'chunks-fit-days',
    { ...shipped, chunkDays: 36 / 24 },
    { ...shipped, chunkDays: 2 },
    'warning',
    'storage.chunkHours 24',
  ],
  [
    'chunks-fit-ages',
    { ...shipped, chunkDays: 8 },
    { ...shipped, chunkDays: 7 },
    'warning',
    'storage.chunkHours at most 168',
  ],
];

describe('the rules of a lifecycle policy', () => {
  it('find nothing in what is shipped', () => {
    expect(checkPolicy(shipped)).toEqual([]);
    expect(loadConfig({ environment: {} }).retention).toEqual(DEFAULT_RETENTION);
  });

  it.each(cases)(
    '%s: refuses the last unsafe value and takes the first safe one',
    (rule, unsafe, safe, severity, value) => {
      const found = checkPolicy(unsafe).filter((finding) => finding.rule === rule && finding.severity === severity);
      expect(found.length).toBeGreaterThan(0);
      expect(found[0]?.safeValue).toContain(value);
      for (const { settings, message } of found) {
        expect(message.length).toBeGreaterThan(20);
        for (const setting of settings) expect(setting.value).not.toBe('');
      }
      expect(checkPolicy(safe).filter((finding) => finding.rule === rule)).toEqual([]);
    },
  );

  it('all have a case', () => {
    const tried = new Set(cases.map(([rule]) => rule));
    expect(POLICY_RULES.map(({ name }) => name).filter((name) => !tried.has(name))).toEqual([]);
  });

  it('say ages as a person does', () => {
    expect([1, 7, 1.5, 1 / 24, 0.5, 1 / 1440, null].map(daysText)).toEqual([
      '1 day',
      '7 days',
      '1.5 days',
      '1 hour',
      '12 hours',
      '1 minute',
      'for ever',
    ]);
  });
});
