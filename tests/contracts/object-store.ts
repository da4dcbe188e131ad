/**
 * What every store of archived objects promises (src/archive/object-store.ts), as one suite of tests. The tests of an
 * implementation call it with a way to open a store that is theirs alone.
 */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkObjectName, readObject, type ObjectStore } from '../../src/archive/object-store.js';
import { OperationalError } from '../../src/telemetry/operational-error.js';

export interface ObjectStoreUnderTest {
  readonly store: ObjectStore;
  /** The same archive as the next process has it. */
  readonly reopen: () => Promise<ObjectStore>;
  readonly dispose: () => Promise<void>;
}

const MIB = 1024 * 1024;
const codeOf = (error: unknown): unknown => (error instanceof OperationalError ? error.code : error);
const text = async (store: ObjectStore, name: string): Promise<string> => {
  const pieces: Uint8Array[] = [];
  for await (const piece of readObject(store, name)) pieces.push(piece);
  return Buffer.concat(pieces).toString('latin1');
};
const names = async (store: ObjectStore, prefix: string): Promise<string[]> => {
  const found: string[] = [];
  for await (const { name } of store.list(prefix)) found.push(name);
  return found;
};

export function objectStoreContract(name: string, open: () => Promise<ObjectStoreUnderTest>): void {
  describe(`object store contract: ${name}`, () => {
    let underTest: ObjectStoreUnderTest;
    let store: ObjectStore;

    beforeAll(async () => {
      underTest = await open();
      ({ store } = underTest);
    }, 90_000);
    afterAll(() => underTest.dispose());

    it('is empty before anything is stored, and says so rather than failing', async () => {
      expect(await names(store, '')).toEqual([]);
      expect(await store.head('nothing')).toBeUndefined();
      expect(codeOf(await store.read('nothing', 0, 10).catch((error: unknown) => error))).toBe(
        'archive_object_missing',
      );
    });

    it('gives back what was put, whatever the chunks, also to the next process', async () => {
      let count = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), async (chunks) => {
          const object = `back/object-${++count}`;
          const whole = Buffer.concat(chunks);
          expect(await store.put(object, chunks)).toEqual({ name: object, bytes: whole.length });
          const other = await underTest.reopen();
          expect(await other.head(object)).toEqual({ name: object, bytes: whole.length });
          expect(await text(other, object)).toBe(whole.toString('latin1'));
          const from = Math.floor(whole.length / 3);
          expect(Buffer.from(await other.read(object, from, 7))).toEqual(whole.subarray(from, from + 7));
        }),
        { numRuns: 12 },
      );
    });

    it('streams an object far larger than a block, and holds no more than a few blocks of it', async () => {
      const hash = createHash('sha256');
      let most = 0;
      const before = process.memoryUsage().arrayBuffers;
      async function* content(): AsyncGenerator<Uint8Array> {
        for (let index = 0; index < 128; index++) {
          const chunk = Buffer.alloc(MIB, index);
          chunk.writeUInt32LE(index);
          hash.update(chunk);
          most = Math.max(most, process.memoryUsage().arrayBuffers - before);
          yield await Promise.resolve(chunk);
        }
      }
      expect((await store.put('large', content())).bytes).toBe(128 * MIB);
      const back = createHash('sha256');
      for await (const piece of readObject(store, 'large')) {
        back.update(piece);
        most = Math.max(most, process.memoryUsage().arrayBuffers - before);
      }
      expect(back.digest('hex')).toBe(hash.digest('hex'));
      expect(most).toBeLessThan(96 * MIB);
    }, 120_000);

    it('never overwrites', async () => {
      await store.put('once/object', [Buffer.from('the first')]);
      const refusal = await store.put('once/object', [Buffer.from('the second')]).catch((error: unknown) => error);
      expect(refusal).toMatchObject({ code: 'archive_object_exists', retryable: false });
      expect(await text(store, 'once/object')).toBe('the first');
    });

    it('gives a name to one of several who want it at the same time, as a whole', async () => {
      const contents = Array.from({ length: 6 }, (_, index) => String(index).repeat(1000));
      const results = await Promise.allSettled(
        contents.map((content) => store.put('race/object', [Buffer.from(content)])),
      );
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const result of results)
        if (result.status === 'rejected') expect(codeOf(result.reason)).toBe('archive_object_exists');
      const winner = results.findIndex(({ status }) => status === 'fulfilled');
      expect(await text(store, 'race/object')).toBe(contents[winner]);
      expect(await names(store, 'race/')).toEqual(['race/object']);
    });

    it('has nothing of an object whose content fails half-way, and takes it the next time', async () => {
      async function* broken(): AsyncGenerator<Uint8Array> {
        yield await Promise.resolve(Buffer.alloc(9 * MIB));
        throw new Error('the source broke');
      }
      await expect(store.put('partial/object', broken())).rejects.toThrow('the source broke');
      expect(await store.head('partial/object')).toBeUndefined();
      expect(await names(store, 'partial/')).toEqual([]);
      await store.put('partial/object', [Buffer.from('whole')]);
      expect(await text(store, 'partial/object')).toBe('whole');
    });

    it('lists by prefix, in the order of the names', async () => {
      const stored = ['list/a/b', 'list/a.b', 'list/a=1/part', 'list/a=10/part', 'list/b', 'listing'];
      for (const object of stored) await store.put(object, [Buffer.from(object)]);
      const sorted = [...stored].sort((one, other) => (one < other ? -1 : 1));
      expect(await names(store, 'list')).toEqual(sorted);
      expect(await names(store, 'list/a=1')).toEqual(['list/a=1/part', 'list/a=10/part']);
      expect(await names(store, 'list/a=1/')).toEqual(['list/a=1/part']);
      expect(await names(store, 'list/none/')).toEqual([]);
    });

    it('takes no name that leads out of it, hides something, or is none', async () => {
      for (const bad of [
        '',
        '/',
        'a//b',
        '../a',
        'a/../b',
        '.a',
        'a/.b',
        'a\\b',
        'a b',
        'a\0',
        'ä',
        'a/',
        'x'.repeat(501),
      ]) {
        expect(() => checkObjectName(bad)).toThrow('name of an object');
        await expect((async () => store.put(bad, []))()).rejects.toThrow('name of an object');
        await expect((async () => store.read(bad, 0, 1))()).rejects.toThrow('name of an object');
        await expect((async () => store.head(bad))()).rejects.toThrow('name of an object');
      }
    });
  });
}
