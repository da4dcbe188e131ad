/**
 * Seeded randomness of the simulator. `Math.random` has no seed, and a fleet must be the same fleet tomorrow.
 * Generator: sfc32 (C. Doty-Humphrey, PractRand), seeded through the finaliser of splitmix32.
 */

/** A well mixed 32-bit word from two; mix32(a, b) ≠ mix32(b, a). */
export function mix32(a: number, b: number): number {
  let word = (Math.imul(a, 0x9e37_79b1) ^ Math.imul(b ^ (a >>> 15), 0x85eb_ca77)) | 0;
  word = Math.imul(word ^ (word >>> 16), 0x21f0_aaad);
  word = Math.imul(word ^ (word >>> 15), 0x735a_2d97);
  return (word ^ (word >>> 15)) >>> 0;
}

const TWO_32 = 4_294_967_296;

/** A stream of numbers that is a function of its two seed words. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number, stream: number) {
    this.#a = mix32(seed, stream);
    this.#b = mix32(this.#a, 1);
    this.#c = mix32(this.#b, 2);
    for (let round = 0; round < 12; round++) this.word();
  }

  /** A whole number 0 … 2³² − 1. */
  word(): number {
    const result = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0;
    return result >>> 0;
  }

  uniform(minimum: number, maximum: number): number {
    return minimum + (maximum - minimum) * (this.word() / TWO_32);
  }

  chance(probability: number): boolean {
    return this.word() / TWO_32 < probability;
  }

  pick<T>(choices: readonly [T, ...T[]]): T {
    return choices[this.word() % choices.length] as T;
  }
}

/** Standard deviation of the sum of four independent bytes. */
const FOUR_BYTES_DEVIATION = Math.sqrt((4 * (256 ** 2 - 1)) / 12);

/**
 * Noise that belongs to an instant: a function of seed and time, not of what was drawn before. Therefore a record
 * that is sent again is the same record, whoever asks for it and in whichever order.
 */
export class InstantNoise {
  #word = 0;

  /** @param second any whole number that identifies the instant, e.g. epoch milliseconds */
  at(seed: number, instant: number): void {
    this.#word = mix32(mix32(seed, instant | 0), Math.floor(instant / TWO_32));
  }

  /** 0 … 1. */
  uniform(): number {
    return this.#next() / TWO_32;
  }

  /**
   * Mean 0, deviation 1, never beyond ±3.5: the sum of the four bytes of one word, which is near enough to a normal
   * distribution for gauge noise and costs one multiplication.
   */
  normal(): number {
    const word = this.#next();
    return ((word & 255) + ((word >>> 8) & 255) + ((word >>> 16) & 255) + (word >>> 24) - 510) / FOUR_BYTES_DEVIATION;
  }

  #next(): number {
    this.#word = (this.#word + 0x9e37_79b9) | 0;
    let word = this.#word;
    word = Math.imul(word ^ (word >>> 16), 0x21f0_aaad);
    word = Math.imul(word ^ (word >>> 15), 0x735a_2d97);
    return (word ^ (word >>> 15)) >>> 0;
  }
}
