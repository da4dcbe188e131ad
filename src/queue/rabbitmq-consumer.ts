/**
 * The consumer of a queue on RabbitMQ, of all its partitions together, over any number of connections: each new one goes
 * on where the broker says.
 *
 * What was handed out on a connection that is gone cannot be acknowledged any more: the broker delivers it again. It
 * counts against the prefetch until it is settled here, so that repetitions do not pile up in memory.
 */
import type { Channel, ConsumeMessage } from 'amqplib';
import { OperationalError } from '../telemetry/operational-error.js';
import { withinTime } from '../telemetry/time-limit.js';
import type { ConsumeOptions, Consumer, Delivery } from './queue.js';
import type { MessageSize } from './rabbitmq-accounts.js';
import { closeChannel, ignoreConnectionLoss, isConnectionLoss } from './rabbitmq-connection.js';
import type { RabbitmqLane } from './rabbitmq-lane.js';
import { fromDelivery, messageIdOf } from './rabbitmq-message.js';

export interface RabbitmqConsumerOptions {
  /** Read together on one channel, so that an acknowledgement covers all of them. */
  readonly lanes: readonly RabbitmqLane[];
  readonly prefetch: ConsumeOptions;
  readonly deliver: (delivery: Delivery) => void;
  /** Attaches this consumer to a fresh channel, now or as soon as there is a connection. */
  readonly attachAnew: () => Promise<void>;
  /** The channel has ended by itself. */
  readonly onLost: () => void;
}

interface Outstanding {
  readonly tag: number;
  readonly lane: RabbitmqLane;
  readonly channel: Channel;
  /** The broker's number of it, on that channel. */
  readonly deliveryTag: number;
  readonly size: MessageSize;
}

/** Asked for at first, when nobody knows how large messages are: a backlog of large ones would be sent for nothing. */
const FIRST_PREFETCH = 2000;
const MAX_PREFETCH = 65_535;
const ANSWER_TIMEOUT_MS = 15_000;
/** Weight of the mean size: the messages of the recent past. */
const MEAN_OVER_MESSAGES = 1000;
/** So much smaller have messages to be than expected before it is worth a new channel. */
const WORTH_RENEWING = 4;

export class RabbitmqConsumer implements Consumer {
  readonly #options: RabbitmqConsumerOptions;
  #channel: Channel | undefined;
  /** What the broker calls the consumers on the channel, one a lane. */
  #consumerTags: string[] = [];
  /** Sent by the broker, and to be handed out once there is room. */
  #held: ConsumeMessage[] = [];
  /** Whence each of those came: a list beside it, since an object of its own for every message would cost. */
  #heldLanes: RabbitmqLane[] = [];
  #heldBytes = 0;
  /** Sent by the broker on this channel, and not kept: it has them, and does not say that they are ready. */
  readonly #dropped = new Map<RabbitmqLane, number>();
  /**
   * AMQP bounds messages, not bytes: this many are asked for, by their mean size. If they are too large all the same, what
   * does not fit is dropped (the broker has it), and once the rest is settled a new channel begins with a better number.
   */
  #prefetchMessages: number;
  #meanBytes = 0;
  #isRenewing = false;
  /** Lanes that have delivered nothing on this channel yet: another consumer may be the active one. */
  readonly #quiet = new Set<RabbitmqLane>();
  /** Handed out and not acknowledged, oldest first. */
  readonly #outstanding: Outstanding[] = [];
  #outstandingBytes = 0;
  #lastTag = 0;
  #stopped = false;

  constructor(options: RabbitmqConsumerOptions) {
    this.#options = options;
    this.#prefetchMessages = Math.min(options.prefetch.prefetchMessages, FIRST_PREFETCH);
  }

  get isStopped(): boolean {
    return this.#stopped;
  }

  /** It has no channel, and wants one. */
  get isWaiting(): boolean {
    return !this.#stopped && this.#channel === undefined;
  }

  /** Sent by the broker and not handed out, whether kept here or not. */
  heldOf(wanted: RabbitmqLane): number {
    const dropped = this.#dropped.get(wanted) ?? 0;
    return this.#heldLanes.reduce((count, lane) => count + (lane === wanted ? 1 : 0), dropped);
  }

