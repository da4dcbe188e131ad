/** `downhole queue` as the command line knows it; its code is loaded when it runs. */
import type { Command } from 'commander';

const DECLARE_HELP = `
Every process that publishes does the same at its start; this is for a broker that is set up beforehand, by a user who may
configure it (the others then need to write and read only). Nothing is changed or deleted: what is not as it has to be is
named with the difference and the remedy, and the exit code is 1. RabbitMQ does not tell whether a binding was there before.

Examples:
  DOWNHOLE_QUEUE_URL=amqp://admin:secret@mq.example/telemetry downhole queue declare
  downhole queue declare --config downhole.yaml`;

const STATUS_HELP = `
READY are the messages that wait, those in the hands of consumers apart; of several consumers of a queue one is active, the
others stand by. Nothing is changed. Which node leads a quorum queue AMQP does not tell: rabbitmq-queues quorum_status QUEUE.
A partition that is not in use was one while queue.partitions was larger: nobody reads what is READY in it.
The exit code is 1 if a queue is missing or not as it has to be, or messages wait in a partition that is not in use.

Examples:
  downhole queue status --config downhole.yaml
  downhole queue status --json`;

export function addQueueCommands(program: Command): void {
  const queue = program.command('queue').description('the queues on RabbitMQ: declare them, look at them');
  queue
    .command('declare')
    .description('declare exchanges, queues and bindings, and check those that are there')
    .addHelpText('after', DECLARE_HELP)
    .action(async () => (await import('./queue.js')).declareQueue(program.opts()));
  queue
    .command('status')
    .description('show type, messages that wait and consumers of every queue')
    .option('--json', 'print JSON, for programs')
    .addHelpText('after', STATUS_HELP)
    .action(async (options: object) => (await import('./queue.js')).showQueueStatus({ ...program.opts(), ...options }));
}
