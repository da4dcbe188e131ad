/**
 * A queue in a directory: a segmented log, the acknowledged position beside it, and a consumer that reads from the
 * disk as it goes, so that a backlog costs no memory. Memory is bounded by what the consumer has not acknowledged.
 *
 * Nothing on disk says what has been delivered; therefore all that is found on opening counts as redelivered.
 */
import { mkdir } from 'node:fs/promises';
import type { Events } from '../monitoring/events.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { EmbeddedQueueConsumer } from './embedded-queue-consumer.js';
import { type LogEntry, MAX_FRAME_BYTES, frameBytes } from './frame.js';
import type { ConsumeOptions, Consumer, Delivery, OutgoingMessage, Queue, QueueDepth, QueueHealth } from './queue.js';
import { SegmentedLogPosition } from './segmented-log-position.js';
import { canWriteInto, syncDirectory } from './segmented-log-files.js';
import { SegmentedLog, positionPath } from './segmented-log.js';

export interface EmbeddedQueueOptions {
  /** The queue's own directory; created when missing, and its parents. The caller holds a lock on it. */
  readonly directory: string;
  readonly name: string;
  /** Bytes on disk that may be unacknowledged; a single publication to an empty queue may be longer. */
  readonly maxBytes: number;
  readonly segmentBytes: number;
  readonly events: Events;
}

export class EmbeddedQueue implements Queue {
  readonly #options: EmbeddedQueueOptions;
  readonly #log: SegmentedLog;
  readonly #position: SegmentedLogPosition;
  /** Frames handed to the log that are not durable yet. */
  #unwrittenBytes = 0;
  #consumer: EmbeddedQueueConsumer | undefined;
  /** Up to this sequence number a message may have been delivered before. */
  #deliveredThrough: number;
  #closed = false;
  /** The last publication was refused: why, and whether that is over. */
  #refusal: { readonly error: OperationalError; readonly isOver: () => Promise<boolean> } | undefined;

  private constructor(options: EmbeddedQueueOptions, log: SegmentedLog, position: SegmentedLogPosition) {
    this.#options = options;
    this.#log = log;
    this.#position = position;
    this.#deliveredThrough = log.lastSequence;
    log.onAppended = () => this.#consumer?.wake();
  }

  /**
   * Opens the queue, verifying everything in it that is not acknowledged.
   * @throws OperationalError `queue_unwritable`, `queue_format_newer`
   */
  static async open(options: EmbeddedQueueOptions): Promise<EmbeddedQueue> {
    const { directory, name, events } = options;
    try {
      await mkdir(directory, { recursive: true });
      const position = await SegmentedLogPosition.open(positionPath(directory));
      try {
        await syncDirectory(directory);
        if (position.wasUnreadable) {
          const file = positionPath(directory);
          events.emit('queue_damaged', { queue: name, file, offset: 0, bytes: 0, messages: 0, setAside: null });
        }
        const acknowledgedThrough = position.wasUnreadable ? undefined : position.sequence;
        const log = await SegmentedLog.open({ ...options, acknowledgedThrough });
        const { messages, records } = log.pending;
        events.emit('queue_opened', { queue: name, messages, records, tornBytes: log.tornBytes });
        return new EmbeddedQueue(options, log, position);
      } catch (error) {
        await position.close();
        throw error;
      }
    } catch (error) {
      throw unwritable(error, directory);
    }
  }

