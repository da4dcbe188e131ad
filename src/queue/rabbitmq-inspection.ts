/** A look at RabbitMQ that declares nothing. */
import type { ChannelModel } from 'amqplib';
import { RabbitmqConnection } from './rabbitmq-connection.js';
import { declareTopology, topology } from './rabbitmq-topology.js';

const HEARTBEAT_SECONDS = 10;
const NOT_FOUND = 404;

/**
 * The version of the broker and what is in its queues, in words.
 * @throws OperationalError `queue_unavailable`, `queue_access_refused`, `queue_topology_mismatch`
 */
export async function inspectRabbitmq(url: URL): Promise<string> {
  let found = '';
  const connection = await RabbitmqConnection.open({
    url,
    purpose: 'consuming',
    heartbeatSeconds: HEARTBEAT_SECONDS,
    events: { emit: () => undefined }, // the caller is told by the result
    setUp: async (model) => {
      found = await describe(model);
    },
  });
  await connection.close();
  return found;
}

async function describe(model: ChannelModel): Promise<string> {
  const wanted = topology();
  const queues = [wanted.telemetry.queue, wanted.failed.queue];
  const states: string[] = [];
  let allThere = true;
  for (const queue of queues) {
    const state = await look(model, queue);
    allThere &&= state !== undefined;
    states.push(state === undefined ? `${queue} not there yet: the first start declares it` : `${queue} ${state}`);
  }
  // Declaring what is there changes nothing, and says where it is not as it has to be.
  if (allThere) await declareTopology(model, wanted);
  return `RabbitMQ ${model.connection.serverProperties.version}; ${states.join('; ')}`;
}

/** Undefined when there is no such queue. On a channel of its own: the broker closes it when there is none. */
async function look(model: ChannelModel, queue: string): Promise<string | undefined> {
  const channel = await model.createChannel();
  channel.on('error', () => {}); // the call that caused it is told
  try {
    const { messageCount, consumerCount } = await channel.checkQueue(queue);
    await channel.close();
    return `${messageCount} messages ready, ${consumerCount} consumers`;
  } catch (error) {
    if ((error as { code?: unknown }).code === NOT_FOUND) return undefined;
    throw error;
  }
}
