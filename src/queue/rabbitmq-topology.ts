/**
 * What has to exist on the broker: an exchange with the durable quorum queue of telemetry, and `dlx` with the one of
 * dead letters. Declared on every connection that publishes, so that a broker which lost it gets it back; never changed
 * or deleted.
 */
import type { Channel, ChannelModel } from 'amqplib';
import { OperationalError } from '../telemetry/operational-error.js';
import { closeChannel } from './rabbitmq-connection.js';

/** Where a queue is fed and read. */
export interface Route {
  readonly exchange: string;
  readonly routingKey: string;
  readonly queue: string;
}

export interface Topology {
  readonly telemetry: Route;
  readonly failed: Route;
  /** Parts of `telemetry`, which then holds only what was published without a part. */
  readonly partitions: readonly Route[];
}

export interface TopologyOptions {
  /** In front of every name: several platforms on one virtual host. */
  readonly prefix?: string | undefined;
  readonly partitions?: number | undefined;
}

export function topology({ prefix = '', partitions = 0 }: TopologyOptions = {}): Topology {
  return {
    telemetry: { exchange: `${prefix}telemetry`, routingKey: 'telemetry', queue: `${prefix}telemetry_queue` },
    failed: { exchange: `${prefix}dlx`, routingKey: 'telemetry.failed', queue: `${prefix}telemetry.failed` },
    partitions: Array.from({ length: partitions }, (_, number) => partitionRoute(number, prefix)),
  };
}

/** The way of partition `number`. */
function partitionRoute(number: number, prefix = ''): Route {
  return {
    exchange: `${prefix}telemetry`,
    routingKey: `telemetry.${number}`,
    queue: `${prefix}telemetry_queue.${number}`,
  };
}

/**
 * A node remembers on disk which log belongs to which queue half a second after the queue was made, not before (the
 * `auto_save` of Ra's directory). Killed earlier, a single node starts with an empty queue that never finds a leader, and
 * what it had confirmed is lost (seen at 0.8 s, never at 1.2 s).
 */
export const NEW_QUEUE_REST_MS = 2000;
const NOT_FOUND = 404;
const PRECONDITION_FAILED = 406;
/** From this version on the broker gives up a message after 20 deliveries unless it is told otherwise. */
const DELIVERY_LIMIT_SINCE = 4;

/** The major version of the broker. */
export function majorVersion({ connection }: ChannelModel): number {
  return Number.parseInt(connection.serverProperties.version, 10);
}

