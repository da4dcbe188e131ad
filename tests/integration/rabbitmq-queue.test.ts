import { afterAll, beforeAll } from 'vitest';
import { openRabbitmqBroker } from '../../src/queue/rabbitmq-broker.js';
import { describeQueueContract } from '../contracts/queue.js';
import { startRabbitmq, type RabbitmqServer } from '../support/rabbitmq.js';

let rabbitmq: RabbitmqServer;
let stores = 0;

beforeAll(async () => {
  rabbitmq = await startRabbitmq();
});
afterAll(() => rabbitmq.remove());

const createStore = (partitions: number) => () => {
  const prefix = `store-${++stores}.`;
  const events = { emit: () => undefined };
  return {
    open: () => openRabbitmqBroker({ url: new URL(rabbitmq.url), prefix, partitions, events, newQueueRestMs: 0 }),
  };
};

const known = { countsUnseen: false, ordersPartialReturns: false } as const;
describeQueueContract('RabbitMQ', createStore(0), { ...known, numRuns: 15 });
describeQueueContract('RabbitMQ in 4 partitions', createStore(4), { ...known, partitions: 4, numRuns: 8 });
