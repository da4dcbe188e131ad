/**
 * Both queues of the platform on RabbitMQ, over two connections: a broker that is short of memory stops reading from
 * those that publish, and acknowledgements have to reach it then more than ever.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Channel, ChannelModel } from 'amqplib';
import type { Events } from '../monitoring/events.js';
import { OperationalError } from '../telemetry/operational-error.js';
import type { Broker } from './queue.js';
import type { RabbitmqAddress } from './rabbitmq-address.js';
import { RabbitmqAccounts } from './rabbitmq-accounts.js';
import { ignoreConnectionLoss, RabbitmqConnection } from './rabbitmq-connection.js';
import { allLanes, type RabbitmqLane, type RabbitmqLanes } from './rabbitmq-lane.js';
import { RabbitmqPublisher } from './rabbitmq-publisher.js';
import { RabbitmqQueue } from './rabbitmq-queue.js';
import {
  declareTopology,
  findQueue,
  majorVersion,
  NEW_QUEUE_REST_MS,
  partitionsLeft,
  topology,
  type Route,
  type Topology,
} from './rabbitmq-topology.js';

export interface RabbitmqBrokerOptions extends RabbitmqAddress {
  readonly events: Events;
  /** In front of every name on the broker; '' unless several platforms share a virtual host. */
  readonly prefix?: string;
  /** A publication that is not confirmed after this time has failed. */
  readonly publishTimeoutMs?: number;
  /** A connection on which nothing comes for two of these is lost. */
  readonly heartbeatSeconds?: number;
  /** How often the broker is asked how many messages there are. */
  readonly observeIntervalMs?: number;
  /** Parts of the queue of telemetry; 0: it is one. */
  readonly partitions?: number;
  /** Which of them are consumed here; empty: all. */
  readonly consumePartitions?: readonly number[];
  /** How long nothing is published into a queue that has just been made. */
  readonly newQueueRestMs?: number;
}

type Name = 'telemetry' | 'failed';
/** Largest message that a broker takes unless configured otherwise: from 4.0 on less. */
const maxBodyBytes = (major: number): number => (major >= 4 ? 16 : 128) * 1024 * 1024;

/**
 * Connects, and declares what is missing.
 * @throws OperationalError those of `connectionError`, and `queue_topology_mismatch`
 */
export async function openRabbitmqBroker(options: RabbitmqBrokerOptions): Promise<Broker> {
  const broker = new RabbitmqBroker(options);
  await broker.open();
  return broker;
}

class RabbitmqBroker implements Broker {
  readonly telemetry: RabbitmqQueue;
  readonly failed: RabbitmqQueue;
  readonly unpartitioned: RabbitmqQueue | undefined;
  readonly partitions: number;
  readonly #options: RabbitmqBrokerOptions;
  readonly #topology: Topology;
  /** Every queue on the broker, and who reads it here. */
  readonly #lanes = new Map<RabbitmqLane, RabbitmqQueue>();
  #publishing: RabbitmqConnection | undefined;
  #consuming: RabbitmqConnection | undefined;
  /** For questions; on the consuming connection. */
  #control: Channel | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Queues that were made lately: before this time nothing is published, on whatever connection. */
  #restUntilMs = 0;

