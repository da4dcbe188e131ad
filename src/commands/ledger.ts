/** `downhole ledger` and `downhole ledger verify`: where the records went. */
import { ledgerHours, readLedger, type LedgerQuestion } from '../console/ledger-query.js';
import { LEDGER_GROUPS, type Ledger, type LedgerGroup, type LedgerVerification } from '../console/ledger-schemas.js';
import { verifyLedger } from '../console/ledger-verification.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { formatTimestamp } from '../telemetry/timestamp.js';
import { askPlatform, queryText } from './ask-platform.js';
import { ledgerText, verificationText } from './ledger-text.js';
import { loadSettings, type GlobalOptions, type Settings } from './load-settings.js';
import { readMoment } from './read-moment.js';

/** As the command line gives them: texts. */
export interface VerifyOptions extends GlobalOptions {
  readonly device?: string;
  readonly since?: string;
  readonly until?: string;
  readonly json?: boolean;
}

export interface LedgerOptions extends VerifyOptions {
  readonly site?: string;
  readonly by?: string;
  readonly limit?: string;
}

const DEFAULT_LIMIT = 1000;
const MAX_LIMIT = 10_000;
const MICROS_PER_HOUR = 3_600_000_000;

/** Prints what became of the records. @throws OperationalError `wrong_usage`, or what the database or the service says */
export async function showLedger(options: LedgerOptions): Promise<void> {
  const settings = quietSettings(options);
  const question: LedgerQuestion = {
    by: readGroup(options),
    deviceId: options.device,
    site: options.site,
    limit: readLimit(options.limit),
    ...readRange(options, Date.now() * 1000),
  };
  const ledger = await askPlatform<Ledger>(
    settings,
    'ledger',
    `/v1/ledger?${queryText({ ...rangeParameters(question), site: question.site, by: question.by, limit: question.limit })}`,
    (database) => readLedger(database, question),
  );
  print(options, ledger, ledgerText);
}

/** Prints where the ledger and the table disagree. @throws OperationalError as `showLedger` */
export async function showVerification(options: VerifyOptions): Promise<void> {
  const settings = quietSettings(options);
  const nowUs = Date.now() * 1000;
  // What is still being counted cannot be compared.
  const wholeHourUs = Math.floor(nowUs / MICROS_PER_HOUR) * MICROS_PER_HOUR;
  const question = { deviceId: options.device, ...readRange(options, nowUs, wholeHourUs) };
  const result = await askPlatform<LedgerVerification>(
    settings,
    'ledger',
    `/v1/ledger/verification?${queryText(rangeParameters(question))}`,
    (database) => verifyLedger(database, question),
  );
  print(options, result, verificationText);
}

function print<T>({ json }: VerifyOptions, answer: T, text: (answer: T) => string): void {
  process.stdout.write(json === true ? `${JSON.stringify(answer, null, 2)}\n` : text(answer));
}

function quietSettings(options: GlobalOptions): Settings {
  return loadSettings(options, process.env['DOWNHOLE_LOG_LEVEL'] === undefined ? { logLevel: 'warn' } : {});
}

function readGroup({ by, device }: LedgerOptions): LedgerGroup {
  const group = by ?? (device === undefined ? 'device' : 'hour');
  const known = LEDGER_GROUPS.find((name) => name === group);
  if (known !== undefined) return known;
  throw new OperationalError('wrong_usage', `--by ${group} is not known; give one of ${LEDGER_GROUPS.join(', ')}`);
}

function readLimit(text: string | undefined): number {
  const limit = text === undefined ? DEFAULT_LIMIT : Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw new OperationalError('wrong_usage', `--limit ${text} is not a number from 1 to ${MAX_LIMIT}`);
}

function readRange(
  { since, until }: VerifyOptions,
  nowUs: number,
  defaultUntilUs?: number,
): Pick<LedgerQuestion, 'sinceUs' | 'untilUs'> {
  const sinceUs = since === undefined ? undefined : readMoment('--since', since, -1, nowUs);
  const untilUs = until === undefined ? defaultUntilUs : readMoment('--until', until, -1, nowUs);
  const hours = ledgerHours(sinceUs, untilUs, nowUs);
  if (hours.sinceUs < hours.untilUs) return hours;
  throw new OperationalError(
    'wrong_usage',
    `the range is empty: it ends at ${formatTimestamp(hours.untilUs)} and begins at ${formatTimestamp(hours.sinceUs)}`,
  );
}

type Range = Pick<LedgerQuestion, 'sinceUs' | 'untilUs' | 'deviceId'>;

const rangeParameters = ({ sinceUs, untilUs, deviceId }: Range): Record<string, string | undefined> => ({
  device: deviceId,
  since: formatTimestamp(sinceUs),
  until: formatTimestamp(untilUs),
});
