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

describeQueueContract(
  'RabbitMQ',
  () => {
    const prefix = `store-${++stores}.`;
    const events = { emit: () => undefined };
    return { open: () => openRabbitmqBroker({ url: new URL(rabbitmq.url), prefix, events, newQueueRestMs: 0 }) };
  },
  { countsUnseen: false, ordersPartialReturns: false, numRuns: 15 },
);
