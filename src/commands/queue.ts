/** `downhole queue`: what has to be on RabbitMQ, declared and looked at. */
import { rabbitmqAddress, type RabbitmqAddress } from '../queue/rabbitmq-address.js';
import { declareQueues, lookAtQueues, type QueueState } from '../queue/rabbitmq-inspection.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { loadSettings, type GlobalOptions } from './load-settings.js';
import { printLine, printTable } from './print-table.js';

/**
 * Declares what is missing, one line each.
 * @throws OperationalError `wrong_usage`, `queue_topology_mismatch`, and those of a connection
 */
export async function declareQueue(options: GlobalOptions): Promise<void> {
  await declareQueues(addressOf(options), ({ kind, name, result }) =>
    printLine(`${result.padEnd(8)}  ${kind.padEnd(8)}  ${name}`),
  );
}

/**
 * Prints what is in the queues.
 * @throws OperationalError `wrong_usage`, `queue_missing`, `queue_topology_mismatch`, and those of a connection
 */
export async function showQueueStatus(options: GlobalOptions & { readonly json?: boolean }): Promise<void> {
  const states = await lookAtQueues(addressOf(options));
  if (options.json === true) process.stdout.write(`${JSON.stringify({ queues: states.map(asJson) })}\n`);
  else printTable(['QUEUE', 'TYPE', 'READY', 'CONSUMERS'], states.map(asRow));
  refuseWhatIsWrong(states);
}

const typeOf = ({ found, mismatch }: QueueState): string => {
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
}

function addressOf(options: GlobalOptions): RabbitmqAddress {
  const { config } = loadSettings(options);
  if (config.queue.url === '')
    throw new OperationalError(
      'wrong_usage',
      'queue.url is not set, so the queue is embedded and needs no declaration: `downhole queue` is for RabbitMQ. Set queue.url or DOWNHOLE_QUEUE_URL (amqp://USER:PASSWORD@HOST:PORT/VHOST).',
    );
  return rabbitmqAddress(config.queue);
}
