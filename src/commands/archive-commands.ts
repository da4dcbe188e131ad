/** `downhole archive` as the command line knows it; its code is loaded when it runs. */
import type { Command } from 'commander';
import { collect } from './collect-option.js';
import type { QueryOptions } from './archive-query.js';
import type { ClearOptions, RestoreOptions } from './archive-restore.js';

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

const RESTORE_HELP = `
Into telemetry_archive (the default), a plain table with the columns of telemetry: for analysis, and emptied again with
"downhole archive clear". Or into telemetry itself: a hold is made first (--hold-days), so that the next retention does not
drop the rows again; aggregates are not touched, since they have what was computed when all readings were there.

Every part is checked against its manifest before a row of it counts, and each is one transaction: what is damaged is not
restored, and after an interruption the same command does the rest. Rows that are there already stay as they are; those
with other values than the archive has are counted, and the first of them named.

T is RFC 3339 with an offset, a date (from 00:00 UTC), or how long ago: 24h, 60d. --to is exclusive.

Examples:
  downhole archive restore --from 2026-03-01 --to 2026-03-08 --dry-run
  downhole archive restore --from 2026-03-01 --to 2026-03-08 --device "Well 7" --device "Well 9"
  downhole archive restore --from 2026-03-01 --to 2026-03-08 --into telemetry --hold-days 14`;

const CLEAR_HELP = `
Removes rows from telemetry_archive alone. Readings in telemetry, and the archive, are not touched.

Examples:
  downhole archive clear --from 2026-03-01 --to 2026-03-08
  downhole archive clear --all`;

const QUERY_HELP = `
DuckDB's SQL over the view "telemetry": the columns of telemetry, and year, month, day of the part that a row is in. Every
reading is there once. With --from and --to only the parts of that range are fetched, into "archive-cache" in the data
directory, and the view has that range alone; a condition on "timestamp" in the SQL does not spare fetching. Each part is
compared with its checksum before it is read. The SQL can read nothing but the view.

--with-hot: chunks that are still in the database are read from there, whether they are archived or not.

Examples:
  downhole archive query --from 2026-03-01 --to 2026-04-01 \\
    "SELECT device_id, avg(temperature) FROM telemetry GROUP BY 1 ORDER BY 2 DESC LIMIT 10"
  downhole archive query --from 90d --to 0d --with-hot --format csv "SELECT count(*) FROM telemetry"`;

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
  addRestoreCommands(program, archive);
  archive
    .command('query')
    .description('ask the archive in SQL')
    .argument('<sql>', 'one SELECT from telemetry')
    .option('--from <T>', 'first moment')
    .option('--to <T>', 'end, exclusive')
    .option('--with-hot', 'with what is in the database beside it')
    .option('--format <format>', 'table, json or csv', 'table')
    .option('--limit <n>', 'rows at most', '10000')
    .option('--cache-mb <n>', 'disk for parts that were fetched', '10000')
    .option('--memory-mb <n>', 'memory of the query; what is more goes to the disk', '512')
    .addHelpText('after', QUERY_HELP)
    .action(async (sql: string, options: QueryOptions) =>
      (await import('./archive-query.js')).queryArchiveCommand(sql, { ...program.opts(), ...options }),
    );
}

function addRestoreCommands(program: Command, archive: Command): void {
  archive
    .command('restore')
    .description('bring archived readings back into a table')
    .requiredOption('--from <T>', 'first moment')
    .requiredOption('--to <T>', 'end, exclusive')
    .option('--device <id>', 'this device only; may be given several times', collect)
    .option('--into <table>', 'telemetry_archive or telemetry', 'telemetry_archive')
    .option('--hold-days <n>', 'how long retention leaves it alone, into telemetry', '30')
    .option('--dry-run', 'say what would be read, and restore nothing')
    .option('--json', 'as JSON')
    .addHelpText('after', RESTORE_HELP)
    .action(async (options: RestoreOptions) =>
      (await import('./archive-restore.js')).restoreArchive({ ...program.opts(), ...options }),
    );
  archive
    .command('clear')
    .description('remove restored readings from telemetry_archive')
    .option('--from <T>', 'first moment')
    .option('--to <T>', 'end, exclusive')
    .option('--device <id>', 'this device only; may be given several times', collect)
    .option('--all', 'everything')
    .addHelpText('after', CLEAR_HELP)
    .action(async (options: ClearOptions) =>
      (await import('./archive-restore.js')).clearArchive({ ...program.opts(), ...options }),
    );
}
