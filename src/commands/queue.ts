/** `downhole queue`: what has to be on RabbitMQ, declared and looked at. */
import { rabbitmqAddress } from '../queue/rabbitmq-address.js';
import { declareQueues, lookAtQueues, type InspectedBroker, type QueueState } from '../queue/rabbitmq-inspection.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { loadSettings, type GlobalOptions } from './load-settings.js';
import { printLine, printTable } from './print-table.js';

/**
 * Declares what is missing, one line each.
 * @throws OperationalError `wrong_usage`, `queue_topology_mismatch`, and those of a connection
 */
export async function declareQueue(options: GlobalOptions): Promise<void> {
  await declareQueues(brokerOf(options), ({ kind, name, result }) =>
    printLine(`${result.padEnd(8)}  ${kind.padEnd(8)}  ${name}`),
  );
}

/**
 * Prints what is in the queues.
 * @throws OperationalError `wrong_usage`, `queue_missing`, `queue_topology_mismatch`, `queue_partition_left`, and those of
 *   a connection
 */
export async function showQueueStatus(options: GlobalOptions & { readonly json?: boolean }): Promise<void> {
  const states = await lookAtQueues(brokerOf(options));
  if (options.json === true) process.stdout.write(`${JSON.stringify({ queues: states.map(asJson) })}\n`);
  else printTable(['QUEUE', 'TYPE', 'READY', 'CONSUMERS'], states.map(asRow));
  refuseWhatIsWrong(states);
}

const typeOf = ({ found, mismatch, isLeft }: QueueState): string => {
  if (isLeft) return 'not in use';
  if (found === undefined) return 'missing';
  return mismatch === undefined ? 'quorum' : 'mismatch';
};

const asRow = (state: QueueState): string[] => [
  state.queue,
  typeOf(state),
  String(state.found?.messages ?? '-'),
  String(state.found?.consumers ?? '-'),
];

const asJson = (state: QueueState): object => ({
  name: state.queue,
  type: typeOf(state),
  ready: state.found?.messages ?? null,
  consumers: state.found?.consumers ?? null,
  problem: state.mismatch ?? null,
});

function refuseWhatIsWrong(states: readonly QueueState[]): void {
  const mismatches = states.flatMap(({ mismatch }) => mismatch ?? []);
  if (mismatches.length > 0) throw new OperationalError('queue_topology_mismatch', mismatches.join('\n'));
  const missing = states.filter(({ found }) => found === undefined).map(({ queue }) => queue);
  if (missing.length > 0)
    throw new OperationalError(
      'queue_missing',
      `RabbitMQ has no ${missing.join(', ')}: run \`downhole queue declare\`, or start the service, which does the same`,
    );
  const left = states.filter(({ isLeft, found }) => isLeft && found !== undefined && found.messages > 0);
  if (left.length > 0)
    throw new OperationalError(
      'queue_partition_left',
      `messages wait in ${left.map(({ queue }) => queue).join(', ')}, and nobody reads them where queue.partitions is as here: set it back in every process until they are read`,
    );
}

function brokerOf(options: GlobalOptions): InspectedBroker {
  const { config } = loadSettings(options);
  if (config.queue.url === '')
    throw new OperationalError(
      'wrong_usage',
      'queue.url is not set, so the queue is embedded and needs no declaration: `downhole queue` is for RabbitMQ. Set queue.url or DOWNHOLE_QUEUE_URL (amqp://USER:PASSWORD@HOST:PORT/VHOST).',
    );
  return { ...rabbitmqAddress(config.queue), partitions: config.queue.partitions };
}
