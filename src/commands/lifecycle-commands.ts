/** The commands around the life of what is stored as the command line knows them; their code is loaded when they run. */
import type { Command } from 'commander';
import type { AddHoldOptions, ListHoldsOptions } from './hold.js';
import type { JobsOptions } from './jobs.js';
import type { PolicyOptions } from './policy.js';
import type { StorageOptions } from './storage.js';

const POLICY_HELP = `
Looks at the configuration and at the policies that a new database gets. With --connect the refresh windows and ages come
from the database that the configuration names (an embedded one has to be free: stop the service first; the service
itself checks at every start, and does not start its jobs on an error).

Exit code 2 and the safe value where something would be lost; warnings change nothing.

Examples:
  downhole policy check
  DOWNHOLE_RETENTION_RAW_DAYS=14 downhole policy check     what would be wrong with it
  downhole policy check --connect --json`;

const WHERE = `
Works on the database that the configuration names. While a service holds the embedded one, it goes through that service,
which asks for a key in DOWNHOLE_API_KEY if it requires keys.`;

const HOLD_HELP = `
Retention drops whole chunks (of a day, say), and a hold keeps every chunk that it overlaps, with the readings of all
devices in it. What becomes of holds is in the audit log: "downhole audit".${WHERE} The key needs the scope admin.

T is RFC 3339 with an offset, a date (from 00:00 UTC), or how long ago: 90min, 24h, 7d; of --expires how far ahead.

Examples:
  downhole hold add --from 2026-10-01 --to 2026-11-01 --device "Well 7" --reason "claim 4711" --expires 365
  downhole hold list
  downhole hold release 3`;

export function addLifecycleCommands(program: Command): void {
  addPolicyCommands(program);
  addHoldCommands(program);
  addJobCommands(program);
  addStorageCommand(program);
}

const STORAGE_HELP = `
Works on the database that the configuration names. While a service holds the embedded one, that service is asked
(GET /v1/storage), whose sizes of the disk are an hour old at most.

Days until the disk is full come from the sizes that the job measure-storage notes each day: free bytes through the median
growth of the last 28 days. They are unknown before the fourth day, and where the disk of the database is on another machine.

Examples:
  downhole storage
  downhole storage --chunks                 each chunk of readings: size, ratio, states
  downhole storage --json | jq .disk.days_until_full`;

function addStorageCommand(program: Command): void {
  program
    .command('storage')
    .description('sizes, compression, chunks by state, lag of the aggregates, and days until the disk is full')
    .option('--chunks', 'list the chunks of readings')
    .option('--json', 'as JSON')
    .addHelpText('after', STORAGE_HELP)
    .action(async (options: StorageOptions) =>
      (await import('./storage.js')).showStorage({ ...program.opts(), ...options }),
    );
}

const JOBS_HELP = `
Works on the database that the configuration names. While a service holds the embedded one, that service runs the jobs: it is
asked for their runs, and none is run by hand.

A job never runs twice at the same time: one that is started by hand waits for a minute while another process has its lane.

Examples:
  downhole jobs list
  downhole jobs history compress --limit 10
  downhole jobs run retain-raw              drop readings past their retention that the archive has`;

/** Below the role `jobs`, which without a further word is a process that runs them all. */
function addJobCommands(program: Command): void {
  const jobs = program.commands.find((command) => command.name() === 'jobs');
  if (jobs === undefined) throw new Error('The role jobs has to be there before the commands below it.');
  jobs
    .command('list')
    .description('show the jobs: last run, outcome, duration, when it is due, what is wrong')
    .option('--json', 'as JSON')
    .addHelpText('after', JOBS_HELP)
    .action(async (options: JobsOptions) => (await import('./jobs.js')).listJobs({ ...program.opts(), ...options }));
  jobs
    .command('history')
    .description('show the last runs')
    .argument('[job]', 'of this job')
    .option('--limit <runs>', 'most runs; default 50')
    .option('--json', 'as JSON')
    .addHelpText('after', JOBS_HELP)
    .action(async (job: string | undefined, options: JobsOptions) =>
      (await import('./jobs.js')).showJobHistory(job, { ...program.opts(), ...options }),
    );
  jobs
    .command('run')
    .description('run a job here and now, to its end')
    .argument('<job>', 'as `downhole jobs list` shows it')
    .option('--json', 'a line of JSON a run')
    .addHelpText('after', JOBS_HELP)
    .action(async (job: string, options: JobsOptions) =>
      (await import('./jobs.js')).runJob(job, { ...program.opts(), ...options }),
    );
}

function addHoldCommands(program: Command): void {
  const hold = program
    .command('hold')
    .description('legal holds: ranges that retention leaves alone')
    .addHelpText('after', HOLD_HELP);
  hold
    .command('add')
    .description('keep a range')
    .requiredOption('--from <T>', 'kept from then on')
    .requiredOption('--to <T>', 'kept until before then')
    .requiredOption('--reason <text>', 'for whoever finds the hold later')
    .option('-d, --device <id>', 'because of this device; default all')
    .option('--expires <T>', 'ends by itself; default when it is released')
    .addHelpText('after', HOLD_HELP)
    .action(async (options: AddHoldOptions) => (await import('./hold.js')).addHold({ ...program.opts(), ...options }));
  hold
    .command('list')
    .description('show the holds in force, newest first')
    .option('-a, --all', 'also those that have ended')
    .option('--json', 'as JSON')
    .action(async (options: ListHoldsOptions) =>
      (await import('./hold.js')).showHolds({ ...program.opts(), ...options }),
    );
  hold
    .command('release')
    .description('leave a range to retention again')
    .argument('<id>', 'as `downhole hold list` shows it')
    .action(async (id: string) => (await import('./hold.js')).endHold(id, program.opts()));
}

function addPolicyCommands(program: Command): void {
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
