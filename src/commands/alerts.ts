/** `downhole alerts list|history|test|silence|unsilence`. */
import { RULE_NAMES } from '../alerts/alert.js';
import { readAlertHistory, readOpenAlerts } from '../alerts/alert-history.js';
import type { AlertList, ShownAlert, Silence } from '../alerts/alert-schemas.js';
import { listSilences } from '../alerts/silences.js';
import { checkDeviceId } from '../pipeline/read-record.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { formatTimestamp } from '../telemetry/timestamp.js';
import { withAdministration } from './administration.js';
import { askPlatform, queryText } from './ask-platform.js';
import { loadQuietly, type GlobalOptions } from './load-settings.js';
import { readMoment } from './read-moment.js';
import { textTable } from './text-table.js';

/** As the command line gives them: texts. */
export interface ListAlertsOptions extends GlobalOptions {
  readonly since?: string;
  readonly limit?: string;
  readonly json?: boolean;
}

export interface SilenceOptions extends GlobalOptions {
  readonly device?: string;
  readonly site?: string;
  readonly all?: boolean;
  readonly rule?: string;
  readonly from?: string;
  readonly to: string;
  readonly reason: string;
  readonly json?: boolean;
}

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 1000;
const MAX_REASON_LENGTH = 1000;

/** Prints what is the case, and the maintenance windows in force or to come. */
export async function listAlerts(options: ListAlertsOptions): Promise<void> {
  const settings = loadQuietly(options);
  const { alerts } = await askPlatform<AlertList>(settings, 'alerts', '/v1/alerts', readOpenAlerts);
  const all = await askPlatform<{ silences: Silence[] }>(
    settings,
    'alerts',
    '/v1/alerts/silences',
    async (database) => ({
      silences: await listSilences(database),
    }),
  );
  const silences = all.silences.filter(({ to, lifted_at: lifted }) => lifted === null && Date.parse(to) > Date.now());
  if (options.json === true) return print({ alerts, silences });
  process.stdout.write(alerts.length === 0 ? 'nothing fires\n' : alertsText(alerts));
  if (silences.length > 0) process.stdout.write(`\n${silencesText(silences)}`);
}

/** Prints the alerts that were raised, newest first. */
export async function showAlertHistory(options: ListAlertsOptions): Promise<void> {
  const limit = readLimit(options.limit);
  const sinceUs = options.since === undefined ? null : readMoment('--since', options.since, -1);
  const since = sinceUs === null ? undefined : formatTimestamp(sinceUs);
  const path = `/v1/alerts/history?${queryText({ since, limit })}`;
  const { alerts } = await askPlatform<AlertList>(loadQuietly(options), 'alerts', path, (database) =>
    readAlertHistory(database, sinceUs, limit),
  );
  if (options.json === true) return print({ alerts });
  process.stdout.write(alertsText(alerts));
}

/** Sends a test alert through every channel. @throws OperationalError `alerts_undelivered` when one did not take it */
export async function testAlerts(options: ListAlertsOptions): Promise<void> {
  const { channels } = await withAdministration(loadQuietly(options), 'alerts', (admin) => admin.testAlerts());
  if (channels.length === 0)
    throw new OperationalError(
      'no_channel',
      'There is no channel to test: alerts are in the log alone. Set alerts.webhookUrl or alerts.email.smtpUrl.',
    );
  if (options.json === true) print({ channels });
  else for (const { channel, answer } of channels) process.stdout.write(`${channel}: ${answer}\n`);
  const failed = channels.filter(({ taken }) => !taken).map(({ channel }) => channel);
  if (failed.length > 0)
    throw new OperationalError(
      'alerts_undelivered',
      `The test alert was not taken: ${failed.join(', ')}. See the answer above.`,
    );
}

