/** RabbitMQ for whoever looks after it: what is there, and what has to be there. */
import type { ChannelModel } from 'amqplib';
import { setTimeout as sleep } from 'node:timers/promises';
import { OperationalError } from '../telemetry/operational-error.js';
import type { RabbitmqAddress } from './rabbitmq-address.js';
import { RabbitmqConnection } from './rabbitmq-connection.js';
import {
  compareQueue,
  declareQueue,
  findQueue,
  hasExchange,
  NEW_QUEUE_REST_MS,
  partitionsLeft,
  topology,
  wantedQueues,
  type FoundQueue,
} from './rabbitmq-topology.js';

const HEARTBEAT_SECONDS = 10;

/** The broker to look at, and how many partitions the queue has to have there. */
export interface InspectedBroker extends RabbitmqAddress {
  readonly partitions: number;
}

export interface QueueState {
  readonly queue: string;
  /** A partition of former times: it belongs to nothing that is configured. */
  readonly isLeft: boolean;
  /** Undefined when there is no such queue. */
  readonly found: FoundQueue | undefined;
  /** What is not as it has to be, with the remedy. */
  readonly mismatch: string | undefined;
}

/** Something that was declared. RabbitMQ does not tell whether a binding was there before. */
export interface DeclaredPart {
  readonly kind: 'exchange' | 'queue' | 'binding';
  readonly name: string;
  readonly result: 'created' | 'present' | 'bound' | 'mismatch';
}

/**
 * What the queues are like; declares nothing.
 * @throws OperationalError those of `connectionError`
 */
export function lookAtQueues(broker: InspectedBroker): Promise<QueueState[]> {
  return withModel(broker, (model) => readStates(model, broker.partitions));
}

/**
 * Declares what is missing, and looks whether the rest is as it has to be. A new queue is left alone for a moment at the
 * end, so that whoever starts afterwards may publish at once.
 * @param report is told of every exchange, queue and binding
 * @throws OperationalError those of `connectionError`, and `queue_topology_mismatch` for all mismatches together
 */
export async function declareQueues(broker: InspectedBroker, report: (part: DeclaredPart) => void): Promise<void> {
  const mismatches: string[] = [];
  const { partitions } = broker;
  await withModel(broker, async (model) => {
    let anyIsNew = false;
    const exchanges = new Set<string>();
    for (const wanted of wantedQueues(model, topology({ partitions }))) {
      const { exchange, queue, routingKey } = wanted;
      const exchangeWasThere = exchanges.has(exchange) || (await hasExchange(model, exchange));
      try {
        const { isNew } = await declareQueue(model, wanted);
        anyIsNew ||= isNew;
        if (!exchanges.has(exchange))
          report({ kind: 'exchange', name: exchange, result: exchangeWasThere ? 'present' : 'created' });
        exchanges.add(exchange);
        report({ kind: 'queue', name: queue, result: isNew ? 'created' : 'present' });
        report({ kind: 'binding', name: `${exchange} → ${queue} (${routingKey})`, result: 'bound' });
      } catch (error) {
        mismatches.push(mismatchOf(error));
        report({ kind: 'queue', name: queue, result: 'mismatch' });
      }
    }
    if (anyIsNew) await sleep(NEW_QUEUE_REST_MS);
  });
  if (mismatches.length > 0) throw new OperationalError('queue_topology_mismatch', mismatches.join('\n'));
}

/**
 * The version of the broker and what is in its queues, in words.
 * @throws OperationalError those of `connectionError`, and `queue_topology_mismatch`
 */
export async function inspectRabbitmq(broker: InspectedBroker): Promise<string> {
  return await withModel(broker, async (model) => {
    const states = await readStates(model, broker.partitions);
    const mismatches = states.flatMap(({ mismatch }) => mismatch ?? []);
    if (mismatches.length > 0) throw new OperationalError('queue_topology_mismatch', mismatches.join('\n'));
    return [`RabbitMQ ${model.connection.serverProperties.version}`, ...states.map(inWords)].join('; ');
  });
}

function inWords({ queue, found, isLeft }: QueueState): string {
  if (found === undefined) return `${queue} not there yet: the first start declares it`;
  const left = isLeft ? ' (no longer a partition)' : '';
  return `${queue}${left} ${found.messages} messages ready, ${found.consumers} consumers`;
}

/**
 * Messages that wait in the queues of telemetry, those in the hands of consumers not counted: for a process that has no queue itself.
 * @throws OperationalError those of `connectionError`
 */
export async function countWaiting(broker: InspectedBroker): Promise<number> {
  return await withModel(broker, async (model) => {
    const { telemetry, partitions } = topology({ partitions: broker.partitions });
    let messages = 0;
    for (const { queue } of [telemetry, ...partitions]) messages += (await findQueue(model, queue))?.messages ?? 0;
    return messages;
  });
}

async function readStates(model: ChannelModel, partitions: number): Promise<QueueState[]> {
  const states: QueueState[] = [];
  for (const wanted of wantedQueues(model, topology({ partitions }))) {
    const { queue } = wanted;
    const found = await findQueue(model, queue);
    const mismatch =
      found === undefined ? undefined : await compareQueue(model, wanted).then(() => undefined, mismatchOf);
    states.push({ queue, isLeft: false, found, mismatch });
  }
  for (const { queue, ...found } of await partitionsLeft(model, { partitions }))
    states.push({ queue, isLeft: true, found, mismatch: undefined });
  return states;
}

function mismatchOf(error: unknown): string {
  if (error instanceof OperationalError && error.code === 'queue_topology_mismatch') return error.message;
  throw error;
}

async function withModel<T>(address: RabbitmqAddress, work: (model: ChannelModel) => Promise<T>): Promise<T> {
  const results: T[] = [];
  const connection = await RabbitmqConnection.open({
    url: address.url,
    ca: address.ca,
    purpose: 'inspecting',
    heartbeatSeconds: HEARTBEAT_SECONDS,
    events: { emit: () => undefined }, // the caller is told by the result
    setUp: async (model) => void results.push(await work(model)),
  });
  await connection.close();
  return results[0] as T;
}
