/**
 * Publishes with confirms: what was sent and not confirmed is bounded in messages and bytes, in the order of the calls.
 * Nothing is repeated here: a publication that fails is its caller's again, and what of it reached the broker all the
 * same comes as a duplicate.
 */
import type { ConfirmChannel } from 'amqplib';
import { OperationalError } from '../telemetry/operational-error.js';
import { withinTime } from '../telemetry/time-limit.js';
import type { OutgoingMessage } from './queue.js';
import type { SentMessage } from './rabbitmq-accounts.js';
import { isConnectionLoss } from './rabbitmq-connection.js';
import { laneOf, type RabbitmqLane, type RabbitmqLanes } from './rabbitmq-lane.js';
import { messageIdOf, toProperties } from './rabbitmq-message.js';
import type { Route } from './rabbitmq-topology.js';

export interface RabbitmqPublisherOptions {
  readonly lanes: RabbitmqLanes;
  /** A publication that is not confirmed after this time has failed. */
  readonly timeoutMs: number;
  readonly isBlocked: () => boolean;
  /** The channel has ended by itself. */
  readonly onLost: () => void;
}

/** Sent and not confirmed; a single message may be larger. */
const WINDOW_MESSAGES = 8192;
const WINDOW_BYTES = 32 * 1024 * 1024;

interface Sent extends SentMessage {
  readonly lane: RabbitmqLane;
  /** How it failed, if it did. */
  failure?: OperationalError | undefined;
}

export class RabbitmqPublisher {
  readonly #options: RabbitmqPublisherOptions;
  #channel: ConfirmChannel | undefined;
  #maxBodyBytes = 0;
  /** By message id, so that a returned message is found. */
  readonly #unconfirmed = new Map<string, Sent>();
  #unconfirmedBytes = 0;
  /** The publication before has been sent in full. */
  #turn: Promise<void> = Promise.resolve();
  #progress: (() => void)[] = [];
  #closed = false;

  constructor(options: RabbitmqPublisherOptions) {
    this.#options = options;
  }

