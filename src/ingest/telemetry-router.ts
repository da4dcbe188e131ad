/**
 * Sorts what others have published into `telemetry_queue` by device, where the queue has partitions. One message at a time
 * and in order, so that the records of a device stay in theirs. A message is acknowledged once its parts are durable: a
 * crash in between repeats it, and its records end as duplicates.
 */
import type { Events } from '../monitoring/events.js';
import { readBody } from '../pipeline/read-body.js';
import { isRejection } from '../pipeline/read-record.js';
import type { Consumer, Delivery, OutgoingMessage, Queue } from '../queue/queue.js';
import { backoffMs, pause } from '../telemetry/backoff.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { cutRecords, placesOf, sharedPlace, type MessagePart } from './cut-records.js';

export interface TelemetryRouterOptions {
  /** What is to be sorted. */
  readonly unpartitioned: Pick<Queue, 'consume'>;
  /** Where it goes. */
  readonly telemetry: Pick<Queue, 'publish'>;
  readonly partitions: number;
  readonly events: Events;
  /** Epoch microseconds. */
  readonly nowUs: () => number;
}

export interface TelemetryRouter {
  /** Rejects on a programming error, and never resolves. */
  readonly failed: Promise<never>;
  /** Finishes what is under way; the rest stays in the queue. */
  stop(): Promise<void>;
}

const PREFETCH = { prefetchMessages: 2000, prefetchBytes: 16 * 1024 * 1024 };
/** Published together: the repetition after a failure. */
const MAX_MESSAGES = 500;

/** Begins to sort. With several processes one of them does, and the others stand by. */
export async function startTelemetryRouter(options: TelemetryRouterOptions): Promise<TelemetryRouter> {
  const router = new Router(options);
  await router.start();
  return router;
}

class Router implements TelemetryRouter {
  readonly failed: Promise<never>;
  readonly #options: TelemetryRouterOptions;
  readonly #stopping = new AbortController();
  readonly #pending: Delivery[] = [];
  #wake: (() => void) | undefined;
  #consumer: Consumer | undefined;
  readonly #running: Promise<void>;

  constructor(options: TelemetryRouterOptions) {
    this.#options = options;
    this.#running = this.#run();
    this.failed = this.#running.then(() => new Promise<never>(() => undefined));
    this.failed.catch(() => undefined); // whoever runs the role waits for it
  }

  async start(): Promise<void> {
    this.#consumer = await this.#options.unpartitioned.consume(PREFETCH, (delivery) => {
      this.#pending.push(delivery);
      this.#wake?.();
    });
    this.#wake?.();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake?.();
    try {
      await this.#running;
    } finally {
      await this.#consumer?.stop();
    }
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const deliveries = this.#consumer === undefined ? [] : this.#pending.splice(0, MAX_MESSAGES);
      if (deliveries.length > 0) await this.#route(deliveries);
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async #route(deliveries: readonly Delivery[]): Promise<void> {
    const { partitions, nowUs, events } = this.#options;
    const parts = deliveries.map((delivery) => sortMessage(delivery, partitions, nowUs()));
    if (!(await this.#publish(parts.flatMap(({ messages }) => messages)))) return;
    // Where nobody had counted the records of a message one was taken for granted.
    const uncounted = parts.reduce((sum, { uncounted: more }) => sum + more, 0);
    if (uncounted > 0) events.emit('queue_recovered', { queue: 'telemetry', records: uncounted });
    await this.#consumer?.acknowledgeThrough(deliveries.at(-1)?.tag ?? 0);
  }

  /**
   * Repeats until they are durable, whatever the failure is: nobody else has them. After a failure they go one by one:
   * what a full partition refuses in the midst of others would come behind them when there is room again, and each
   * repetition would double all that was taken.
   * @returns false when it was stopped
   */
  async #publish(messages: readonly OutgoingMessage[]): Promise<boolean> {
    let step = messages.length;
    let attempt = 0;
    for (let done = 0; done < messages.length;) {
      try {
        await this.#options.telemetry.publish(messages.slice(done, done + step));
        done += step;
        attempt = 0;
      } catch (error) {
        if (!(error instanceof OperationalError)) throw error;
        if (this.#stopping.signal.aborted) return false;
        step = 1;
        const delayMs = backoffMs(++attempt, Math.random());
        this.#options.events.emit('routing_retried', { code: error.code, attempt, delayMs, error });
        await pause(delayMs, this.#stopping.signal);
      }
    }
    return true;
  }
}

export interface SortedMessage {
  readonly messages: readonly OutgoingMessage[];
  /** Records beyond the one that a message counts for whose records nobody has counted. */
  readonly uncounted: number;
}

/**
 * The parts of a message, each of one partition, with the headers of the whole. One that cannot be read, or not be cut,
 * goes into the first partition as it is; there it becomes a dead letter, or is stored.
 * @param nowUs stands in for the time of reception where nobody gives one
 */
export function sortMessage({ body, headers }: OutgoingMessage, partitions: number, nowUs: number): SortedMessage {
  const receivedUs = headers.receivedUs ?? nowUs;
  const asItIs = (partition: number, records: number | null): SortedMessage => ({
    messages: [{ body, headers: { ...headers, receivedUs, records }, partition }],
    uncounted: Math.max(0, (records ?? 1) - (headers.records ?? 1)),
  });
  const parsed = readBody(body, headers.contentType, { receivedUs, sourceSystem: '' });
  if (isRejection(parsed) || parsed.records.length === 0) return asItIs(0, headers.records);
  const places = placesOf(parsed, partitions);
  const shared = sharedPlace(places);
  if (shared !== undefined) return asItIs(shared, parsed.records.length);
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const parts = cutRecords(bytes, parsed, { places });
  if (isRejection(parts)) return asItIs(0, parsed.records.length);
  return {
    messages: parts.map((part: MessagePart) => ({
      body: part.body,
      headers: { ...headers, receivedUs, records: part.records },
      partition: part.partition,
    })),
    uncounted: Math.max(0, parsed.records.length - (headers.records ?? 1)),
  };
}
