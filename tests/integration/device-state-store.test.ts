import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../../src/storage/database.js';
import { DatabaseDeviceStateStore } from '../../src/storage/device-state-store.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { openPlainTarget, type StorageTarget } from '../support/storage-targets.js';

let server: PostgresServer;
let target: StorageTarget;
let database: Database;

beforeAll(async () => {
  server = await startPostgres();
  target = await openPlainTarget(server);
  ({ database } = target);
}, 60_000);

afterAll(async () => {
  await target.remove();
  await server.remove();
});

describe('device state in the database', () => {
  it('comes back bit by bit', async () => {
    const store = new DatabaseDeviceStateStore(database);
    const anyNumber = fc.oneof(
      fc.double(),
      fc.maxSafeInteger(),
      fc.constantFrom(0, -0, Number.NaN, Infinity, -Infinity, Number.MIN_VALUE, Number.MAX_VALUE, Number.EPSILON),
    );
    const anyText = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'));
    const anyField = anyText.filter((name) => name !== '__proto__');
    const anyState = fc.dictionary(anyField, fc.oneof(anyNumber, anyText), { noNullPrototype: true });
    const anyId = fc.string({ minLength: 1, maxLength: 128, unit: 'grapheme-ascii' });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(anyId, anyState), { maxLength: 10 }), async (entries) => {
        const states = new Map(entries);
        await store.save('stats', states);
        const loaded = await store.load('stats', [...states.keys()]);
        // toEqual tells 0 from −0 and knows NaN.
        expect(loaded).toEqual(states);
      }),
      { numRuns: 60 },
    );
  });

  it('keeps kinds apart, replaces what was there, and leaves out unknown devices', async () => {
    const store = new DatabaseDeviceStateStore(database);
    await store.save('stats', new Map([['w1', { temp_mean: 80.1, gone: 1 }]]));
    await store.save('det', new Map([['w1', { detector: 'z-score' }]]));
    await store.save('stats', new Map([['w1', { temp_mean: 80.2 }]]));
    expect(await store.load('stats', ['w1', 'w2'])).toEqual(new Map([['w1', { temp_mean: 80.2 }]]));
    expect(await store.load('det', ['w1'])).toEqual(new Map([['w1', { detector: 'z-score' }]]));
    expect(await store.load('det', [])).toEqual(new Map());
  });

  it('takes more devices than fit one statement', async () => {
    const store = new DatabaseDeviceStateStore(database);
    const states = new Map(Array.from({ length: 2500 }, (_, index) => [`many-${index}`, { index }]));
    await store.save('stats', states);
    expect(await store.load('stats', [...states.keys()])).toEqual(states);
  });
});
