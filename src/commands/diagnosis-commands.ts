/** `downhole diagnose` as the command line knows it; its code is loaded when it runs. */
import type { Command } from 'commander';

const DIAGNOSE_HELP = `
Reads CSV, NDJSON and Parquet as "downhole import" does, with the same mapping; without one the columns are named like
channels (docs/import.md). Without a device column, or a device in the mapping, the device is named like the file.
Nothing is stored, and no service is needed.

The rows go in time order through the same validation, operating states, rules and detector as in the pipeline. What lasts
becomes an episode; for each episode the signatures of failures are compared with what the channels did before and since.
The first minutes of a recording teach what is normal: a fault needs at least six buckets of ten seconds, or six records,
of normal operation before it.

Examples:
  downhole diagnose esp-042.csv
  downhole diagnose export.csv --mapping mapping.yaml --json`;

export function addDiagnosisCommands(program: Command): void {
  program
    .command('diagnose')
    .description('find out from recordings what was wrong with a pump, and why that is likely')
    .argument('<file...>', 'data files')
    .option(
      '-m, --mapping <file>',
      'which columns are which channels (YAML); without it columns are named like channels',
    )
    .option('-d, --device <id>', 'the device of all rows, whatever the mapping says')
    .option('--json', 'as JSON')
    .addHelpText('after', DIAGNOSE_HELP)
    .action(async (files: string[], options: object) =>
      (await import('./diagnose.js')).diagnoseFiles(files, { ...program.opts(), ...options }),
    );
}
