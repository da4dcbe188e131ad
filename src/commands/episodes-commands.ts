/** `downhole episodes` as the command line knows it; its code is loaded when it runs. */
import type { Command } from 'commander';
import type { ActOptions, EpisodesOptions } from './episodes.js';

const EPISODES_HELP = `
An episode is a stretch of time in which something was wrong with a device: records that are anomalous for long enough, or a
signature that fits. The role jobs looks for them in what is stored, every 15 seconds.

  open     it goes on
  ended    it is over, and nobody has closed it
  closed   somebody said that it is dealt with

T is RFC 3339 with an offset, a date (from 00:00 UTC), or how long ago: 90min, 24h, 7d.

Works on the database that the configuration names. While a service holds the embedded one, it goes through that service,
which asks for a key in DOWNHOLE_API_KEY if it requires keys: with the scope read to look, admin to act.

Examples:
  downhole episodes list --state open --unacknowledged
  downhole episodes list --device "Well 7" --since 7d
  downhole episodes list --diagnosis gas_lock --json
  downhole episodes show 42
  downhole episodes acknowledge 42 --note "crew is on its way"
  downhole episodes close 42 --note "valve was closed for a test"
  downhole episodes note 42 "same as last month"`;

export function addEpisodeCommands(program: Command): void {
  const episodes = program
    .command('episodes')
    .description('when something was wrong with a device, what it may have been, and what people made of it')
    .addHelpText('after', EPISODES_HELP);
  episodes
    .command('list')
    .description('those that began last first')
    .option('-d, --device <id>', 'of this device')
    .option('-s, --site <name>', 'of the devices of this site')
    .option('--state <state>', 'open, ended, closed or all; default all')
    .option('--unacknowledged', 'only those that nobody has acknowledged')
    .option('--diagnosis <condition>', 'gas_lock, pump_off …; none: those that no signature fits')
    .option('--since <T>', 'seen from then on')
    .option('--until <T>', 'begun before then')
    .option('--limit <n>', 'most episodes; default 50')
    .option('--json', 'as JSON')
    .action(async (options: EpisodesOptions) =>
      (await import('./episodes.js')).showEpisodes({ ...program.opts(), ...options }),
    );
  episodes
    .command('show <id>')
    .description('one, with the evidence for and against its diagnosis, and its notes')
    .option('--json', 'as JSON')
    .action(async (id: string, options: ActOptions) =>
      (await import('./episodes.js')).showEpisode(id, { ...program.opts(), ...options }),
    );
  const act = (name: 'acknowledge' | 'close', description: string): Command =>
    episodes
      .command(`${name} <id>`)
      .description(description)
      .option('--note <text>', 'kept beside it')
      .option('--json', 'as JSON')
      .action(async (id: string, options: ActOptions) =>
        (await import('./episodes.js')).actOn(name, id, { ...program.opts(), ...options }),
      );
  act('acknowledge', 'say that somebody has seen it');
  act('close', 'say that it is dealt with; closing acknowledges, too');
  episodes
    .command('note <id> <text>')
    .description('write a note beside it')
    .option('--json', 'as JSON')
    .action(async (id: string, text: string, options: ActOptions) =>
      (await import('./episodes.js')).actOn('note', id, { ...program.opts(), ...options, note: text }),
    );
}
