/**
 * The references of the windows that are looked at, kept for a while: medians are what costs. Flat, since a device has as many
 * of them as there are windows.
 */
import { CHANNEL_COUNT } from '../../telemetry/channels.js';
import { type StateReader, StateMismatch, type StateWriter } from '../state-bytes.js';
import type { Reference } from './reference.js';
import { UNREST_LAGS } from './unrest.js';

export interface KeptReference {
  /** Buckets that there had been when it was made. */
  readonly atCount: number;
  /** Frequency that it was made for, Hz. */
  readonly frequencyHz: number;
  readonly reference: Reference;
}

/** Per window, before its lists of figures: when and what for; and what the reference says of itself. */
const AT_COUNT = 0;
const FOR_HZ = 1;
const BUCKETS = 2;
const OWN_HZ = 3;
const IS_CONVERTED = 4;
const LISTS = 5;
/** Middle, spread, roughness, and unrest over each distance. */
const UNREST = 3;
const SIZE = LISTS + (UNREST + UNREST_LAGS.length) * CHANNEL_COUNT;

export class ReferenceCache {
  #figures = new Float64Array(0);

  /** @param window number of the window, 0, 1, … */
  get(window: number): KeptReference | undefined {
    const at = window * SIZE;
    if (at >= this.#figures.length || Number.isNaN(this.#figures[at + AT_COUNT])) return undefined;
    const figure = (which: number): number => this.#figures[at + which] as number;
    const list = (which: number): Float64Array => {
      const from = at + LISTS + which * CHANNEL_COUNT;
      return this.#figures.subarray(from, from + CHANNEL_COUNT);
    };
    return {
      atCount: figure(AT_COUNT),
      frequencyHz: figure(FOR_HZ),
      reference: {
        buckets: figure(BUCKETS),
        frequencyHz: figure(OWN_HZ),
        isConverted: figure(IS_CONVERTED) === 1,
        middle: list(0),
        spread: list(1),
        roughness: list(2),
        unrest: UNREST_LAGS.map((_, which) => list(UNREST + which)),
      },
    };
  }

  set(window: number, { atCount, frequencyHz, reference }: KeptReference): void {
    const at = window * SIZE;
    if (at >= this.#figures.length) {
      const grown = new Float64Array(at + SIZE).fill(Number.NaN);
      grown.set(this.#figures);
      this.#figures = grown;
    }
    this.#figures.set(
      [atCount, frequencyHz, reference.buckets, reference.frequencyHz, reference.isConverted ? 1 : 0],
      at,
    );
    const { middle, spread, roughness, unrest } = reference;
    for (const [which, list] of [middle, spread, roughness, ...unrest].entries())
      this.#figures.set(list, at + LISTS + which * CHANNEL_COUNT);
  }

  save(writer: StateWriter): void {
    writer.numbers(this.#figures);
  }

  /** @throws StateMismatch */
  restore(reader: StateReader): void {
    const figures = reader.numbers();
    if (figures.length % SIZE !== 0) throw new StateMismatch(`${figures.length} figures of references`);
    this.#figures = figures;
  }
}
