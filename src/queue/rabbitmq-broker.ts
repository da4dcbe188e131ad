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
import { RabbitmqPublisher } from './rabbitmq-publisher.js';
import { RabbitmqQueue } from './rabbitmq-queue.js';
import {
  declareTopology,
  findQueue,
  majorVersion,
  NEW_QUEUE_REST_MS,
  topology,
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
  /** How long nothing is published into a queue that has just been made. */
  readonly newQueueRestMs?: number;
}

type Name = keyof Topology;
const NAMES: readonly Name[] = ['telemetry', 'failed'];
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
  readonly #options: RabbitmqBrokerOptions;
  readonly #topology: Topology;
  #publishing: RabbitmqConnection | undefined;
  #consuming: RabbitmqConnection | undefined;
  /** For questions; on the consuming connection. */
  #control: Channel | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Queues that were made lately: before this time nothing is published, on whatever connection. */
  #restUntilMs = 0;

  constructor(options: RabbitmqBrokerOptions) {
    this.#options = options;
    this.#topology = topology(options.prefix);
    this.telemetry = this.#createQueue('telemetry');
    this.failed = this.#createQueue('failed');
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
          for (const name of NAMES) void this[name].attachConsumer(); // of a consumer that came meanwhile
        },
      });
    } catch (error) {
      await this.#publishing?.close();
      throw error;
    }
    for (const queue of NAMES) {
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
    await this.telemetry.close();
    await this.failed.close();
    await this.#publishing?.close();
    await this.#consuming?.close();
  }

  #createQueue(name: Name): RabbitmqQueue {
    const { events, publishTimeoutMs = 10_000 } = this.#options;
    const accounts = new RabbitmqAccounts({
      recovered: (records) => events.emit('queue_recovered', { queue: name, records }),
      handedOver: (records) => events.emit('queue_handed_over', { queue: name, records }),
    });
    const route = this.#topology[name];
    const publisher = new RabbitmqPublisher({
      route,
      accounts,
      timeoutMs: publishTimeoutMs,
      isBlocked: () => this.#publishing?.isBlocked ?? false,
      onLost: () => this.#publishing?.reset(),
    });
    return new RabbitmqQueue({
      queue: route.queue,
      accounts,
      publisher,
      openChannel: async () => await this.#consuming?.openChannel(),
      onConsumerLost: () => this.#consuming?.reset(),
      onRefused: (code) => events.emit('queue_refused', { queue: name, code }),
    });
  }

  /** Declares what is missing. */
  async #setUpPublishing(model: ChannelModel): Promise<void> {
    const declared = await declareTopology(model, this.#topology);
    const { newQueueRestMs = NEW_QUEUE_REST_MS } = this.#options;
    if ([...declared.values()].some(({ isNew }) => isNew)) this.#restUntilMs = performance.now() + newQueueRestMs;
    await sleep(Math.max(0, this.#restUntilMs - performance.now()));
    for (const name of NAMES) {
      this[name].observed(declared.get(this.#topology[name].queue)?.messages ?? 0);
      this[name].attachPublisher(await model.createConfirmChannel(), maxBodyBytes(majorVersion(model)));
    }
  }

  async #setUpConsuming(model: ChannelModel): Promise<void> {
    const control = await model.createChannel();
    control.on('error', () => {}); // followed by `close`
    control.on('close', () => {
      if (this.#control === control) this.#consuming?.reset();
    });
    for (const name of NAMES) {
      const { queue } = this.#topology[name];
      const found = await findQueue(model, queue);
      if (found === undefined) {
        this.#publishing?.reset(); // it declares, and lets a new queue rest
        throw new OperationalError('queue_unavailable', `the queue ${queue} is gone; it is made again`, {
          retryable: true,
        });
      }
      this[name].observed(found.messages);
    }
    this.#control = control;
    for (const name of NAMES) await this[name].resume(model);
  }

  /** Asks how many messages there are; without an answer the last one stays. */
  async #observe(): Promise<void> {
    const control = this.#control;
    if (control === undefined) return;
    for (const name of NAMES) {
      const { messageCount } = await control.checkQueue(this.#topology[name].queue);
      this[name].observed(messageCount);
    }
  }
}
