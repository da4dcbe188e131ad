#!/usr/bin/env node
/** The command line: argv → one command, whose code is loaded only then. */
import { Command, CommanderError } from 'commander';
import { addAlertCommands } from './commands/alert-commands.js';
import { addArchiveCommands } from './commands/archive-commands.js';
import { addExportCommand } from './commands/export-commands.js';
import { endOnClosedPipe } from './commands/closed-pipe.js';
import { CONFIG_CHECK_HELP, CONFIG_SHOW_HELP } from './commands/config-help.js';
import { addDeadLetterCommands } from './commands/dlq-commands.js';
import { addCertificateCommands, addKeyCommands } from './commands/key-commands.js';
import { addDiagnosisCommands } from './commands/diagnosis-commands.js';
import { addEpisodeCommands } from './commands/episodes-commands.js';
import { addQueueCommands } from './commands/queue-commands.js';
import { addLedgerCommands } from './commands/ledger-commands.js';
import { addQualityCommands } from './commands/quality-commands.js';
import { addLifecycleCommands } from './commands/lifecycle-commands.js';
import { addLegacyCommands } from './commands/legacy-commands.js';
import { ROLE_HELP, RUN_HELP } from './commands/role-help.js';
import { PROGRAM_VERSION } from './commands/program-version.js';
import { ROLES } from './commands/roles.js';
import { OperationalError } from './telemetry/operational-error.js';

/** Exit codes: 0 done, 1 failed, 2 wrong usage. */
const FAILED = 1;
const WRONG_USAGE = 2;
const USAGE_CODES: ReadonlySet<string> = new Set(['wrong_usage', 'invalid_configuration', 'unsafe_policy']);

function buildProgram(): Command {
  const program = new Command('downhole')
    .description('Telemetry data platform for electrical submersible pumps.')
    .version(PROGRAM_VERSION)
    .option('-c, --config <file>', 'configuration file (YAML); every key can also come from the environment')
    .exitOverride()
    .showHelpAfterError('(downhole --help lists what there is)');

  program
    .command('up')
    .description('run everything in one process: database, queue, API, pipeline, jobs, console and simulated wells')
    .action(async () => (await import('./commands/run-roles.js')).runEverything(program.opts(), PROGRAM_VERSION));

  addRoles(program);

  program
    .command('import')
    .description('import CSV, NDJSON (both also as .gz) and Parquet files; through the service when one is running')
    .argument('<file...>', 'data files')
    .option(
      '-m, --mapping <file>',
      'which columns are which channels (YAML); without it columns are named like channels',
    )
    .option('-d, --device <id>', 'the device of the rows, whatever the mapping says; for one file')
    .option('--hold [reason]', 'keep what is imported from retention')
    .option('--restart', 'forget how far an interrupted import of these files came')
    .action(async (files: string[], options: object) =>
      (await import('./commands/import.js')).importFiles(files, { ...program.opts(), ...options }),
    );

  program
    .command('simulate')
    .description('send the telemetry of a simulated fleet to a service; what is not given comes from the configuration')
    .option('--url <url>', 'base URL of the service')
    .option('--wells <number>', 'wells in the fleet')
    .option('--interval <seconds>', 'seconds between the records of a well')
    .option('--seed <number>', 'the same seed makes the same fleet')
    .option('--backfill-days <days>', 'history to send before going live; default 0')
    .option('--backfill-interval <seconds>', 'seconds between the records of that history')
    .option('--faults [some|many]', 'wells fail now and then, in twelve ways')
    .option('--truth <file>', 'write down which well has which fault when, a line of JSON each')
    .action(async (options: object) =>
      (await import('./commands/simulate.js')).simulate({ ...program.opts(), ...options }),
    );

  addDiagnosisCommands(program);
  addConfig(program);

  const migrate = program
    .command('migrate')
    .description('bring the schema of the database up to this version')
    .action(async () => (await import('./commands/migrate.js')).migrateDatabase(program.opts()));
  migrate
    .command('status')
    .description('show which migrations are applied and which are pending')
    .action(async () => (await import('./commands/migrate.js')).showMigrationStatus(program.opts()));

  addKeyCommands(program);
  addLedgerCommands(program);
  addQualityCommands(program);
  addAlertCommands(program);
  addEpisodeCommands(program);
  addArchiveCommands(program);
  addExportCommand(program);
  addLegacyCommands(program);
  addCertificateCommands(program);
  addDeadLetterCommands(program);
  addQueueCommands(program);
  addLifecycleCommands(program);
  return program;
}

function addConfig(program: Command): void {
  const config = program.command('config').description('the configuration: what applies, and whether it works');
  config
    .command('show')
    .description('print every key with its value and where that comes from; secrets are masked')
    .option('--json', 'as JSON')
    .addHelpText('after', CONFIG_SHOW_HELP)
    .action(async (options: object) =>
      (await import('./commands/config.js')).showConfig({ ...program.opts(), ...options }),
    );
  config
    .command('check')
    .description('list what is wrong with it, with file, line and column; exit code 2 if there is anything')
    .option('--connect', 'also look what answers at its URLs: versions, editions, schema, queues')
    .addHelpText('after', CONFIG_CHECK_HELP)
    .action(async (options: object) =>
      (await import('./commands/config.js')).checkConfig({ ...program.opts(), ...options }),
    );
}

/** A role a command; and `run`, which takes several. */
function addRoles(program: Command): void {
  for (const role of ROLES) {
    const { description, details } = ROLE_HELP[role];
    program
      .command(role)
      .description(description)
      .addHelpText('after', details)
      .action(async () => (await import('./commands/run-roles.js')).runRole(role, program.opts(), PROGRAM_VERSION));
  }
  program
    .command('run')
    .description('run several roles in one process')
    .argument('<role...>', ROLES.join(', '))
    .addHelpText('after', RUN_HELP)
    .action(async (roles: string[]) =>
      (await import('./commands/run-roles.js')).runRoles(roles, program.opts(), PROGRAM_VERSION),
    );
}

async function main(): Promise<void> {
  endOnClosedPipe();
  try {
    await buildProgram().parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) {
      // Commander has printed what was wrong, or the help that was asked for.
      process.exitCode = error.exitCode === 0 ? 0 : WRONG_USAGE;
      return;
    }
    if (!(error instanceof OperationalError)) throw error;
    process.stderr.write(`downhole: ${error.message}\n`);
    process.exitCode = USAGE_CODES.has(error.code) ? WRONG_USAGE : FAILED;
  }
}

await main();
