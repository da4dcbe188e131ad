/** The commands around the life of what is stored as the command line knows them; their code is loaded when they run. */
import type { Command } from 'commander';
import type { PolicyOptions } from './policy.js';

const POLICY_HELP = `
Looks at the configuration and at the policies that a new database gets. With --connect the refresh windows and ages come
from the database that the configuration names (an embedded one has to be free: stop the service first; the service
itself checks at every start, and does not start its jobs on an error).

Exit code 2 and the safe value where something would be lost; warnings change nothing.

Examples:
  downhole policy check
  DOWNHOLE_RETENTION_RAW_DAYS=14 downhole policy check     what would be wrong with it
  downhole policy check --connect --json`;

export function addLifecycleCommands(program: Command): void {
  const policy = program.command('policy').description('ages of compression, refresh, archive and retention');
  policy
    .command('check')
    .description('say whether they are safe together')
    .option('--connect', 'with the policies that are in the database')
    .option('--json', 'as JSON')
    .addHelpText('after', POLICY_HELP)
    .action(async (options: PolicyOptions) =>
      (await import('./policy.js')).checkPolicies({ ...program.opts(), ...options }),
    );
}
