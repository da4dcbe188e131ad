/** How sure the figures are: files are few and differ, so files are what is drawn again, with replacement. */
import { random } from '../random.js';
import { pooled, ratesOf, type Tally } from './tally.js';

const DRAWS = 2000;
const SEED = 1;
/** Of the draws this share lies outside of the interval. */
const OUTSIDE = 0.1;

/** The 90 % interval of the pooled F1; undefined where no file has an anomaly. */
export function f1Interval(tallies: readonly Tally[]): readonly [number, number] | undefined {
  const next = random(SEED);
  const draws: number[] = [];
  for (let draw = 0; draw < DRAWS; draw++) {
    const { f1 } = ratesOf(pooled(tallies.map(() => tallies[Math.floor(next() * tallies.length)] as Tally)));
    if (f1 !== null) draws.push(f1);
  }
  draws.sort((a, b) => a - b);
  const at = (share: number): number => draws[Math.floor(share * (draws.length - 1))] as number;
  return draws.length === 0 ? undefined : [at(OUTSIDE / 2), at(1 - OUTSIDE / 2)];
}
