import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideRetention, type RawHold, type RetentionQuestion } from '../../src/jobs/raw-retention.js';

const DAY = 86_400;
const chunk = { startSeconds: 100 * DAY, endSeconds: 101 * DAY, awaitsRefresh: false };
const content = { rows: 480, fingerprint: '-12345678901234567890123' };
/** Everything allows the drop. */
const free: RetentionQuestion = {
  chunk,
  holds: [],
  archived: { startSeconds: chunk.startSeconds, endSeconds: chunk.endSeconds, isVerified: true, ...content },
  content,
  rawDays: 30,
  nowSeconds: 131 * DAY + 1,
};
const hold = (change: Partial<RawHold> = {}): RawHold => ({
  id: 7,
  fromSeconds: 100.5 * DAY,
  toSeconds: 100.6 * DAY,
  expiresSeconds: null,
  isReleased: false,
  ...change,
});
const archived = free.archived as NonNullable<RetentionQuestion['archived']>;

describe('the retention of readings', () => {
  it('drops what is old, free and archived row for row', () => {
    expect(decideRetention(free)).toEqual({ drop: true });
  });

  it.each<[string, Partial<RetentionQuestion>, string, RegExp]>([
    ['young', { nowSeconds: 131 * DAY }, 'young', /30 days old, and 30 are kept/],
    ['in the future', { nowSeconds: 90 * DAY }, 'young', /0 days old/],
    ['held', { holds: [hold({ isReleased: true }), hold({ id: 8 })] }, 'held', /hold 8 keeps it/],
    ['held to a moment from now', { holds: [hold({ expiresSeconds: 131 * DAY + 2 })] }, 'held', /hold 7/],
    ['about to be refreshed', { chunk: { ...chunk, awaitsRefresh: true } }, 'late', /not in the aggregates/],
    ['not archived', { archived: null }, 'not_archived', /does not have it/],
    ['archived in part', { archived: { ...archived, endSeconds: 100.5 * DAY } }, 'not_archived', /does not have it/],
    ['not verified', { archived: { ...archived, isVerified: false } }, 'not_verified', /has not been verified/],
    ['not looked at', { content: null }, 'not_compared', /have not been compared/],
    ['joined by a late row', { content: { ...content, rows: 481 } }, 'stale', /1 readings came after/],
    ['short of a row', { content: { ...content, rows: 479 } }, 'stale', /1 readings are gone/],
    ['changed', { content: { ...content, fingerprint: '-12345678901234567890124' } }, 'stale', /have changed/],
  ])('keeps a chunk that is %s, and says why', (_name, change, reason, explanation) => {
    expect(decideRetention({ ...free, ...change })).toMatchObject({
      drop: false,
      reason,
      explanation: expect.stringMatching(explanation) as unknown,
    });
  });

  it.each<[string, Partial<RawHold>]>([
    ['released', { isReleased: true }],
    ['expired', { expiresSeconds: free.nowSeconds }],
    ['before the chunk', { fromSeconds: 99 * DAY, toSeconds: 100 * DAY }],
    ['after the chunk', { fromSeconds: 101 * DAY, toSeconds: 102 * DAY }],
  ])('is not kept by a hold that is %s', (_name, change) => {
    expect(decideRetention({ ...free, holds: [hold(change)] })).toEqual({ drop: true });
  });

  it('never drops what one of its conditions forbids, whatever the others are', () => {
    const questions = fc.record({
      chunk: fc.record({
        startSeconds: fc.constant(100 * DAY),
        endSeconds: fc.constant(101 * DAY),
        awaitsRefresh: fc.boolean(),
      }),
      holds: fc.array(
        fc.record({
          id: fc.nat(),
          fromSeconds: fc.integer({ min: 99 * DAY, max: 101 * DAY }),
          toSeconds: fc.integer({ min: 101 * DAY, max: 103 * DAY }),
          expiresSeconds: fc.option(fc.integer({ min: 100 * DAY, max: 200 * DAY })),
          isReleased: fc.boolean(),
        }),
        { maxLength: 2 },
      ),
      archived: fc.option(
        fc.record({
          startSeconds: fc.constant(100 * DAY),
          endSeconds: fc.constantFrom(101 * DAY, 102 * DAY),
          isVerified: fc.boolean(),
          rows: fc.nat({ max: 1 }),
          fingerprint: fc.constantFrom('1', '2'),
        }),
      ),
      content: fc.option(fc.record({ rows: fc.nat({ max: 1 }), fingerprint: fc.constantFrom('1', '2') })),
      rawDays: fc.integer({ min: 1, max: 60 }),
      nowSeconds: fc.integer({ min: 100 * DAY, max: 200 * DAY }),
    });
    let dropped = 0;
    fc.assert(
      fc.property(questions, (question) => {
        if (!decideRetention(question).drop) return;
        dropped++;
        expect(question.nowSeconds - question.chunk.endSeconds).toBeGreaterThan(question.rawDays * DAY);
        expect(question.chunk.awaitsRefresh).toBe(false);
        expect(question.archived).toMatchObject({ isVerified: true, endSeconds: 101 * DAY, ...question.content });
        const inForce = question.holds.filter(
          ({ isReleased, expiresSeconds }) => !isReleased && (expiresSeconds ?? Infinity) > question.nowSeconds,
        );
        expect(inForce.filter(({ fromSeconds }) => fromSeconds < 101 * DAY)).toEqual([]);
      }),
      { numRuns: 3000 },
    );
    expect(dropped).toBeGreaterThan(5);
  });
});