  /** Goes on with this channel. */
  async attach(channel: Channel): Promise<void> {
    if (this.#channel !== undefined || this.#stopped) return await closeChannel(channel); // somebody else was faster
    this.#channel = channel;
    this.#beginAnew();
    this.#isRenewing = false;
    channel.on('error', () => {}); // followed by `close`
    channel.on('close', () => this.#detach(channel));
    channel.on('handler-error', (error) => {
      // A delivery may overtake the answer to a cancellation: the broker gives it to the next consumer.
      if (!error.message.startsWith('Unknown consumer')) throw error;
    });
    this.#consumerTags = [];
    const { lanes } = this.#options;
    for (const lane of lanes) this.#quiet.add(lane);
    await channel.prefetch(this.#prefetchOfLane());
    for (const lane of lanes) {
      if (this.#stopped) return;
      await this.#attachLane(channel, lane);
    }
  }

  async #attachLane(channel: Channel, lane: RabbitmqLane): Promise<void> {
    const { queue } = lane.route;
    const consuming = channel.consume(queue, (message) => {
      if (message === null)
        this.#detach(channel); // the queue was deleted
      else this.#receive(channel, lane, message);
    });
    // A quorum queue without a leader leaves the question unanswered for a minute and longer.
    const { consumerTag } = await withinTime(consuming, ANSWER_TIMEOUT_MS, () => leaderless(queue));
    if (this.#channel === channel) this.#consumerTags.push(consumerTag);
  }

  async acknowledgeThrough(tag: number): Promise<void> {
    if (tag > this.#lastTag) throw new RangeError(`delivery ${tag} has not been made`);
    const beyond = this.#outstanding.findIndex((outstanding) => outstanding.tag > tag);
    const settled = this.#outstanding.splice(0, beyond === -1 ? this.#outstanding.length : beyond);
    if (settled.length === 0) return;
    const channel = this.#channel;
    const last = settled.findLast((outstanding) => outstanding.channel === channel);
    for (const { lane, size } of settled) {
      this.#outstandingBytes -= size.bytes;
      lane.accounts.settled(size);
    }
    try {
      if (channel === undefined || last === undefined) return;
      acknowledge(channel, last.deliveryTag);
      this.#handOut();
      await channel.checkQueue(last.lane.route.queue); // an answer behind the acknowledgement: the broker has it
    } catch (error) {
      // On a connection that ends meanwhile nobody knows whether it arrived. If not, the messages come again.
      if (!isConnectionLoss(error)) throw error;
    } finally {
      this.#handOut();
    }
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#drop();
    const channel = this.#channel;
    if (channel === undefined) return;
    const cancelled = this.#consumerTags.map((consumerTag) => channel.cancel(consumerTag));
    for (const cancellation of cancelled) await cancellation.catch(ignoreConnectionLoss);
  }

  /** After `stop`: gives back what is not acknowledged, in order; from now on nothing can be acknowledged. */
  async close(): Promise<void> {
    for (const { lane, size } of this.#outstanding.splice(0)) lane.accounts.returned(size);
    const channel = this.#channel;
    this.#channel = undefined;
    if (channel === undefined) return;
    // Not with a nack: a quorum queue puts what is refused at its end, and what a closed channel held at its head.
    await closeChannel(channel).catch(ignoreConnectionLoss);
  }

  #receive(channel: Channel, lane: RabbitmqLane, message: ConsumeMessage): void {
    if (this.#stopped || channel !== this.#channel) return; // comes again
    if (this.#quiet.size > 0 && this.#quiet.delete(lane)) this.#options.prefetch.onTakenOver?.();
    const bytes = message.content.byteLength;
    this.#meanBytes += (bytes - this.#meanBytes) / (this.#meanBytes === 0 ? 1 : MEAN_OVER_MESSAGES);
    if (this.#held.length > 0 && this.#heldBytes + bytes > this.#options.prefetch.prefetchBytes) {
      this.#meanBytes = Math.max(this.#meanBytes, (this.#heldBytes + bytes) / (this.#held.length + 1));
      this.#isRenewing = true;
      this.#tellIfFull();
    }
    if (this.#isRenewing) return this.#noteDropped(lane);
    this.#held.push(message);
    this.#heldLanes.push(lane);
    this.#heldBytes += bytes;
    this.#handOut();
  }

  #handOut(): void {
    if (this.#stopped || this.#channel === undefined) return;
    const lanes = this.#heldLanes;
    let handed = 0;
    for (const message of this.#held) {
      if (!this.#hasRoomFor(message)) break;
      const lane = lanes[handed++] as RabbitmqLane;
      this.#heldBytes -= message.content.byteLength;
      this.#deliver(this.#channel, lane, message);
    }
    if (handed > 0) {
      this.#held.splice(0, handed);
      this.#heldLanes.splice(0, handed);
    }
    this.#considerRenewing(this.#channel);
    this.#tellIfFull();
  }

  #tellIfFull(): void {
    if (this.#outstanding.length === 0) return;
    if (this.#held.length > 0 || this.#isRenewing || this.#isBoundByCount()) this.#options.prefetch.onFull?.();
  }

  #noteDropped(lane: RabbitmqLane): void {
    this.#dropped.set(lane, (this.#dropped.get(lane) ?? 0) + 1);
  }

  /** The broker has what the channel held. */
  #beginAnew(): void {
    this.#drop();
    this.#dropped.clear();
  }

  #drop(): void {
    for (const lane of this.#heldLanes) this.#noteDropped(lane);
    this.#held = [];
    this.#heldLanes = [];
    this.#heldBytes = 0;
  }

  /** How many messages of the size seen lately make up the prefetch in bytes. */
  #suitablePrefetch(): number {
    const { prefetchMessages, prefetchBytes } = this.#options.prefetch;
    const fitting = Math.floor(prefetchBytes / Math.max(1, this.#meanBytes));
    return Math.max(1, Math.min(prefetchMessages, MAX_PREFETCH, fitting));
  }

  #considerRenewing(channel: Channel): void {
    if (this.#isBoundByCount() && this.#suitablePrefetch() >= this.#prefetchMessages * WORTH_RENEWING)
      this.#isRenewing = true;
    const inUse = this.#held.length > 0 || this.#outstanding.some((outstanding) => outstanding.channel === channel);
    if (!this.#isRenewing || inUse) return;
    this.#channel = undefined;
    void this.#renew(channel);
  }

  /** Whether a queue has as many messages out as it may, and would send more. */
  #isBoundByCount(): boolean {
    return this.#outstanding.length + this.#held.length >= this.#prefetchOfLane();
  }

  /** The broker counts for each consumer. */
  #prefetchOfLane(): number {
    return Math.max(1, Math.floor(this.#prefetchMessages / this.#options.lanes.length));
  }

  async #renew(channel: Channel): Promise<void> {
    this.#prefetchMessages = this.#suitablePrefetch();
    await closeChannel(channel).catch(ignoreConnectionLoss);
    this.#beginAnew();
    await this.#options.attachAnew();
  }

  #hasRoomFor({ content }: ConsumeMessage): boolean {
    if (this.#outstanding.length === 0) return true;
    const { prefetchMessages, prefetchBytes } = this.#options.prefetch;
    const bytes = this.#outstandingBytes + content.byteLength;
    return this.#outstanding.length < prefetchMessages && bytes <= prefetchBytes;
  }

  #deliver(channel: Channel, lane: RabbitmqLane, message: ConsumeMessage): void {
    const { body, headers } = fromDelivery(message);
    const size = { records: headers.records, bytes: message.content.byteLength };
    const tag = ++this.#lastTag;
    this.#outstanding.push({ tag, lane, channel, deliveryTag: message.fields.deliveryTag, size });
    this.#outstandingBytes += size.bytes;
    lane.accounts.delivered(messageIdOf(message), size);
    this.#options.deliver({ tag, body, headers, redelivered: message.fields.redelivered });
  }

  #detach(channel: Channel): void {
    if (this.#channel !== channel) return;
    this.#channel = undefined;
    this.#beginAnew();
    this.#options.onLost();
  }
}

/** This message and all before it on its channel. Of a message, amqplib reads the tag and nothing else for this. */
function acknowledge(channel: Channel, deliveryTag: number): void {
  channel.ack({ fields: { deliveryTag } } as ConsumeMessage, true);
}

function leaderless(queue: string): OperationalError {
  return new OperationalError(
    'queue_unavailable',
    `RabbitMQ gives no consumer to ${queue}: it is starting, or the queue has no leader (rabbitmq-queues quorum_status ${queue}); it is tried again`,
    { retryable: true },
  );
}
