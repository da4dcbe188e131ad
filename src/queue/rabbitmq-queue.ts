/** One queue on RabbitMQ: its publisher, its consumer, and what is known about its content. */
import type { Channel, ChannelModel, ConfirmChannel } from 'amqplib';
import { OperationalError } from '../telemetry/operational-error.js';
import type { ConsumeOptions, Consumer, Delivery, OutgoingMessage, Queue, QueueDepth, QueueHealth } from './queue.js';
import { ignoreConnectionLoss, isAccessRefused, isConnectionLoss } from './rabbitmq-connection.js';
import { RabbitmqConsumer } from './rabbitmq-consumer.js';
import type { RabbitmqLane } from './rabbitmq-lane.js';
import { closedError, type RabbitmqPublisher } from './rabbitmq-publisher.js';

export interface RabbitmqQueueOptions {
  /** All that it consists of. */
  readonly lanes: readonly RabbitmqLane[];
  /** Those that are consumed here. */
  readonly consumed: readonly RabbitmqLane[];
  readonly publisher: RabbitmqPublisher;
  /** Opens a channel for a consumer; undefined while there is no connection. */
  readonly openChannel: () => Promise<Channel | undefined>;
  readonly onConsumerLost: () => void;
  readonly onRefused: (code: string) => void;
}

/**
 * So long a refusal counts whose end nobody tells: a policy's length limit, a queue without a leader. Then a publication
 * may show whether it is over.
 */
const REFUSAL_COUNTS_MS = 10_000;
/** A message that is too large says nothing about the queue, and nor does a program that is stopping. */
const NO_OBSTACLE = ['message_too_large', 'queue_closed'];

export class RabbitmqQueue implements Queue {
  readonly #options: RabbitmqQueueOptions;
  #consumer: RabbitmqConsumer | undefined;
  #closed = false;
  /** How the last publication failed, if it did. */
  #refusal: { readonly error: OperationalError; readonly atMs: number } | undefined;

  constructor(options: RabbitmqQueueOptions) {
    this.#options = options;
  }

  async publish(messages: readonly OutgoingMessage[]): Promise<void> {
    try {
      await this.#options.publisher.publish(messages);
      this.#refusal = undefined;
    } catch (error) {
      if (error instanceof OperationalError && !NO_OBSTACLE.includes(error.code))
        this.#refusal = { error, atMs: performance.now() };
      if (error instanceof OperationalError && error.code !== 'queue_closed') this.#options.onRefused(error.code);
      throw error;
    }
  }

  async consume(options: ConsumeOptions, deliver: (delivery: Delivery) => void): Promise<Consumer> {
    if (this.#closed) throw closedError();
    if (this.#consumer?.isStopped === false) throw new Error('the queue has a consumer: stop it first');
    const previous = this.#consumer;
    const { consumed: lanes, onConsumerLost: onLost } = this.#options;
    const attachAnew = (): Promise<void> => this.attachConsumer();
    const consumer = new RabbitmqConsumer({ lanes, prefetch: options, deliver, attachAnew, onLost });
    await previous?.close();
    this.#consumer = consumer;
    try {
      await this.#attach(consumer);
    } catch (error) {
      if (!isAccessRefused(error)) throw error;
      await consumer.stop();
      throw readingRefused(error);
    }
    return consumer;
  }

  depth(): QueueDepth {
    const depths = this.#options.lanes.map(({ accounts }) => accounts.depth());
    const sum = (key: keyof QueueDepth): number => depths.reduce((total, depth) => total + depth[key], 0);
    return { messages: sum('messages'), records: sum('records'), bytes: sum('bytes') };
  }

  health(): Promise<QueueHealth> {
    const isRecent = this.#refusal !== undefined && performance.now() - this.#refusal.atMs < REFUSAL_COUNTS_MS;
    const error = this.#closed
      ? closedError()
      : (this.#options.publisher.obstacle ?? (isRecent ? this.#refusal?.error : undefined));
    const isConnected = !this.#closed && this.#consumer?.isWaiting !== true;
    return Promise.resolve({
      publishing: { ok: error === undefined, detail: error?.message ?? 'RabbitMQ takes messages' },
      consuming: {
        ok: isConnected,
        detail: isConnected ? 'RabbitMQ delivers' : 'there is no connection to RabbitMQ; it is opened again',
      },
    });
  }

  /** Goes on consuming on a new connection. */
  async resume(model: ChannelModel): Promise<void> {
    if (this.#consumer?.isWaiting === true) await this.#consumer.attach(await model.createChannel());
  }

  /** Goes on consuming if that waits for a channel, and there is a connection. */
  async attachConsumer(): Promise<void> {
    const consumer = this.#consumer;
    if (consumer?.isWaiting !== true) return;
    await this.#attach(consumer).catch(ignoreConnectionLoss); // a channel that ends begins the connection anew
  }

  /** What time may heal is left to `resume`. */
  async #attach(consumer: RabbitmqConsumer): Promise<void> {
    try {
      const channel = await this.#options.openChannel();
      if (channel !== undefined) await consumer.attach(channel);
    } catch (error) {
      if (error instanceof OperationalError) this.#options.onConsumerLost();
      else if (isAccessRefused(error) || !isConnectionLoss(error)) throw error;
    }
  }

  /** Goes on publishing on a new connection. */
  attachPublisher(channel: ConfirmChannel, maxBodyBytes: number): void {
    this.#options.publisher.attach(channel, maxBodyBytes);
  }

  /** The broker says how many messages are ready in a lane of it. */
  observed(lane: RabbitmqLane, ready: number): void {
    const { consumed, publisher } = this.#options;
    const consuming = this.#consumer?.isStopped === false && consumed.includes(lane);
    lane.accounts.observed(ready + (this.#consumer?.heldOf(lane) ?? 0), publisher.unconfirmed, consuming);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#options.publisher.close();
    await this.#consumer?.stop();
    await this.#consumer?.close();
  }
}

function readingRefused(cause: unknown): OperationalError {
  return new OperationalError(
    'queue_access_refused',
    `RabbitMQ does not let this user consume (${(cause as Error).message}): give it the permission to read`,
    { cause },
  );
}
