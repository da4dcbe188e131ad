/** `downhole quality` as the command line knows it; its code is loaded when it runs. */
import type { Command } from 'commander';
import type { QualityOptions, RecordsOptions } from './quality.js';

const QUALITY_HELP = `
T is RFC 3339 with an offset, a date (from 00:00 UTC), or how long ago: 90min, 24h, 7d. Figures come from the aggregates, in per cent:

  completeness   records with all channels that the device is expected to report
  validity       mean quality score
  consistency    records without an anomaly
  timeliness     records that were stored within 300 s
  accuracy       records without a physical contradiction (impossible value, current at standstill, discharge below intake)
  overall        0.30 completeness + 0.30 validity + 0.25 consistency + 0.15 timeliness
  coverage       of a device: minutes with data, of those expected at its interval

Every figure opens: "--by device" says which device, "problems" what is wrong with it, "records" which records they are.

Works on the database that the configuration names. While a service holds the embedded one, it goes through that service,
which asks for a key with the scope read in DOWNHOLE_API_KEY if it requires keys.

Examples:
  downhole quality                                   the fleet, the last 24 hours
  downhole quality --by device --site North --since 30d
  downhole quality --device "Well 7" --since 7d --by day
  downhole quality gaps "Well 7" --since 7d
  downhole quality problems "Well 7"
  downhole quality records "Well 7" --problem missing:temperature --limit 20`;

export function addQualityCommands(program: Command): void {
  const quality = program
    .command('quality')
    .description('data quality of the fleet, a site or a device, and what is behind it')
    .option('-d, --device <id>', 'of this device')
    .option('-s, --site <name>', 'of the devices of this site')
    .option('--since <T>', 'from then on; default a day before the end')
    .option('--until <T>', 'before then; default now')
    .option('--by <what>', 'a row for each site, device, hour or day')
    .option('--limit <n>', 'most rows; default 100')
    .option('--json', 'as JSON')
    .addHelpText('after', QUALITY_HELP)
    .action(async (options: QualityOptions) =>
      (await import('./quality.js')).showQuality({ ...program.opts(), ...options }),
    );
  const ofDevice = (name: string, description: string): Command =>
    quality
      .command(`${name} <device>`)
      .description(description)
      .option('--since <T>', 'from then on; default a day before the end')
      .option('--until <T>', 'before then; default now')
      .option('--limit <n>', 'most rows; default 100')
      .option('--json', 'as JSON');
  ofDevice('gaps', 'when the device was silent for longer than it should be').action(
    async (device: string, _options: object, command: Command) =>
      (await import('./quality.js')).showGaps(device, command.optsWithGlobals<QualityOptions>()),
  );
  ofDevice('problems', 'what is wrong with its records, and how often').action(
    async (device: string, _options: object, command: Command) =>
      (await import('./quality.js')).showProblems(device, command.optsWithGlobals<QualityOptions>()),
  );
  ofDevice('records', 'its records, newest first, with what is wrong with each')
    .option('--problem <name>', 'only those that have it: anomaly, missing:temperature, …')
    .action(async (device: string, _options: object, command: Command) =>
      (await import('./quality.js')).showRecords(device, command.optsWithGlobals<RecordsOptions>()),
    );
}
