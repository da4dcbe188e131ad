/** `downhole export` as the command line knows it; its code is loaded when it runs. */
import type { Command } from 'commander';
import { CHANNELS } from '../telemetry/channels.js';
import { collect } from './collect-option.js';
import type { ExportCommandOptions } from './export.js';

const EXPORT_HELP = `
Every reading of the range once, in the order of device and time: what is in the database, and of chunks that were dropped from it
what the archive has. The file gets its name once it is whole. CSV: a line of heads, times in UTC with microseconds, an empty
field where there is no value. Parquet: the columns of telemetry as they are, zstd.

Units: ${CHANNELS.map(({ name, unit }) => `${name} ${unit}`)
  .join(', ')
  .replace(/(.{1,110})(, |$)/g, '$1$2\n  ')
  .trimEnd()}

T is RFC 3339 with an offset, a date (from 00:00 UTC), or how long ago: 24h, 60d. --to is exclusive. While a service holds the
embedded database this command is refused: stop it first, or ask it for a series (GET /v1/devices/ID/series).

Examples:
  downhole export --from 2026-03-01 --to 2026-03-08 --device "Well 7" --out well-7.csv
  downhole export --from 365d --to 0d --out last-year.parquet`;

export function addExportCommand(program: Command): void {
  program
    .command('export')
    .description('write readings of a range into a file: CSV or Parquet')
    .requiredOption('--out <file>', 'the file')
    .option('--from <T>', 'first moment')
    .option('--to <T>', 'end, exclusive')
    .option('-d, --device <id>', 'of this device; may be given several times', collect)
    .option('--format <format>', 'csv or parquet; default: what the name of the file ends with')
    .option('--archive-only', 'what the archive has, and nothing of the database')
    .option('--force', 'replace a file that is there')
    .option('--cache-mb <n>', 'disk for parts that were fetched', '10000')
    .option('--memory-mb <n>', 'memory of the sort; what is more goes to the disk', '512')
    .addHelpText('after', EXPORT_HELP)
    .action(async (options: ExportCommandOptions) =>
      (await import('./export.js')).exportCommand({ ...program.opts(), ...options }),
    );
}
