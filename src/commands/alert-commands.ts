/** `downhole alerts` as the command line knows it; its code is loaded when it runs. */
import type { Command } from 'commander';
import type { ListAlertsOptions, SilenceOptions } from './alerts.js';

const ALERTS_HELP = `
The role jobs looks once a minute; rules, thresholds and channels are in the configuration (alerts.*).

Works on the database that the configuration names. While a service holds the embedded one, it goes through that service,
which asks for a key in DOWNHOLE_API_KEY if it requires keys: with the scope read for lists, admin for the rest.

T is RFC 3339 with an offset, a date (from 00:00 UTC), or a span: 90min, 24h, 7d; of --since ago, otherwise ahead.

Examples:
  downhole alerts list                                          what fires, and maintenance windows
  downhole alerts history --since 7d
  downhole alerts test                                          what each channel answers; exit code 1 if one refuses
  downhole alerts silence --site North --to 8h --reason "workover"
  downhole alerts silence --all --rule job_overdue --to 2h --reason "upgrade of the database"
  downhole alerts unsilence 3`;

export function addAlertCommands(program: Command): void {
  const alerts = program
    .command('alerts')
    .description('what somebody should know: alerts that fire, their history, maintenance windows')
    .addHelpText('after', ALERTS_HELP);
  alerts
    .command('list')
    .description('show what fires, the gravest first, and the maintenance windows')
    .option('--json', 'as JSON')
    .action(async (options: ListAlertsOptions) =>
      (await import('./alerts.js')).listAlerts({ ...program.opts(), ...options }),
    );
  alerts
    .command('history')
    .description('show the alerts that were raised, newest first')
    .option('--since <T>', 'from then on')
    .option('--limit <n>', 'most alerts; default 50')
    .option('--json', 'as JSON')
    .action(async (options: ListAlertsOptions) =>
      (await import('./alerts.js')).showAlertHistory({ ...program.opts(), ...options }),
    );
  alerts
    .command('test')
    .description('send a test alert through every channel, and say what each answered')
    .option('--json', 'as JSON')
    .action(async (options: ListAlertsOptions) =>
      (await import('./alerts.js')).testAlerts({ ...program.opts(), ...options }),
    );
  alerts
    .command('silence')
    .description('begin a maintenance window: alerts in it are recorded and not told')
    .option('-d, --device <id>', 'of this device')
    .option('-s, --site <name>', 'of this site')
    .option('-a, --all', 'of everything')
    .option('--rule <name>', 'of this rule alone')
    .option('--from <T>', 'from then on; default now')
    .requiredOption('--to <T>', 'until before then')
    .requiredOption('--reason <text>', 'for whoever wonders about the silence')
    .option('--json', 'as JSON')
    .action(async (options: SilenceOptions) =>
      (await import('./alerts.js')).silenceAlerts({ ...program.opts(), ...options }),
    );
  alerts
    .command('unsilence')
    .description('end a maintenance window')
    .argument('<id>', 'as `downhole alerts list` shows it')
    .action(async (id: string) => (await import('./alerts.js')).unsilenceAlerts(id, program.opts()));
}
