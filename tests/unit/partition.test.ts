import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fnv1a } from '../../src/telemetry/fnv1a.js';
import { partitionOf } from '../../src/telemetry/partition.js';

/** The published definition, over the bytes, in whole numbers of any size. */
function slowFnv1a(text: string): number {
  let hash = 0x811c9dc5n;
  for (const byte of Buffer.from(text)) hash = ((hash ^ BigInt(byte)) * 0x01000193n) & 0xffffffffn;
  return Number(hash);
}

describe('the partition of a device', () => {
  it('is by FNV-1a of 32 bits: the test vectors of its authors', () => {
    expect([fnv1a(''), fnv1a('a'), fnv1a('foobar')]).toEqual([0x811c9dc5, 0xe40c292c, 0xbf9cf968]);
  });

  it('is the same for ever and everywhere: these are in use', () => {
    expect(
      ['ESP-001', 'Well 7', 'Bohrung Süd 7', '井戸'].map((id) => [partitionOf(id, 4), partitionOf(id, 64)]),
    ).toEqual([
      [1, 25],
      [0, 20],
      [3, 27],
      [0, 36],
    ]);
  });

  it('is by the bytes of UTF-8, whatever the characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 64 }), (id, partitions) => {
        expect(partitionOf(id, partitions)).toBe(slowFnv1a(id) % partitions);
      }),
    );
  });

  it('spreads the devices of a field over all partitions', () => {
    const names: ((number: number) => string)[] = [
      (number) => `ESP-${String(number).padStart(4, '0')}`,
      (number) => `well ${number}`,
      (number) => `north/pad-${number % 16}/esp-${number}`,
    ];
    for (const name of names) {
      for (const partitions of [2, 3, 4, 8, 16, 64]) {
        const counts = new Array<number>(partitions).fill(0);
        const devices = 200 * partitions;
        for (let number = 0; number < devices; number++) (counts[partitionOf(name(number), partitions)] as number)++;
        expect(Math.min(...counts)).toBeGreaterThan(100);
        expect(Math.max(...counts)).toBeLessThan(300);
      }
    }
  });
});