/** A queue with its way in, and how it has to be. */
export interface WantedQueue extends Route {
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** Every queue of the topology, as this broker has to have it. */
export function wantedQueues(model: ChannelModel, { telemetry, failed, partitions }: Topology): WantedQueue[] {
  const unlimited = majorVersion(model) >= DELIVERY_LIMIT_SINCE ? { 'x-delivery-limit': -1 } : {};
  // Where a policy bounds the queue, publishing is refused: the default would drop the oldest messages.
  const always = { 'x-queue-type': 'quorum', 'x-overflow': 'reject-publish', ...unlimited };
  const deadLettering = { 'x-dead-letter-exchange': failed.exchange, 'x-dead-letter-routing-key': failed.routingKey };
  // Order per device is kept by one consumer at a time; the others of several processes stand by.
  const single = { 'x-single-active-consumer': true };
  return [
    { ...failed, arguments: always },
    ...[telemetry, ...partitions].map((route) => ({ ...route, arguments: { ...always, ...deadLettering, ...single } })),
  ];
}

/** What the broker says of a queue. */
export interface FoundQueue {
  /** Ready to be delivered: those in the hands of consumers are not counted. */
  readonly messages: number;
  readonly consumers: number;
}

export interface DeclaredQueue extends FoundQueue {
  /** It was not there before. */
  readonly isNew: boolean;
}

/**
 * Declares everything; declaring again changes nothing.
 * @returns the queues by name
 * @throws OperationalError `queue_topology_mismatch`
 */
export async function declareTopology(
  model: ChannelModel,
  wanted: Topology,
): Promise<ReadonlyMap<string, DeclaredQueue>> {
  const declared = new Map<string, DeclaredQueue>();
  for (const queue of wantedQueues(model, wanted)) declared.set(queue.queue, await declareQueue(model, queue));
  return declared;
}

/**
 * Declares a queue with its exchange and its binding.
 * @throws OperationalError `queue_topology_mismatch`
 */
export async function declareQueue(model: ChannelModel, wanted: WantedQueue): Promise<DeclaredQueue> {
  const { exchange, routingKey, queue } = wanted;
  const isNew = (await findQueue(model, queue)) === undefined;
  const found = await asserting(model, wanted, async (channel) => {
    await channel.assertExchange(exchange, 'direct', { durable: true });
    const asserted = await assertQueue(channel, wanted);
    await channel.bindQueue(queue, exchange, routingKey);
    return asserted;
  });
  return { ...found, isNew };
}

/**
 * Compares a queue that is there with what it has to be. (Declaring what is there changes nothing.)
 * @throws OperationalError `queue_topology_mismatch`
 */
export async function compareQueue(model: ChannelModel, wanted: WantedQueue): Promise<void> {
  await asserting(model, wanted, (channel) => assertQueue(channel, wanted));
}

async function assertQueue(channel: Channel, wanted: WantedQueue): Promise<FoundQueue> {
  const { messageCount, consumerCount } = await channel.assertQueue(wanted.queue, {
    durable: true,
    arguments: wanted.arguments,
  });
  return { messages: messageCount, consumers: consumerCount };
}

async function asserting<T>(
  model: ChannelModel,
  wanted: WantedQueue,
  work: (channel: Channel) => Promise<T>,
): Promise<T> {
  try {
    return await onOwnChannel(model, work);
  } catch (error) {
    throw codeOf(error) === PRECONDITION_FAILED ? mismatch(wanted, error as Error) : error;
  }
}

/** Undefined when there is no such queue. */
export function findQueue(model: ChannelModel, queue: string): Promise<FoundQueue | undefined> {
  return ifThere(model, async (channel) => {
    const { messageCount, consumerCount } = await channel.checkQueue(queue);
    return { messages: messageCount, consumers: consumerCount };
  });
}

/** A configured number of partitions has this bound, too. */
const MAX_PARTITIONS = 64;

/** Queues of partitions beyond those of the topology: there were more once. They have no gaps. */
export async function partitionsLeft(
  model: ChannelModel,
  { prefix, partitions = 0 }: TopologyOptions,
): Promise<(FoundQueue & { readonly queue: string })[]> {
  const left: (FoundQueue & { readonly queue: string })[] = [];
  for (let number = partitions; number < MAX_PARTITIONS; number++) {
    const { queue } = partitionRoute(number, prefix);
    const found = await findQueue(model, queue);
    if (found === undefined) break;
    left.push({ queue, ...found });
  }
  return left;
}

/** Whether there is an exchange of this name. */
export async function hasExchange(model: ChannelModel, exchange: string): Promise<boolean> {
  return (await ifThere(model, (channel) => channel.checkExchange(exchange))) !== undefined;
}

async function ifThere<T>(model: ChannelModel, look: (channel: Channel) => Promise<T>): Promise<T | undefined> {
  try {
    return await onOwnChannel(model, look);
  } catch (error) {
    if (codeOf(error) === NOT_FOUND) return undefined;
    throw error;
  }
}

/** The broker closes a channel with its error, so whatever may fail gets one of its own. */
async function onOwnChannel<T>(model: ChannelModel, work: (channel: Channel) => Promise<T>): Promise<T> {
  const channel = await model.createChannel();
  channel.on('error', () => {}); // the call that caused it is told
  const result = await work(channel);
  await closeChannel(channel);
  return result;
}

const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code;

/** `inequivalent arg 'x-queue-type' for queue 'telemetry_queue' in vhost '/': received 'quorum' but current is 'classic'` */
const INEQUIVALENT =
  /inequivalent arg '(.+?)' for (queue|exchange) '(.+?)' in vhost '(.+?)': received (.+?) but current is (.+?)"?$/;

function mismatch(route: Route, error: Error): OperationalError {
  const [, argument, kind = 'queue', name = route.queue, host, wanted, found] = INEQUIVALENT.exec(error.message) ?? [];
  const difference =
    argument === undefined
      ? `is not what this program needs (${error.message})`
      : `of virtual host ${host} has ${argument} = ${found}, and this program needs ${wanted}`;
  const remedy =
    kind === 'queue'
      ? `let a consumer empty it, delete it (rabbitmqctl delete_queue '${name}'), and start again: it is then created as it has to be`
      : `delete it and start again: it is then created as it has to be`;
  return new OperationalError('queue_topology_mismatch', `the ${kind} ${name} ${difference}: ${remedy}`, {
    cause: error,
  });
}
