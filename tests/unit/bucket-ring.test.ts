/** Buckets in flat arrays are the buckets that were put in, whatever else happens between. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Bucket, BucketRing, ringOf } from '../../src/pipeline/diagnosis/bucket-ring.js';
import { StateReader, StateWriter } from '../../src/pipeline/state-bytes.js';
import { CHANNEL_COUNT } from '../../src/telemetry/channels.js';

const MOST = 20;

/** A value that float32 holds exactly; of half of it, too. */
const figure = fc.oneof(fc.constant(Number.NaN), fc.integer({ min: 0, max: 127 }));
const bucket = fc.record({
  fromUs: fc.integer({ min: 0, max: 2e15 }),
  toUs: fc.integer({ min: 0, max: 2e15 }),
  records: fc.integer({ min: 1, max: 65_535 }),
  isSteady: fc.boolean(),
  isExcluded: fc.boolean(),
  channels: fc.array(fc.tuple(fc.nat(CHANNEL_COUNT - 1), figure, figure), { maxLength: 4 }),
});
type Step = { push: Bucket } | { exclude: number } | { save: true };
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: bucket.map(({ channels, ...rest }) => {
      const [means, roughness] = [noReadings(), noReadings()];
      for (const [index, mean, rough] of channels) {
        means[index] = mean;
        // Without a reading there is no difference to the one before.
        roughness[index] = Number.isNaN(mean) ? Number.NaN : rough;
      }
      return { push: { ...rest, means, roughness } };
    }),
  },
  { weight: 1, arbitrary: fc.record({ exclude: fc.nat(MOST) }) },
  { weight: 1, arbitrary: fc.constant({ save: true as const }) },
);

const noReadings = (): Float64Array => new Float64Array(CHANNEL_COUNT).fill(Number.NaN);
const contents = (ring: BucketRing): Bucket[] => ring.select(0, ring.length);

function saved(ring: BucketRing, most: number): BucketRing {
  const writer = new StateWriter();
  ring.save(writer);
  const reader = StateReader.open(writer.finish(1), 1);
  if (typeof reader === 'string') throw new Error(reader);
  const other = new BucketRing(most);
  other.restore(reader);
  reader.end();
  return other;
}

describe('a ring of buckets', () => {
  it('has the newest ones as they were put in, through saving, new channels and its own end', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        let ring = new BucketRing(MOST);
        let model: Bucket[] = [];
        for (const each of steps) {
          if ('push' in each) {
            ring.push(each.push);
            model = [...model, each.push].slice(-MOST);
          } else if ('save' in each) ring = saved(ring, MOST);
          else if (each.exclude < model.length) {
            ring.exclude(each.exclude);
            model = model.map((one, at) => (at === each.exclude ? { ...one, isExcluded: true } : one));
          }
          expect(contents(ring)).toEqual(model);
        }
        const isLong = ({ records }: Bucket): boolean => records > 9000;
        const wanted = ring.select(2, 9, (at) => ring.records(at) > 9000);
        expect(wanted).toEqual(model.slice(2, 9).filter(isLong));
        expect(contents(ringOf(wanted))).toEqual(wanted);
      }),
      { numRuns: 60 },
    );
  });

  it('keeps means as float32, and differences to a third of a per cent', () => {
    const ring = new BucketRing(2);
    const [means, roughness] = [noReadings(), noReadings()];
    means[3] = 1234.567_89;
    roughness[3] = 0.123_456;
    ring.push({ fromUs: 1, toUs: 2, records: 100_000, isSteady: true, isExcluded: false, means, roughness });
    const [kept] = contents(ring);
    expect(kept?.means[3]).toBe(Math.fround(1234.567_89));
    expect(Math.abs((kept?.roughness[3] as number) / 0.123_456 - 1)).toBeLessThan(1 / 256);
    expect(kept?.records).toBe(65_535);
  });

  it('takes no more than it was made for', () => {
    const large = new BucketRing(5);
    for (let at = 0; at < 5; at++)
      large.push({
        fromUs: at,
        toUs: at,
        records: 1,
        isSteady: true,
        isExcluded: false,
        means: noReadings(),
        roughness: noReadings(),
      });
    expect(() => saved(large, 4)).toThrow('5 buckets');
  });
});
