/** The command line of dead letters: `downhole dlq`. */
import type { Command } from 'commander';
import { LIST_HELP, PURGE_HELP, REPLAY_HELP } from './dlq-help.js';

export function addDeadLetterCommands(program: Command): void {
  const dlq = program.command('dlq').description('dead letters: records that could not be stored, with the reason');
  const filtered = (command: Command): Command =>
    command
      .option('--code <code>', 'those with this reason')
      .option('--device <id>', 'those of this device')
      .option('--since <time>', 'those given up at this instant or later (RFC 3339)')
      .option('--until <time>', 'those given up before this instant')
      .option('--text <text>', 'those whose error has this in it')
      .option('--limit <count>', 'so many at most')
      .option('--json', 'print JSON, for programs');
  const collect = (value: string, given: string[] = []): string[] => [...given, value];

  filtered(dlq.command('list').description('list letters, those given up last first'))
    .option('--state <state>', 'new, replayed, purged or all', 'new')
    .option('--groups', 'how many there are of each reason')
    .addHelpText('after', LIST_HELP)
    .action(async (options: object) => (await import('./dlq.js')).listDeadLetters({ ...program.opts(), ...options }));
  dlq
    .command('show')
    .description('show a letter: error, original bytes, and what was done to it')
    .argument('<id>', 'its id, or the beginning of it')
    .option('--raw', 'print nothing but the original bytes')
    .option('--json', 'print JSON, for programs')
    .action(async (id: string, options: object) =>
      (await import('./dlq.js')).showDeadLetter(id, { ...program.opts(), ...options }),
    );
  filtered(dlq.command('replay').description('read letters again, and store their records'))
    .argument('[id...]', 'ids, or the beginnings of them')
    .option('--all', 'all letters that wait')
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--overwrite', 'contradicting values take the place of the stored ones')
    .option('--time-zone <zone>', 'zone of timestamps without offset')
    .option('--timestamp-unit <unit>', 'unit of numeric timestamps: s, ms, us or ns')
    .option('--unit <channel=unit>', 'unit of a channel; may be repeated', collect)
    .option('--set-device <id>', 'device of the records, whatever they say')
    .option('--rename <from=to>', 'what a field should have been called; may be repeated', collect)
    .option('--ndjson', 'the letters hold one record a line')
    .addHelpText('after', REPLAY_HELP)
    .action(async (ids: string[], options: object) =>
      (await import('./dlq.js')).replayDeadLetters(ids, { ...program.opts(), ...options }),
    );
  filtered(dlq.command('purge').description('give letters up for good'))
    .argument('[id...]', 'ids, or the beginnings of them')
    .option('--all', 'all letters that wait')
    .option('--yes', 'do not ask')
    .addHelpText('after', PURGE_HELP)
    .action(async (ids: string[], options: object) =>
      (await import('./dlq.js')).purgeDeadLetters(ids, { ...program.opts(), ...options }),
    );
}