  /** Why nothing can be published at present; undefined where that is not known. */
  get obstacle(): OperationalError | undefined {
    if (this.#channel === undefined) return this.#unavailable();
    return this.#options.isBlocked() ? this.#late() : undefined;
  }

  get unconfirmed(): number {
    return this.#unconfirmed.size;
  }

  /** Goes on with this channel. */
  attach(channel: ConfirmChannel, maxBodyBytes: number): void {
    this.#channel = channel;
    this.#maxBodyBytes = maxBodyBytes;
    channel.on('error', () => {}); // followed by `close`
    channel.on('close', () => this.#detach(channel));
    channel.on('return', (message) => {
      const sent = this.#unconfirmed.get(messageIdOf(message) ?? '');
      if (sent !== undefined) sent.failure = unroutable(sent.lane.route);
    });
  }

  /** @throws OperationalError as in `Queue.publish`, and `queue_unavailable` (retryable), `queue_unroutable` */
  async publish(messages: readonly OutgoingMessage[]): Promise<void> {
    if (this.#closed) throw closedError();
    if (messages.length === 0) return;
    if (this.#channel === undefined) throw this.#unavailable();
    this.#refuseTooLarge(messages);
    const deadlineMs = performance.now() + this.#options.timeoutMs;
    const sent: Sent[] = [];
    const confirmations: Promise<void>[] = [];
    const previous = this.#turn;
    let release: () => void = () => undefined;
    this.#turn = new Promise((resolve) => (release = resolve));
    try {
      try {
        await this.#inTime(previous, deadlineMs);
        for (const message of messages) {
          while (!this.#hasRoomFor(message)) await this.#inTime(this.#moved(), deadlineMs);
          confirmations.push(this.#send(message, sent));
        }
      } finally {
        void previous.then(release);
      }
      await this.#inTime(Promise.all(confirmations), deadlineMs);
    } catch (error) {
      for (const confirmation of confirmations) confirmation.catch(() => {}); // the first failure is told
      for (const message of sent) message.lane.accounts.abandoned(message);
      throw error;
    }
    for (const message of sent) message.lane.accounts.published(message);
  }

  /** No further publications; waits for those under way. */
  async close(): Promise<void> {
    this.#closed = true;
    const deadlineMs = performance.now() + this.#options.timeoutMs;
    while (this.#unconfirmed.size > 0 && this.#channel !== undefined && performance.now() < deadlineMs) {
      await this.#inTime(this.#moved(), deadlineMs).catch(() => {}); // its publisher is told
    }
  }

  #hasRoomFor({ body }: OutgoingMessage): boolean {
    if (this.#channel === undefined) throw this.#unavailable();
    if (this.#unconfirmed.size === 0) return true;
    return this.#unconfirmed.size < WINDOW_MESSAGES && this.#unconfirmedBytes + body.byteLength <= WINDOW_BYTES;
  }

  #send(message: OutgoingMessage, sent: Sent[]): Promise<void> {
    const { body, headers } = message;
    const lane = laneOf(this.#options.lanes, message);
    const { exchange, routingKey } = lane.route;
    const messageId = lane.accounts.nextMessageId();
    const entry: Sent = { lane, messageId, size: { records: headers.records, bytes: body.byteLength } };
    const content = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    sent.push(entry);
    this.#unconfirmed.set(messageId, entry);
    this.#unconfirmedBytes += body.byteLength;
    return new Promise((resolve, reject) => {
      const settle = (error: Error | null): void => {
        this.#unconfirmed.delete(messageId);
        this.#unconfirmedBytes -= body.byteLength;
        for (const wake of this.#progress.splice(0)) wake();
        const failure = error === null ? entry.failure : this.#failureOf(error, lane);
        if (failure === undefined) resolve();
        else reject(failure);
      };
      const channel = this.#channel as ConfirmChannel;
      try {
        channel.publish(exchange, routingKey, content, toProperties(headers, messageId), settle);
      } catch (error) {
        if (!isConnectionLoss(error)) throw error;
        settle(error as Error); // the connection is closing, and the channel has not learnt of it
      }
    });
  }

  #failureOf(error: Error, { route }: RabbitmqLane): OperationalError {
    if (error.message !== 'message nacked') return this.#unavailable(error);
    return new OperationalError(
      'queue_full',
      `RabbitMQ has refused a message for the queue ${route.queue}: it is at its length limit, or has no majority of its replicas; try again later`,
      { retryable: true },
    );
  }

  #unavailable(cause?: unknown): OperationalError {
    return new OperationalError(
      'queue_unavailable',
      'RabbitMQ has not confirmed the message: the connection is lost or slow, and is opened again; try again later',
      { retryable: true, cause },
    );
  }

  #slow(): OperationalError {
    // What waits longest tells which queue it is.
    const { route } = this.#unconfirmed.values().next().value?.lane ?? this.#options.lanes.whole;
    const { queue } = route;
    return new OperationalError(
      'queue_unavailable',
      `RabbitMQ does not confirm messages for ${queue}: it is slow, or the queue has no leader (rabbitmq-queues quorum_status ${queue}); try again later`,
      { retryable: true },
    );
  }

  #late(): OperationalError {
    if (!this.#options.isBlocked()) return this.#channel === undefined ? this.#unavailable() : this.#slow();
    return new OperationalError(
      'queue_full',
      'RabbitMQ takes no messages at present, for want of memory or disk: give it some; try again later',
      { retryable: true },
    );
  }

  /** The same promise, or a failure when the time is over. */
  #inTime<T>(work: Promise<T>, deadlineMs: number): Promise<T> {
    return withinTime(work, Math.max(0, deadlineMs - performance.now()), () => this.#late());
  }

  /** Resolves with the next confirm, or when the channel is lost. */
  #moved(): Promise<void> {
    return new Promise((resolve) => this.#progress.push(resolve));
  }

  #detach(channel: ConfirmChannel): void {
    if (this.#channel !== channel) return;
    this.#channel = undefined; // amqplib has failed what was unconfirmed before it says so
    for (const wake of this.#progress.splice(0)) wake();
    if (!this.#closed) this.#options.onLost();
  }

  #refuseTooLarge(messages: readonly OutgoingMessage[]): void {
    const largest = messages.reduce((most, { body }) => Math.max(most, body.byteLength), 0);
    if (largest <= this.#maxBodyBytes) return;
    throw new OperationalError(
      'message_too_large',
      `a message has ${largest} bytes, and this RabbitMQ takes ${this.#maxBodyBytes}: split it`,
    );
  }
}

function unroutable({ exchange, routingKey, queue }: Route): OperationalError {
  return new OperationalError(
    'queue_unroutable',
    `RabbitMQ has no queue for messages to ${exchange} with the routing key ${routingKey}: bind ${queue} to it, or start again, which does`,
  );
}

/** What a queue says that was closed. */
export function closedError(): OperationalError {
  return new OperationalError('queue_closed', 'the queue is closed: the program is stopping');
}
