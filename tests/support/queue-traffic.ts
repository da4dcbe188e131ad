/** Numbered messages through a queue in trouble, and the conservation check: what was confirmed comes out, nothing else. */
import { expect } from 'vitest';
import type { Broker, OutgoingMessage } from '../../src/queue/queue.js';
import { OperationalError } from '../../src/telemetry/operational-error.js';
import { Collector, message } from '../contracts/queue.js';

/** 0 … count - 1 */
export const upTo = (count: number): number[] => Array.from({ length: count }, (_, id) => id);

const later = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Publishes once; false when it was refused in a way that trying again may cure. */
async function publish(broker: Broker, outgoing: OutgoingMessage): Promise<boolean> {
  try {
    await broker.telemetry.publish([outgoing]);
    return true;
  } catch (error) {
    if (!(error instanceof OperationalError) || !error.retryable) throw error;
    return false;
  }
}

/** Publishes again what was refused, as a gateway does. */
export async function publishUntilTaken(broker: Broker, outgoing: OutgoingMessage): Promise<void> {
  while (!(await publish(broker, outgoing))) await later(20);
}

export class Traffic {
  readonly #broker: Broker;
  /** What reached the broker, or may have. */
  readonly #sent = new Set<number>();
  readonly #confirmed = new Set<number>();
  #nextId = 0;
  #collector: Collector | undefined;
  #acknowledging: Promise<void> = Promise.resolve();
  #done = false;

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  get collector(): Collector {
    return this.#collector as Collector;
  }

  /** Messages that came, each once, in the order in which they came first. */
  get seen(): number[] {
    return this.#collector === undefined ? [] : [...new Set(this.#collector.ids)];
  }

  get confirmed(): number {
    return this.#confirmed.size;
  }

  /** Publishes so many messages one after the other, each again until it is taken, as a gateway does. */
  async publish(count: number): Promise<void> {
    for (let left = count; left > 0; left--) {
      const id = this.#nextId++;
      while (!(await this.#attempt(id))) await later(20);
    }
  }

  /** Publishes so many at once and repeats none of them; how many were confirmed. */
  async publishOnce(count: number): Promise<number> {
    const attempts = upTo(count).map(() => this.#attempt(this.#nextId++));
    return (await Promise.all(attempts)).filter((taken) => taken).length;
  }

  /** Consumes, and acknowledges what has come every few milliseconds. */
  async consume(prefetch = 100): Promise<void> {
    this.#collector = await Collector.on(this.#broker.telemetry, prefetch);
    this.#acknowledging = (async () => {
      while (!this.#done) {
        const { length } = this.collector.deliveries;
        if (length > 0) await this.collector.acknowledge(length);
        await later(10);
      }
    })();
  }

  /**
   * Waits until everything that was confirmed has come, and ends.
   * @param others what somebody else sent into the same queue
   */
  async finish(...others: readonly number[]): Promise<void> {
    const missing = () => {
      const seen = new Set(this.seen);
      return [...this.#confirmed].filter((id) => !seen.has(id));
    };
    await expect.poll(missing, { timeout: 60_000, interval: 100 }).toEqual([]);
    this.#done = true;
    await this.#acknowledging;
    expect(this.seen.filter((id) => !this.#sent.has(id) && !others.includes(id))).toEqual([]);
    await this.collector.acknowledge(this.collector.deliveries.length);
    await this.collector.consumer.stop();
  }

  async #attempt(id: number): Promise<boolean> {
    this.#sent.add(id);
    const taken = await publish(this.#broker, message(id));
    if (taken) this.#confirmed.add(id);
    return taken;
  }
}
