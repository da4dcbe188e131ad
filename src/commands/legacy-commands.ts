/** `downhole legacy` as the command line knows it; its code is loaded when it runs. */
import type { Command } from 'commander';
import type { LegacyOptions } from './legacy.js';

const LEGACY_HELP = `
For a database whose table telemetry another program made and writes to. Its writers go on all the time; they wait for a
moment when mirroring begins, and for the rename.

  inspect    columns, size, what depends on it, what stands in the way; changes nothing
  migrate    mirrors, copies, compares and swaps; a run that was stopped or killed is begun again where it was
  verify     compares old and new day by day, until the swap
  rollback   back to the old table, at any stage
  finish     after the swap, when all is well: no way back afterwards

The old table stays as telemetry_old. Rows that the new table has no place for (impossible values, a second row of a
device and instant) are in legacy_set_aside, whole: copied + set aside = rows of the old table.
How to go about it: docs/runbooks/legacy-migration.md.`;

const MAPPING_HELP = `
The mapping is for columns that are not named like those of Downhole; everything in it may be left out:

  device: well_id          column with the device
  time: ts                 column with the time
  timeZone: UTC            zone of a timestamp without time zone
  columns:
    wh_press: pressure     column of the old table: column of telemetry (canonical units)

Columns that telemetry has no place for are kept in raw_values.`;

export function addLegacyCommands(program: Command): void {
  const legacy = program
    .command('legacy')
    .description('take over an existing table telemetry, under its writers')
    .addHelpText('after', LEGACY_HELP);
  const patient = (command: Command): Command =>
    command
      .option('--lock-timeout <ms>', 'how long an attempt waits for a lock, and writers behind it; default 2000')
      .option('--attempts <count>', 'attempts to get it, half a second apart; default 60');
  const run = (options: object): LegacyOptions => ({ ...program.opts(), ...options });

  legacy
    .command('inspect')
    .description('show what there is, and what would become of it')
    .option('-m, --mapping <file>', 'which columns are which (YAML)')
    .option('--scan', 'read all rows, and count what would be set aside')
    .option('--json', 'as JSON')
    .addHelpText('after', MAPPING_HELP)
    .action(async (options: object) => (await import('./legacy.js')).inspectOldTable(run(options)));
  patient(legacy.command('migrate').description('mirror, copy, compare and swap; goes on where an earlier run ended'))
    .option('-m, --mapping <file>', 'which columns are which (YAML); of the first run')
    .option('--rate <rows>', 'copy so many rows a second at most')
    .option('--no-swap', 'copy and compare only; a later run swaps')
    .option('--dry-run', 'show what would happen, as inspect does')
    .option('--scan', 'with --dry-run: count what would be set aside')
    .addHelpText('after', MAPPING_HELP)
    .action(async (options: object) => (await import('./legacy.js')).migrateOldTable(run(options)));
  legacy
    .command('verify')
    .description('compare old and new, day by day; exit code 1 when they differ')
    .option('--json', 'as JSON')
    .action(async (options: object) => (await import('./legacy.js')).verifyOldTable(run(options)));
  patient(legacy.command('rollback').description('go back to the old table, at any stage'))
    .option('--discard', 'after the swap: also drop the new table and what it has got since')
    .action(async (options: object) => (await import('./legacy.js')).rollbackOldTable(run(options)));
  patient(legacy.command('finish').description('after the swap: end the migration; no way back afterwards'))
    .option('--drop-old', 'drop telemetry_old too')
    .action(async (options: object) => (await import('./legacy.js')).finishOldTable(run(options)));
}