/** Begins a maintenance window. @throws OperationalError `wrong_usage`, and those of withAdministration */
export async function silenceAlerts(options: SilenceOptions): Promise<void> {
  const { device, site, rule, reason, all } = options;
  const nowUs = Date.now() * 1000;
  const fromUs = options.from === undefined ? nowUs : readMoment('--from', options.from, 1, nowUs);
  const toUs = readMoment('--to', options.to, 1, nowUs);
  if (toUs <= fromUs) throw wrong('--to is not later than --from; swap them');
  if ((device === undefined && site === undefined) !== (all === true))
    throw wrong('give --device, --site or both, or --all for everything');
  const problem = device === undefined ? undefined : checkDeviceId(device);
  if (problem !== undefined) throw wrong(`--device: ${problem.message}`);
  if (rule !== undefined && !RULE_NAMES.some((name) => name === rule))
    throw wrong(`--rule ${rule} is not known; give one of ${RULE_NAMES.join(', ')}`);
  if (reason.trim() === '' || reason.length > MAX_REASON_LENGTH || reason.includes('\u0000'))
    throw wrong(`--reason has 1 to ${MAX_REASON_LENGTH} characters, for whoever wonders about the silence`);
  const wanted = { device: device ?? null, site: site ?? null, rule: rule ?? null, fromUs, toUs, reason };
  const silence = await withAdministration(loadQuietly(options), 'alerts', (admin) => admin.createSilence(wanted));
  if (options.json === true) return print(silence);
  process.stdout.write(
    `maintenance window ${silence.id} silences ${subject(silence)} from ${silence.from} to ${silence.to}\n`,
  );
}

/** Ends a maintenance window. @throws OperationalError `unknown_silence` */
export async function unsilenceAlerts(id: string, options: GlobalOptions): Promise<void> {
  if (!/^[1-9]\d{0,14}$/.test(id)) throw wrong(`${JSON.stringify(id)} is no id; \`downhole alerts list\` shows them`);
  const silence = await withAdministration(loadQuietly(options), 'alerts', (admin) => admin.liftSilence(Number(id)));
  if (silence === undefined)
    throw new OperationalError(
      'unknown_silence',
      `There is no maintenance window ${id}; \`downhole alerts list\` shows those that are.`,
    );
  process.stdout.write(`maintenance window ${silence.id} ended at ${silence.lifted_at ?? silence.to}\n`);
}

const print = (answer: unknown): void => void process.stdout.write(`${JSON.stringify(answer, null, 2)}\n`);
const wrong = (message: string): OperationalError => new OperationalError('wrong_usage', message);

function readLimit(text: string | undefined): number {
  const limit = text === undefined ? DEFAULT_LIMIT : Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw wrong(`--limit ${text} is not a number from 1 to ${MAX_LIMIT}`);
}

function subject({ device, site, rule }: Silence): string {
  const parts = [
    device === null ? '' : `device ${JSON.stringify(device)}`,
    site === null ? '' : `site ${JSON.stringify(site)}`,
  ];
  const who = parts.filter((part) => part !== '').join(', ');
  return `${rule ?? 'alerts'} of ${who === '' ? 'all' : who}`;
}

function alertsText(alerts: readonly ShownAlert[]): string {
  const head = ['STATE', 'SEVERITY', 'RULE', 'SINCE', 'ENDED', 'TOLD', 'DELIVERED', 'SUMMARY'];
  const rows = alerts.map((alert) => [
    alert.state,
    alert.severity,
    alert.rule,
    alert.raised_at ?? alert.seen_at,
    alert.ended_at ?? '-',
    alert.told === 'nothing' && alert.silence_id !== null ? `silenced by ${alert.silence_id}` : alert.told,
    `${alert.delivered} in ${alert.attempts}`,
    alert.summary,
  ]);
  return textTable([head, ...rows]);
}

function silencesText(silences: readonly Silence[]): string {
  const head = ['SILENCE', 'OF', 'FROM', 'TO', 'BY', 'REASON'];
  const rows = silences.map((silence) => [
    String(silence.id),
    subject(silence),
    silence.from,
    silence.to,
    silence.created_by,
    silence.reason,
  ]);
  return textTable([head, ...rows]);
}
