/**
 * Answers shared between readers: ten browsers that ask the same within a moment cost one query, and the one
 * connection of an embedded database stays free for the writes.
 */

interface Entry<T> {
  readonly answer: Promise<T>;
  /** Milliseconds of the cache's clock until which the answer serves; Infinity while it is under way. */
  freshUntilMs: number;
}

export interface AnswerCacheOptions {
  /** How old an answer may be at least … */
  readonly maxAgeMs: number;
  /**
   * … and as a multiple of what it cost: at 10, repeated queries take a tenth of one connection at most. Up to a bound:
   * what took long because it waited for something else must not stand on the page for minutes afterwards.
   */
  readonly costFactor?: number;
  /** Distinct questions that are kept; the one asked longest ago goes first. */
  readonly maxKeys?: number;
  /** Monotonic milliseconds. */
  readonly nowMs?: () => number;
}

const DEFAULT_COST_FACTOR = 10;
const LONGEST_COST_AGE_MS = 30_000;
const DEFAULT_MAX_KEYS = 32;

export class AnswerCache<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #maxAgeMs: number;
  readonly #costFactor: number;
  readonly #maxKeys: number;
  readonly #nowMs: () => number;

  constructor(options: AnswerCacheOptions) {
    this.#maxAgeMs = options.maxAgeMs;
    this.#costFactor = options.costFactor ?? DEFAULT_COST_FACTOR;
    this.#maxKeys = options.maxKeys ?? DEFAULT_MAX_KEYS;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  /** The answer under this key: the one at hand while it is fresh, the one under way, or that of a new `load`. Failures are not kept. */
  get(key: string, load: () => Promise<T>): Promise<T> {
    const startedMs = this.#nowMs();
    const known = this.#entries.get(key);
    if (known !== undefined && known.freshUntilMs > startedMs) return known.answer;
    this.#entries.delete(key);

    const settle = async (): Promise<T> => {
      try {
        const answer = await load();
        const costMs = this.#nowMs() - startedMs;
        const costAgeMs = Math.min(costMs * this.#costFactor, LONGEST_COST_AGE_MS);
        entry.freshUntilMs = this.#nowMs() + Math.max(this.#maxAgeMs, costAgeMs);
        return answer;
      } catch (error) {
        if (this.#entries.get(key) === entry) this.#entries.delete(key);
        throw error;
      }
    };
    const entry: Entry<T> = { answer: Promise.resolve().then(settle), freshUntilMs: Number.POSITIVE_INFINITY };
    this.#entries.set(key, entry);
    this.#evict();
    return entry.answer;
  }

  #evict(): void {
    for (const key of this.#entries.keys()) {
      if (this.#entries.size <= this.#maxKeys) return;
      this.#entries.delete(key);
    }
  }
}
