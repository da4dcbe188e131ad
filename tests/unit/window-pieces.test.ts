import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planWindow, type PieceLevel } from '../../src/quality/window-pieces.js';

const MINUTE = 60e6;
const WIDTH: Readonly<Record<PieceLevel, number>> = { '1min': MINUTE, '1hour': 60 * MINUTE, daily: 1440 * MINUTE };
const nowUs = Date.UTC(2026, 10, 26, 15, 42, 7) * 1000;
const options = { nowUs, minuteDays: 90, hourDays: 365 };

const anyWindow = fc
  .tuple(fc.integer({ min: 0, max: 800 * 86_400 }), fc.integer({ min: 1, max: 800 * 86_400 }))
  .map(([ageSeconds, seconds]) => ({ fromUs: nowUs - (ageSeconds + seconds) * 1e6, toUs: nowUs - ageSeconds * 1e6 }));

describe('the pieces of a window', () => {
  it('cover it without gap or overlap, each of whole buckets of a level that is still kept', () => {
    fc.assert(
      fc.property(anyWindow, (window) => {
        const plan = planWindow(window, options);
        expect(plan.fromUs).toBeLessThanOrEqual(window.fromUs);
        expect(plan.toUs).toBeGreaterThanOrEqual(window.toUs);
        let atUs = plan.fromUs;
        for (const { level, fromUs, toUs } of plan.pieces) {
          expect(fromUs).toBe(atUs);
          expect(toUs).toBeGreaterThan(fromUs);
          expect([fromUs % WIDTH[level], toUs % WIDTH[level]]).toEqual([0, 0]);
          const ageDays = (nowUs - fromUs) / WIDTH.daily;
          if (level === '1min') expect(ageDays).toBeLessThan(options.minuteDays);
          if (level === '1hour') expect(ageDays).toBeLessThan(options.hourDays);
          atUs = toUs;
        }
        expect(atUs).toBe(plan.toUs);
      }),
    );
  });

  it('are few: thirty days are read from days but for their ends', () => {
    const { pieces } = planWindow({ fromUs: nowUs - 30 * WIDTH.daily, toUs: nowUs }, options);
    expect(pieces.map(({ level }) => level)).toEqual(['1min', '1hour', 'daily', '1hour', '1min']);
    expect(pieces.map(({ level, fromUs, toUs }) => (toUs - fromUs) / WIDTH[level])).toEqual([18, 8, 29, 15, 43]);
  });

  it('are no wider than a question by the hour allows', () => {
    const { pieces } = planWindow({ fromUs: nowUs - 3 * WIDTH.daily, toUs: nowUs }, { ...options, coarsest: '1hour' });
    expect(pieces.map(({ level }) => level)).toEqual(['1min', '1hour', '1min']);
  });

  it('widen a window to what is kept of its time', () => {
    const plan = planWindow({ fromUs: nowUs - 500 * WIDTH.daily, toUs: nowUs - 200 * WIDTH.daily }, options);
    expect(plan.fromUs % WIDTH.daily).toBe(0);
    expect(plan.toUs % WIDTH['1hour']).toBe(0);
  });
});
