/**
 * Moves dead letters from the queue `failed` into the table `dead_letters`: acknowledged after the commit, so a crash
 * repeats at most one batch. While the database is away letters stay in the queue.
 */
import type { Events } from '../monitoring/events.js';
import type { Database } from '../storage/database.js';
import { backoffMs, pause } from '../telemetry/backoff.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { INSERT_DEAD_LETTERS, deadLetterColumns } from './dead-letter-rows.js';
import type { Consumer, Delivery, Queue } from './queue.js';

export interface DeadLetterDrainer {
  /** Writes what is in hand, once; what the database does not take stays in the queue. */
  stop(): Promise<void>;
}

export interface DeadLetterDrainerParts {
  readonly failed: Queue;
  readonly database: Database;
  readonly events: Events;
}

const PREFETCH = { prefetchMessages: 1000, prefetchBytes: 16 * 1024 * 1024 };
/** Letters come in bursts; one insert for each burst. */
const GATHER_MS = 100;

/** Begins to drain; one drainer a queue. */
export async function startDeadLetterDrainer(parts: DeadLetterDrainerParts): Promise<DeadLetterDrainer> {
  const drainer = new Drainer(parts);
  await drainer.start();
  return drainer;
}

class Drainer implements DeadLetterDrainer {
  readonly #parts: DeadLetterDrainerParts;
  readonly #stopping = new AbortController();
  #letters: Delivery[] = [];
  #consumer: Consumer | undefined;
  #draining: Promise<void> | undefined;

  constructor(parts: DeadLetterDrainerParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    this.#consumer = await this.#parts.failed.consume(PREFETCH, (delivery) => {
      this.#letters.push(delivery);
      this.#draining ??= this.#drain();
    });
  }

  async stop(): Promise<void> {
    await this.#consumer?.stop();
    this.#stopping.abort();
    await this.#draining;
  }

  async #drain(): Promise<void> {
    await pause(GATHER_MS, this.#stopping.signal);
    while (this.#letters.length > 0) {
      const batch = this.#letters;
      this.#letters = [];
      if (!(await this.#storeUntilTaken(batch))) break;
    }
    this.#draining = undefined;
  }

  /** Stores, then acknowledges, each until it succeeds; false when stopped before: then the letters stay queued. */
  async #storeUntilTaken(batch: readonly Delivery[]): Promise<boolean> {
    const { database, events } = this.#parts;
    const lastTag = (batch.at(-1) as Delivery).tag;
    // Separately, so that a failing acknowledgement does not count the letters once more.
    if (!(await this.#untilDone(() => database.execute(INSERT_DEAD_LETTERS, deadLetterColumns(batch))))) return false;
    if (!(await this.#untilDone(() => (this.#consumer as Consumer).acknowledgeThrough(lastTag)))) return false;
    events.emit('dead_letters_drained', { letters: batch.length });
    return true;
  }

  async #untilDone(work: () => Promise<unknown>): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      try {
        await work();
        return true;
      } catch (error) {
        if (!(error instanceof OperationalError)) throw error;
        if (this.#stopping.signal.aborted) return false;
        // Not retryable means that somebody has to act (a migration, a right). A dead letter is never given up for it.
        const delayMs = backoffMs(attempt, Math.random());
        this.#parts.events.emit('write_retried', { code: error.code, attempt, delayMs, error });
        await pause(delayMs, this.#stopping.signal);
      }
    }
  }
}
