/** One queue on RabbitMQ: its publisher, its consumer, and what is known about its content. */
import type { Channel, ChannelModel, ConfirmChannel } from 'amqplib';
import { OperationalError } from '../telemetry/operational-error.js';
import type { ConsumeOptions, Consumer, Delivery, OutgoingMessage, Queue, QueueDepth } from './queue.js';
import type { RabbitmqAccounts } from './rabbitmq-accounts.js';
import { RabbitmqConsumer } from './rabbitmq-consumer.js';
import { closedError, type RabbitmqPublisher } from './rabbitmq-publisher.js';

export interface RabbitmqQueueOptions {
  readonly queue: string;
  readonly accounts: RabbitmqAccounts;
  readonly publisher: RabbitmqPublisher;
  /** Opens a channel for a consumer; waits until there is a connection. */
  readonly openChannel: () => Promise<Channel>;
  readonly onConsumerLost: () => void;
  readonly onRefused: (code: string) => void;
}

export class RabbitmqQueue implements Queue {
  readonly #options: RabbitmqQueueOptions;
  #consumer: RabbitmqConsumer | undefined;
  #closed = false;

  constructor(options: RabbitmqQueueOptions) {
    this.#options = options;
  }

  async publish(messages: readonly OutgoingMessage[]): Promise<void> {
    try {
      await this.#options.publisher.publish(messages);
    } catch (error) {
      if (error instanceof OperationalError && error.code !== 'queue_closed') this.#options.onRefused(error.code);
      throw error;
    }
  }

  async consume(options: ConsumeOptions, deliver: (delivery: Delivery) => void): Promise<Consumer> {
    if (this.#closed) throw closedError();
    if (this.#consumer?.isStopped === false) throw new Error('the queue has a consumer: stop it first');
    const previous = this.#consumer;
    const { queue, accounts, openChannel, onConsumerLost: onLost } = this.#options;
    const consumer = new RabbitmqConsumer({ queue, accounts, prefetch: options, deliver, openChannel, onLost });
    await previous?.close();
    await consumer.attach(await openChannel());
    this.#consumer = consumer;
    return consumer;
  }

  depth(): QueueDepth {
    return this.#options.accounts.depth();
  }

  /** Goes on consuming on a new connection. */
  async resume(model: ChannelModel): Promise<void> {
    if (this.#consumer?.isStopped === false) await this.#consumer.attach(await model.createChannel());
  }

  /** Goes on publishing on a new connection. */
  attachPublisher(channel: ConfirmChannel, maxBodyBytes: number): void {
    this.#options.publisher.attach(channel, maxBodyBytes);
  }

  /** The broker says how many messages are ready. */
  observed(ready: number): void {
    const { accounts, publisher } = this.#options;
    const consuming = this.#consumer?.isStopped === false;
    accounts.observed(ready + (this.#consumer?.held ?? 0), publisher.unconfirmed, consuming);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#options.publisher.close();
    await this.#consumer?.stop();
    await this.#consumer?.close();
  }
}
