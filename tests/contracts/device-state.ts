/**
 * What every store of device state promises (src/storage/device-state.ts), as one suite of tests. The tests of an
 * implementation call it with a way to open a store that is theirs alone.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DeviceStateStore } from '../../src/storage/device-state.js';

export interface DeviceStateUnderTest {
  readonly store: DeviceStateStore;
  /** Another view of the same states, as the next process would have it. */
  readonly reopen: () => Promise<DeviceStateStore>;
  /** Removes what the store stood on; the suite has closed it by then. */
  readonly dispose: () => Promise<void>;
}

const anyNumber = fc.oneof(
  fc.double(),
  fc.maxSafeInteger(),
  fc.constantFrom(0, -0, Number.NaN, Infinity, -Infinity, Number.MIN_VALUE, Number.MAX_VALUE, Number.EPSILON),
);
const anyText = fc
  .oneof(
    fc.string({ unit: 'grapheme' }),
    anyNumber.map(String),
    fc.constantFrom('', '-0', "'", "'1", '"1"', ' 1', 'null'),
  )
  .filter((text) => !text.includes('\0'));
const anyField = anyText.filter((name) => name !== '__proto__');
const anyState = fc.dictionary(anyField, fc.oneof(anyNumber, anyText), { noNullPrototype: true, minKeys: 1 });
const anyId = fc.string({ minLength: 1, maxLength: 128, unit: 'grapheme-ascii' });

export function deviceStateContract(name: string, open: () => Promise<DeviceStateUnderTest>): void {
  describe(`device state contract: ${name}`, () => {
    let underTest: DeviceStateUnderTest;
    let store: DeviceStateStore;

    beforeAll(async () => {
      underTest = await open();
      ({ store } = underTest);
    }, 60_000);
    afterAll(async () => {
      await store.close();
      await underTest.dispose();
    });

    it('gives back what was saved, bit by bit: −0, NaN and infinities, and strings that look like numbers', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(fc.tuple(anyId, anyState), { maxLength: 10 }), async (entries) => {
          const states = new Map(entries);
          await store.save('stats', states);
          // toEqual tells 0 from −0 and knows NaN.
          expect(await store.load('stats', [...states.keys()])).toEqual(states);
        }),
        { numRuns: 60 },
      );
    });

    it('replaces what was there, fields that are no longer there included', async () => {
      await store.save('stats', new Map([['replaced', { temp_mean: 80.1, gone: 1 }]]));
      await store.save('stats', new Map([['replaced', { temp_mean: 80.2 }]]));
      expect(await store.load('stats', ['replaced'])).toEqual(new Map([['replaced', { temp_mean: 80.2 }]]));
    });

    it('keeps kinds apart', async () => {
      await store.save('stats', new Map([['kinds', { temp_mean: 80.1 }]]));
      await store.save('det', new Map([['kinds', { detector: 'z-score' }]]));
      expect(await store.load('stats', ['kinds'])).toEqual(new Map([['kinds', { temp_mean: 80.1 }]]));
      expect(await store.load('det', ['kinds'])).toEqual(new Map([['kinds', { detector: 'z-score' }]]));
    });

    it('leaves out devices without saved state', async () => {
      await store.save('stats', new Map([['known', { a: 1 }]]));
      expect(await store.load('stats', ['unknown', 'known'])).toEqual(new Map([['known', { a: 1 }]]));
      expect(await store.load('det', ['known'])).toEqual(new Map());
      expect(await store.load('stats', [])).toEqual(new Map());
      await store.save('stats', new Map());
    });

    it('takes more devices than fit one round trip', async () => {
      const states = new Map(Array.from({ length: 2500 }, (_, index) => [`many-${index}`, { index }]));
      await store.save('stats', states);
      expect(await store.load('stats', [...states.keys()])).toEqual(states);
    });

    it('saves what it was given at the call, whatever becomes of the objects later', async () => {
      const states = new Map(Array.from({ length: 1500 }, (_, index) => [`changing-${index}`, { index }]));
      const saving = store.save('stats', states);
      for (const state of states.values()) state.index = -1;
      await saving;
      const loaded = await store.load('stats', [...states.keys()]);
      expect([...loaded.values()].every((state) => (state['index'] as number) >= 0)).toBe(true);
      expect(loaded.size).toBe(1500);
    });

    it('has it for the next process', async () => {
      await store.save('det', new Map([['lasting', { detector: 'z-score', n: -0 }]]));
      const next = await underTest.reopen();
      expect(await next.load('det', ['lasting'])).toEqual(new Map([['lasting', { detector: 'z-score', n: -0 }]]));
      await next.close();
    });

    it('takes calls at the same time; each device has one state', async () => {
      await Promise.all(
        Array.from({ length: 20 }, async (_, turn) => {
          await store.save(
            'stats',
            new Map([
              ['busy', { turn }],
              [`own-${turn}`, { turn }],
            ]),
          );
          expect(await store.load('stats', [`own-${turn}`])).toEqual(new Map([[`own-${turn}`, { turn }]]));
        }),
      );
      expect((await store.load('stats', ['busy'])).size).toBe(1);
    });
  });
}
