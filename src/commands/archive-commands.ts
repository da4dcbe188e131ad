/** `downhole archive` as the command line knows it; its code is loaded when it runs. */
import type { Command } from 'commander';

const ARCHIVE_HELP = `
Readings older than archive.afterDays (25) are kept as Parquet in the archive that archive.url names: the directory
"archive" in the data directory, another directory (file:///path), or a container of Azure Blob
(https://ACCOUNT.blob.core.windows.net/telemetry-archive). The role "jobs" archives every hour what is due; these commands
are for doing it now, and for looking.

Works on the database that the configuration names. While a service holds the embedded one, that service archives, and
these commands are refused.`;

const RUN_HELP = `
Each chunk (a day, unless storage.chunkHours says otherwise) becomes a part: written from one snapshot, uploaded, read back
and compared, and only then marked as verified. Nothing is overwritten, and nothing is dropped from the database: that is
the job retain-raw. A chunk that is archived already is compared with its part; if rows came since, or have changed, the
whole chunk becomes a part of the next revision. Interrupted at any moment, run it again.

Examples:
  downhole archive run
  downhole archive run --json`;

const LIST_HELP = `
  exporting   being written, or interrupted: does not count
  verified    in the archive, and compared with what was exported
  stale       the rows of the chunk have changed since, or the part is damaged: the next revision takes its place
  dropped     verified, and its chunk dropped from the database

Examples:
  downhole archive list
  downhole archive list --json`;

const VERIFY_HELP = `
Reads every part that counts and its manifest from the archive, every byte and every value, and compares them with what the
database knows of them. Exit code 1 if anything is missing or has changed; a part whose chunk is still in the database is
then made again by the next run.

Examples:
  downhole archive verify
  downhole archive verify --json`;

export function addArchiveCommands(program: Command): void {
  const archive = program
    .command('archive')
    .description('old readings as Parquet in a directory or in Azure Blob')
    .addHelpText('after', ARCHIVE_HELP);
  archive
    .command('run')
    .description('archive what is due, and compare what is archived')
    .option('--json', 'as JSON')
    .addHelpText('after', RUN_HELP)
    .action(async (options: object) => (await import('./archive.js')).runArchive({ ...program.opts(), ...options }));
  archive
    .command('list')
    .description('list the parts of the archive')
    .option('--json', 'as JSON')
    .addHelpText('after', LIST_HELP)
    .action(async (options: object) => (await import('./archive.js')).listArchive({ ...program.opts(), ...options }));
  archive
    .command('verify')
    .description('read everything in the archive again and compare it')
    .option('--json', 'as JSON')
    .addHelpText('after', VERIFY_HELP)
    .action(async (options: object) => (await import('./archive.js')).verifyArchive({ ...program.opts(), ...options }));
}
