/** `downhole quality`: the dimensions of a window, and on the way down what is behind them. */
import { PROBLEMS } from '../quality/problems.js';
import {
  type Gaps,
  type Problems,
  type ProblemRecords,
  QUALITY_GROUPS,
  type QualityGroup,
  type QualityList,
  type QualitySummary,
} from '../quality/quality-schemas.js';
import { readGaps } from '../quality/read-gaps.js';
import { readProblemRecords, readProblems } from '../quality/read-problems.js';
import { readQuality, readQualityList } from '../quality/read-quality.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { formatTimestamp, MICROS_PER_DAY } from '../telemetry/timestamp.js';
import { askPlatform, queryText } from './ask-platform.js';
import { loadSettings, type GlobalOptions, type Settings } from './load-settings.js';
import { gapsText, listText, problemsText, recordsText, summaryText } from './quality-text.js';
import { readMoment } from './read-moment.js';

/** As the command line gives them: texts. */
export interface QualityOptions extends GlobalOptions {
  readonly device?: string;
  readonly site?: string;
  readonly since?: string;
  readonly until?: string;
  readonly by?: string;
  readonly limit?: string;
  readonly json?: boolean;
}

export interface RecordsOptions extends QualityOptions {
  readonly problem?: string;
}

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 10_000;
const MAX_RECORDS = 1000;

/** The dimensions together, or one row for each of `--by`. @throws OperationalError `wrong_usage`, or what database or service say */
export async function showQuality(options: QualityOptions): Promise<void> {
  const settings = quietSettings(options);
  const { window, nowUs } = readWindow(options);
  const { device: deviceId, site } = options;
  const base = { window, nowUs, retention: settings.config.retention, deviceId, site };
  const shared = { ...rangeOf(window), device: deviceId, site };
  if (options.by === undefined) {
    const summary = await askPlatform<QualitySummary>(
      settings,
      'quality',
      `/v1/quality?${queryText(shared)}`,
      (database) => readQuality(database, base),
    );
    print(options, summary, summaryText);
    return;
  }
  const by = readGroup(options.by);
  const limit = readLimit(options.limit, MAX_LIMIT);
  const list = await askPlatform<QualityList>(
    settings,
    'quality',
    `/v1/quality/groups?${queryText({ ...shared, by, limit })}`,
    (database) => readQualityList(database, { ...base, by, limit, offset: 0 }),
  );
  print(options, list, listText);
}

/** When a device was silent. */
export async function showGaps(deviceId: string, options: QualityOptions): Promise<void> {
  const settings = quietSettings(options);
  const { window, nowUs } = readWindow(options);
  const limit = readLimit(options.limit, MAX_LIMIT);
  const gaps = await askPlatform<Gaps | undefined>(
    settings,
    'quality gaps',
    `/v1/devices/${encodeURIComponent(deviceId)}/gaps?${queryText({ ...rangeOf(window), limit })}`,
    (database) => readGaps(database, { deviceId, window, nowUs, retention: settings.config.retention, limit }),
  );
  if (gaps === undefined)
    throw new OperationalError(
      'unknown_device',
      `Device "${deviceId}" is not known. \`downhole quality --by device\` lists those with records.`,
    );
  print(options, gaps, gapsText);
}

/** What is wrong with the records of a device; with `--problem`, or for `records`, the records themselves. */
export async function showProblems(deviceId: string, options: QualityOptions): Promise<void> {
  const { window } = readWindow(options);
  const problems = await askPlatform<Problems>(
    quietSettings(options),
    'quality problems',
    `/v1/devices/${encodeURIComponent(deviceId)}/quality/problems?${queryText(rangeOf(window))}`,
    (database) => readProblems(database, deviceId, window),
  );
  print(options, problems, problemsText);
}

export async function showRecords(deviceId: string, options: RecordsOptions): Promise<void> {
  const { window } = readWindow(options);
  const { problem } = options;
  if (problem !== undefined && !PROBLEMS.has(problem)) {
    const known = [...PROBLEMS.keys()].join(', ');
    throw new OperationalError('wrong_usage', `--problem ${problem} is not known; give one of ${known}`);
  }
  const limit = readLimit(options.limit, MAX_RECORDS);
  const records = await askPlatform<ProblemRecords>(
    quietSettings(options),
    'quality records',
    `/v1/devices/${encodeURIComponent(deviceId)}/quality/records?${queryText({ ...rangeOf(window), problem, limit })}`,
    (database) => readProblemRecords(database, deviceId, window, { problem, limit }),
  );
  print(options, records, recordsText);
}

function print<T>({ json }: QualityOptions, answer: T, text: (answer: T) => string): void {
  process.stdout.write(json === true ? `${JSON.stringify(answer, null, 2)}\n` : text(answer));
}

function quietSettings(options: GlobalOptions): Settings {
  return loadSettings(options, process.env['DOWNHOLE_LOG_LEVEL'] === undefined ? { logLevel: 'warn' } : {});
}

function readGroup(by: string): QualityGroup {
  const known = QUALITY_GROUPS.find((name) => name === by);
  if (known !== undefined) return known;
  throw new OperationalError('wrong_usage', `--by ${by} is not known; give one of ${QUALITY_GROUPS.join(', ')}`);
}

function readLimit(text: string | undefined, most: number): number {
  const limit = text === undefined ? DEFAULT_LIMIT : Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= most) return limit;
  throw new OperationalError('wrong_usage', `--limit ${text} is not a number from 1 to ${most}`);
}

interface Window {
  readonly fromUs: number;
  readonly toUs: number;
}

function readWindow({ since, until }: QualityOptions): { window: Window; nowUs: number } {
  const nowUs = Date.now() * 1000;
  const toUs = until === undefined ? nowUs : readMoment('--until', until, -1, nowUs);
  const fromUs = since === undefined ? toUs - MICROS_PER_DAY : readMoment('--since', since, -1, nowUs);
  if (fromUs < toUs) return { window: { fromUs, toUs }, nowUs };
  throw new OperationalError(
    'wrong_usage',
    `the range is empty: it ends at ${formatTimestamp(toUs)} and begins at ${formatTimestamp(fromUs)}`,
  );
}

const rangeOf = ({ fromUs, toUs }: Window): { since: string; until: string } => ({
  since: formatTimestamp(fromUs),
  until: formatTimestamp(toUs),
});
