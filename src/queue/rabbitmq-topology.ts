/**
 * What has to exist on the broker: an exchange with the durable quorum queue of telemetry, and `dlx` with the one of
 * dead letters. Declared on every connection that publishes, so that a broker which lost it gets it back; never changed
 * or deleted.
 */
import type { Channel, ChannelModel } from 'amqplib';
import { OperationalError } from '../telemetry/operational-error.js';

/** Where a queue is fed and read. */
export interface Route {
  readonly exchange: string;
  readonly routingKey: string;
  readonly queue: string;
}

export interface Topology {
  readonly telemetry: Route;
  readonly failed: Route;
}

/** @param prefix in front of every name: several platforms on one virtual host */
export function topology(prefix = ''): Topology {
  return {
    telemetry: { exchange: `${prefix}telemetry`, routingKey: 'telemetry', queue: `${prefix}telemetry_queue` },
    failed: { exchange: `${prefix}dlx`, routingKey: 'telemetry.failed', queue: `${prefix}telemetry.failed` },
  };
}

const NOT_FOUND = 404;
const PRECONDITION_FAILED = 406;
/** From this version on the broker gives up a message after 20 deliveries unless it is told otherwise. */
const DELIVERY_LIMIT_SINCE = 4;

/** The major version of the broker. */
export function majorVersion({ connection }: ChannelModel): number {
  return Number.parseInt(connection.serverProperties.version, 10);
}

/** A queue as it was found, or made. */
export interface DeclaredQueue {
  /** Messages that are ready in it. */
  readonly messages: number;
  /** It was not there before. */
  readonly isNew: boolean;
}

/**
 * Declares everything; declaring again changes nothing.
 * @throws OperationalError `queue_topology_mismatch`
 */
export async function declareTopology(
  model: ChannelModel,
  { telemetry, failed }: Topology,
): Promise<Record<keyof Topology, DeclaredQueue>> {
  const deadLettering = { 'x-dead-letter-exchange': failed.exchange, 'x-dead-letter-routing-key': failed.routingKey };
  // Order per device is kept by one consumer at a time; the others of several processes stand by.
  const single = { 'x-single-active-consumer': true };
  return {
    failed: await declareRoute(model, failed, {}),
    telemetry: await declareRoute(model, telemetry, { ...deadLettering, ...single }),
  };
}

async function declareRoute(model: ChannelModel, route: Route, queueArguments: object): Promise<DeclaredQueue> {
  const unlimited = majorVersion(model) >= DELIVERY_LIMIT_SINCE ? { 'x-delivery-limit': -1 } : {};
  // Where a policy bounds the queue, publishing is refused: the default would drop the oldest messages.
  const always = { 'x-queue-type': 'quorum', 'x-overflow': 'reject-publish', ...unlimited };
  const isNew = (await countReady(model, route.queue)) === undefined;
  try {
    return await onOwnChannel(model, async (channel) => {
      await channel.assertExchange(route.exchange, 'direct', { durable: true });
      const { messageCount } = await channel.assertQueue(route.queue, {
        durable: true,
        arguments: { ...always, ...queueArguments },
      });
      await channel.bindQueue(route.queue, route.exchange, route.routingKey);
      return { messages: messageCount, isNew };
    });
  } catch (error) {
    throw codeOf(error) === PRECONDITION_FAILED ? mismatch(route, error as Error) : error;
  }
}

/** How many messages are ready in a queue; undefined when there is no such queue. */
export async function countReady(model: ChannelModel, queue: string): Promise<number | undefined> {
  try {
    const { messageCount } = await onOwnChannel(model, (channel) => channel.checkQueue(queue));
    return messageCount;
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
  await channel.close();
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
