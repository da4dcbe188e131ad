/** The consumer of an embedded queue: hands out what the prefetch allows, keeps count of them, moves the position. */
import { backoffMs, pause } from '../telemetry/backoff.js';
import type { Events } from '../monitoring/events.js';
import type { ConsumeOptions, Consumer, Delivery, MessageHeaders } from './queue.js';
import type { Frame } from './frame.js';
import { frameTally } from './segment-scan.js';
import { type Segment, type Tally, addTally, zeroTally } from './segment.js';
import type { SegmentedLogPosition } from './segmented-log-position.js';
import { SegmentedLogReader } from './segmented-log-reader.js';
import type { SegmentedLog } from './segmented-log.js';

interface ConsumerOptions {
  readonly log: SegmentedLog;
  readonly position: SegmentedLogPosition;
  readonly queue: string;
  readonly events: Events;
  readonly prefetch: ConsumeOptions;
  readonly deliver: (delivery: Omit<Delivery, 'redelivered'>) => void;
  readonly mapError: (error: unknown) => unknown;
}

interface Outstanding {
  readonly tag: number;
  readonly segment: Segment;
  readonly tally: Tally;
}

export class EmbeddedQueueConsumer implements Consumer {
  readonly #options: ConsumerOptions;
  readonly #reader: SegmentedLogReader;
  /** Delivered and not acknowledged, oldest first. */
  readonly #outstanding: Outstanding[] = [];
  #outstandingBytes = 0;
  /** Read, and to be delivered once there is room. */
  #waiting: { segment: Segment; frame: Frame } | undefined;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  #lastTag = 0;
  #wanted: number;
  #moving: Promise<void> | undefined;
  #closed = false;
  #readFailures = 0;
  #wake: (() => void) | undefined;
  #awake = false;

  constructor(options: ConsumerOptions) {
    this.#options = options;
    this.#wanted = options.position.sequence;
    this.#reader = new SegmentedLogReader(options.log, options.position.sequence, (segment) => this.#held(segment));
    this.#running = this.#run();
  }

  get isStopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** There may be something to do: a message, room for one, or the end. */
  wake(): void {
    this.#awake = true;
    this.#wake?.();
  }

  async acknowledgeThrough(tag: number): Promise<void> {
    if (tag > this.#lastTag) throw new RangeError(`delivery ${tag} has not been made`);
    while (this.#options.position.sequence < tag) {
      if (this.#closed) throw new Error('acknowledged on a consumer that another one has followed');
      this.#wanted = Math.max(this.#wanted, tag);
      await (this.#moving ??= this.#movePosition());
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.wake();
    await this.#running;
  }

  /** After `stop`: from now on deliveries can no longer be acknowledged. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#moving?.catch(() => undefined); // whoever acknowledged has been told
  }

  async #run(): Promise<void> {
    try {
      while (!this.isStopped) {
        this.#waiting ??= this.#reader.take();
        if (this.#waiting === undefined && (await this.#readOn())) continue;
        if (this.#waiting !== undefined && this.#hasRoomFor(this.#waiting.frame)) this.#deliver(this.#waiting);
        else {
          if (this.#waiting !== undefined) this.#options.prefetch.onFull?.();
          await this.#sleep();
        }
      }
    } finally {
      await this.#reader.close();
    }
  }

  #hasRoomFor(frame: Frame): boolean {
    const { prefetchMessages, prefetchBytes } = this.#options.prefetch;
    if (this.#outstanding.length === 0) return true;
    const bytes = this.#outstandingBytes + frame.body.byteLength;
    return this.#outstanding.length < prefetchMessages && bytes <= prefetchBytes;
  }

  /** Reads in more; false at the end of the log. When the disk does not answer it waits and says true: try again. */
  async #readOn(): Promise<boolean> {
    try {
      const more = await this.#reader.advance();
      this.#readFailures = 0;
      return more;
    } catch (error) {
      if (typeof (error as NodeJS.ErrnoException).code !== 'string') throw error;
      this.#options.events.emit('queue_troubled', { queue: this.#options.queue, error });
      await pause(backoffMs(this.#readFailures++ + 1, Math.random()), this.#stopping.signal);
      return true;
    }
  }

  #deliver({ segment, frame }: { segment: Segment; frame: Frame }): void {
    this.#waiting = undefined;
    this.#lastTag = frame.sequence;
    this.#outstanding.push({ tag: frame.sequence, segment, tally: frameTally(frame) });
    this.#outstandingBytes += frame.body.byteLength;
    const headers = JSON.parse(frame.headers.toString()) as MessageHeaders;
    this.#options.deliver({ tag: frame.sequence, headers, body: frame.body });
  }

  async #movePosition(): Promise<void> {
    const { log, position, queue, events, mapError } = this.#options;
    const wanted = this.#wanted;
    try {
      await position.moveTo(wanted);
      this.#settleThrough(wanted);
      this.wake();
      await log.deleteSettled().catch((error: unknown) => {
        // The acknowledgement stands; the file goes with the next one, or on the next opening.
        events.emit('queue_troubled', { queue, error });
      });
    } catch (error) {
      throw mapError(error);
    } finally {
      this.#moving = undefined;
    }
  }

  #settleThrough(sequence: number): void {
    let settled = 0;
    for (const { tag, segment, tally } of this.#outstanding) {
      if (tag > sequence) break;
      this.#options.log.settle(segment, tally);
      this.#outstandingBytes -= tally.bodyBytes;
      settled++;
    }
    this.#outstanding.splice(0, settled);
  }

  #held(segment: Segment): Tally {
    const held = zeroTally();
    for (const outstanding of this.#outstanding) {
      if (outstanding.segment === segment) addTally(held, outstanding.tally);
    }
    return held;
  }

  async #sleep(): Promise<void> {
    if (!this.#awake) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#wake = undefined;
    this.#awake = false;
  }
}
