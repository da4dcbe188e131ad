/** `downhole ledger` as the command line knows it; its code is loaded when it runs. */
import type { Command } from 'commander';
import type { LedgerOptions, VerifyOptions } from './ledger.js';

const LEDGER_HELP = `
T is RFC 3339 with an offset, a date (from 00:00 UTC), or how long ago: 90min, 24h, 7d. The ledger counts by the hour of arrival (UTC): the range is
widened to whole hours. Past 35 days the hours of a day are one row: "--by hour" shows "(day)" with it, and the range is
widened to whole days there. It is counted in memory and written every ten seconds.

  received       all of them: the sum of the five that follow, in every row
  stored         new rows
  merged         filled in channels of rows that were there
  duplicate      said nothing new
  dead-lettered  accepted and could not be stored: "downhole dlq list" has each with its reason
  rejected       refused at once: the sender got the reason with the answer
  first, last    earliest and latest time of the records themselves

Devices with losses (dead-lettered or rejected) come first. "(unknown device)" are records that name no device, or one
of so many that nobody has registered that they are counted together. --device '' shows these alone.

A dead letter that is replayed stays what it was when it came: dead-lettered, in the hour of its arrival. The row that
it becomes is not counted as stored, but "verify" knows of it.

Works on the database that the configuration names. While a service holds the embedded one, it goes through that service,
which asks for a key with the scope read in DOWNHOLE_API_KEY if it requires keys.

Examples:
  downhole ledger                                  what came in the last 24 hours, by device
  downhole ledger --device "Well 7" --by hour      of one device, hour by hour
  downhole ledger --site North --since 7d --by day
  downhole ledger --since 2026-11-01T00:00:00Z --until 2026-12-01T00:00:00Z --json
  downhole ledger verify --since 24h               is everything that was counted as stored in the table?`;

const VERIFY_HELP = `
Compares, device by device, the rows that the ledger counted as written in the range with those whose ingestion_timestamp
lies in it. It reads the whole table, a chunk at a time, while the service goes on. The hour that is still running is left
out unless --until says otherwise.

A difference is in the counting, and no lost data, where more rows are found than counted:
  a process was killed (at most its last ten seconds were not counted), or stopped while the database was away;
  a batch was written twice because its first answer got lost: its records were counted as duplicates.
Fewer rows found than counted means that rows were deleted or dropped since.

Examples:
  downhole ledger verify                           the last 24 whole hours
  downhole ledger verify --since 7d --device "Well 7"
  downhole ledger verify --since 2026-11-01T00:00:00Z --json`;

export function addLedgerCommands(program: Command): void {
  const ledger = program
    .command('ledger')
    .description('where the records went: received, stored, merged, duplicate, dead-lettered, rejected')
    .option('-d, --device <id>', 'of this device')
    .option('-s, --site <name>', 'of the devices of this site')
    .option('--since <T>', 'arrived from then on; default a day before the end')
    .option('--until <T>', 'arrived before then; default now')
    .option('--by <what>', 'a row for each hour, day or device; default device, and hour with --device')
    .option('--limit <rows>', 'most rows; default 1000')
    .option('--json', 'as JSON')
    .addHelpText('after', LEDGER_HELP)
    .action(async (options: LedgerOptions) =>
      (await import('./ledger.js')).showLedger({ ...program.opts(), ...options }),
    );
  ledger
    .command('verify')
    .description('compare what was counted as written with the rows of the table')
    .option('-d, --device <id>', 'of this device')
    .option('--since <T>', 'written from then on; default a day before the end')
    .option('--until <T>', 'written before then; default the beginning of this hour')
    .option('--json', 'as JSON')
    .addHelpText('after', VERIFY_HELP)
    .action(async (_options: object, command: Command) =>
      // Options that both have may have been taken by the one that stands before.
      (await import('./ledger.js')).showVerification(command.optsWithGlobals<VerifyOptions>()),
    );
}