  constructor(options: RabbitmqBrokerOptions) {
    this.#options = options;
    const { prefix, partitions = 0, consumePartitions = [] } = options;
    this.#topology = topology({ prefix, partitions });
    this.partitions = partitions;
    const lanes: RabbitmqLanes = {
      whole: this.#createLane('telemetry', this.#topology.telemetry),
      partitions: this.#topology.partitions.map((route) => this.#createLane('telemetry', route)),
    };
    const failed: RabbitmqLanes = { whole: this.#createLane('failed', this.#topology.failed), partitions: [] };
    this.failed = this.#createQueue('failed', this.#createPublisher(failed), allLanes(failed));
    const publisher = this.#createPublisher(lanes);
    if (partitions === 0) this.telemetry = this.#createQueue('telemetry', publisher, allLanes(lanes));
    else {
      const own = lanes.partitions.filter((_, number) => consumePartitions.includes(number));
      const consumed = own.length === 0 ? lanes.partitions : own;
      this.telemetry = this.#createQueue('telemetry', publisher, allLanes(lanes), consumed);
      this.unpartitioned = this.#createQueue('telemetry', publisher, [lanes.whole]);
    }
  }

  async open(): Promise<void> {
    const { url, ca, events, heartbeatSeconds = 10, observeIntervalMs = 2000 } = this.#options;
    const connection = { url, ca, events, heartbeatSeconds };
    try {
      this.#publishing = await RabbitmqConnection.open({
        ...connection,
        purpose: 'publishing',
        setUp: (model) => this.#setUpPublishing(model),
      });
      this.#consuming = await RabbitmqConnection.open({
        ...connection,
        purpose: 'consuming',
        setUp: (model) => this.#setUpConsuming(model),
        onReady: () => {
          for (const queue of this.#queues) void queue.attachConsumer(); // of a consumer that came meanwhile
        },
      });
    } catch (error) {
      await this.#publishing?.close();
      throw error;
    }
    for (const queue of ['telemetry', 'failed'] as const) {
      const { messages } = this[queue].depth();
      // Nobody knows how many records are in them before they are delivered: then they are reported as recovered.
      events.emit('queue_opened', { queue, messages, records: 0, tornBytes: 0 });
    }
    this.#timer = setInterval(() => void this.#observe().catch(ignoreConnectionLoss), observeIntervalMs);
    this.#timer.unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#control = undefined;
    for (const queue of this.#queues) await queue.close();
    await this.#publishing?.close();
    await this.#consuming?.close();
  }

  get #queues(): RabbitmqQueue[] {
    const { telemetry, unpartitioned, failed } = this;
    return unpartitioned === undefined ? [telemetry, failed] : [telemetry, unpartitioned, failed];
  }

  #createLane(queue: Name, route: Route): RabbitmqLane {
    const { events } = this.#options;
    const accounts = new RabbitmqAccounts({
      recovered: (records) => events.emit('queue_recovered', { queue, records }),
      handedOver: (records) => events.emit('queue_handed_over', { queue, records }),
    });
    return { route, accounts };
  }

  #createPublisher(lanes: RabbitmqLanes): RabbitmqPublisher {
    return new RabbitmqPublisher({
      lanes,
      timeoutMs: this.#options.publishTimeoutMs ?? 10_000,
      isBlocked: () => this.#publishing?.isBlocked ?? false,
      onLost: () => this.#publishing?.reset(),
    });
  }

  #createQueue(
    name: Name,
    publisher: RabbitmqPublisher,
    lanes: readonly RabbitmqLane[],
    consumed = lanes,
  ): RabbitmqQueue {
    const queue = new RabbitmqQueue({
      lanes,
      consumed,
      publisher,
      openChannel: async () => await this.#consuming?.openChannel(),
      onConsumerLost: () => this.#consuming?.reset(),
      onRefused: (code) => this.#options.events.emit('queue_refused', { queue: name, code }),
    });
    for (const lane of lanes) this.#lanes.set(lane, queue); // of what has no partition the reader that comes last
    return queue;
  }

  /** Declares what is missing. */
  async #setUpPublishing(model: ChannelModel): Promise<void> {
    const declared = await declareTopology(model, this.#topology);
    if (this.#publishing === undefined) await this.#reportPartitionsLeft(model); // once, at the start
    const { newQueueRestMs = NEW_QUEUE_REST_MS } = this.#options;
    if ([...declared.values()].some(({ isNew }) => isNew)) this.#restUntilMs = performance.now() + newQueueRestMs;
    await sleep(Math.max(0, this.#restUntilMs - performance.now()));
    for (const [lane, queue] of this.#lanes) queue.observed(lane, declared.get(lane.route.queue)?.messages ?? 0);
    for (const queue of [this.telemetry, this.failed])
      queue.attachPublisher(await model.createConfirmChannel(), maxBodyBytes(majorVersion(model)));
  }

  async #setUpConsuming(model: ChannelModel): Promise<void> {
    const control = await model.createChannel();
    control.on('error', () => {}); // followed by `close`
    control.on('close', () => {
      if (this.#control === control) this.#consuming?.reset();
    });
    for (const [lane, reader] of this.#lanes) {
      const { queue } = lane.route;
      const found = await findQueue(model, queue);
      if (found === undefined) {
        this.#publishing?.reset(); // it declares, and lets a new queue rest
        throw new OperationalError('queue_unavailable', `the queue ${queue} is gone; it is made again`, {
          retryable: true,
        });
      }
      reader.observed(lane, found.messages);
    }
    this.#control = control;
    for (const queue of this.#queues) await queue.resume(model);
  }

  /** Fewer partitions than there were: what waits in the others nobody reads. */
  async #reportPartitionsLeft(model: ChannelModel): Promise<void> {
    for (const { queue, messages } of await partitionsLeft(model, this.#options)) {
      if (messages > 0) this.#options.events.emit('queue_partition_left', { queue, messages });
    }
  }

  /** Asks how many messages there are; without an answer the last one stays. */
  async #observe(): Promise<void> {
    const control = this.#control;
    if (control === undefined) return;
    for (const [lane, reader] of this.#lanes) {
      const { messageCount } = await control.checkQueue(lane.route.queue);
      reader.observed(lane, messageCount);
    }
  }
}