  /**
   * @throws OperationalError `queue_full` and `queue_unwritable`, retryable; `message_too_large`; `queue_closed`.
   *   The bodies must not change before the promise has settled.
   */
  async publish(messages: readonly OutgoingMessage[]): Promise<void> {
    if (this.#closed) throw closedError();
    if (messages.length === 0) return;
    const entries = messages.map(toEntry);
    const bytes = entries.reduce((sum, entry) => sum + frameBytes(entry), 0);
    this.#refuseBeyondBound(bytes);
    this.#unwrittenBytes += bytes;
    try {
      await this.#log.append(entries);
      this.#refusal = undefined;
    } catch (error) {
      const { directory } = this.#options;
      const failure = unwritable(error, directory);
      if (failure instanceof OperationalError) this.#refused(failure, () => canWriteInto(directory));
      throw failure;
    } finally {
      this.#unwrittenBytes -= bytes;
    }
  }

  async consume(options: ConsumeOptions, deliver: (delivery: Delivery) => void): Promise<Consumer> {
    if (this.#closed) throw closedError();
    if (this.#consumer?.isStopped === false) throw new Error('the queue has a consumer: stop it first');
    await this.#consumer?.close();
    const consumer = new EmbeddedQueueConsumer({
      log: this.#log,
      position: this.#position,
      queue: this.#options.name,
      events: this.#options.events,
      prefetch: options,
      mapError: (error) => unwritable(error, this.#options.directory),
      deliver: (delivery) => {
        const redelivered = delivery.tag <= this.#deliveredThrough;
        this.#deliveredThrough = Math.max(this.#deliveredThrough, delivery.tag);
        deliver({ ...delivery, redelivered });
      },
    });
    this.#consumer = consumer;
    return Promise.resolve(consumer);
  }

  depth(): QueueDepth {
    const { messages, records, bodyBytes } = this.#log.pending;
    return { messages, records, bytes: bodyBytes };
  }

  /** After a refusal it is tried whether there is room again: whoever asks may send nothing before that. */
  async health(): Promise<QueueHealth> {
    if (this.#closed) {
      const closed = { ok: false, detail: closedError().message };
      return { publishing: closed, consuming: closed };
    }
    const refusal = this.#refusal;
    if (refusal !== undefined && (await refusal.isOver()) && this.#refusal === refusal) this.#refusal = undefined;
    const error = this.#refusal?.error ?? (this.#isFullFor(1) ? this.#fullError() : undefined);
    return {
      publishing: { ok: error === undefined, detail: error?.message ?? 'open' },
      consuming: { ok: true, detail: 'open' },
    };
  }

  /** Finishes publications and acknowledgements under way, then closes the files. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#consumer?.stop();
    await this.#consumer?.close();
    await this.#log.close();
    await this.#position.close();
  }

  #refuseBeyondBound(bytes: number): void {
    if (!this.#isFullFor(bytes)) return;
    const error = this.#fullError();
    this.#refused(error, async () => !this.#isFullFor(bytes));
    throw error;
  }

  /** An empty queue takes whatever comes: what is longer than the bound could never be published otherwise. */
  #isFullFor(bytes: number): boolean {
    const presentBytes = this.#log.pending.frameBytes + this.#unwrittenBytes;
    return presentBytes > 0 && presentBytes + bytes > this.#options.maxBytes;
  }

  #fullError(): OperationalError {
    const { name, maxBytes } = this.#options;
    return new OperationalError(
      'queue_full',
      `the queue ${name} is at its bound of ${maxBytes} bytes: try again when the pipeline has caught up`,
      { retryable: true },
    );
  }

  #refused(error: OperationalError, isOver: () => Promise<boolean>): void {
    this.#refusal = { error, isOver };
    this.#options.events.emit('queue_refused', { queue: this.#options.name, code: error.code });
  }
}

/** Headers are for facts about a message, not for content. */
const MAX_HEADERS_BYTES = 64 * 1024;

function toEntry({ headers, body }: OutgoingMessage): LogEntry {
  const headersJson = JSON.stringify(headers);
  const headersBytes = Buffer.byteLength(headersJson);
  const entry = { headersJson, headersBytes, body, records: headers.records };
  if (headersBytes <= MAX_HEADERS_BYTES && frameBytes(entry) <= MAX_FRAME_BYTES) return entry;
  throw new OperationalError(
    'message_too_large',
    `a message has ${headersBytes} bytes of headers (at most ${MAX_HEADERS_BYTES}) and ${body.byteLength} of body (at most ${MAX_FRAME_BYTES} together): split it`,
  );
}

function closedError(): OperationalError {
  return new OperationalError('queue_closed', 'the queue is closed: the program is stopping');
}

/** An error of the file system as an operational one; anything else as it is. */
function unwritable(error: unknown, directory: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (error instanceof OperationalError || typeof code !== 'string' || code.startsWith('ERR_')) return error;
  const reason = code === 'ENOSPC' ? 'the disk is full: free some space' : `${code}: check the disk and permissions`;
  return new OperationalError('queue_unwritable', `the queue cannot be written in ${directory} (${reason})`, {
    retryable: true,
    cause: error,
  });
}
