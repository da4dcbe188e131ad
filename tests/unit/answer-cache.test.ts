import { describe, expect, it } from 'vitest';
import { AnswerCache } from '../../src/console/answer-cache.js';

describe('the answer cache', () => {
  /** A cache whose questions cost as long as they say, and what it answers to the n-th load. */
  function cacheOf(maxAgeMs: number): { ask: (costMs: number) => Promise<number>; wait: (ms: number) => void } {
    let nowMs = 0;
    let loads = 0;
    const cache = new AnswerCache<number>({ maxAgeMs, nowMs: () => nowMs });
    return {
      ask: (costMs) =>
        cache.get('question', async () => {
          nowMs += costMs;
          return ++loads;
        }),
      wait: (ms) => void (nowMs += ms),
    };
  }

  it('keeps an answer for its age, or for ten times what it cost', async () => {
    const { ask, wait } = cacheOf(1000);
    expect(await ask(10)).toBe(1);
    wait(999);
    expect(await ask(500)).toBe(1);
    wait(1);
    expect(await ask(500)).toBe(2);
    wait(4999);
    expect(await ask(10)).toBe(2);
    wait(1);
    expect(await ask(10)).toBe(3);
  });

  it('does not show for minutes what had to wait for a database that was busy once', async () => {
    const { ask, wait } = cacheOf(1000);
    expect(await ask(60_000)).toBe(1);
    wait(30_000);
    expect(await ask(10)).toBe(2);
  });
});
