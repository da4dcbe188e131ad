/** `downhole episodes`: when something was wrong with a device, in the database or through the service that holds it. */
import { userInfo } from 'node:os';
import { actOnEpisode, type EpisodeAct } from '../episodes/episode-acts.js';
import {
  EPISODE_STATES,
  type EpisodeDetail,
  type EpisodeList,
  type EpisodeState,
  MAX_EPISODES_PER_PAGE,
} from '../episodes/episode-schemas.js';
import { listEpisodes, readEpisode } from '../episodes/read-episodes.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { formatTimestamp } from '../telemetry/timestamp.js';
import { askPlatform, lookUp, queryText, tellPlatform } from './ask-platform.js';
import { episodeText, episodesText } from './episodes-text.js';
import { loadQuietly, type GlobalOptions } from './load-settings.js';
import { readMoment } from './read-moment.js';

/** As the command line gives them: texts. */
export interface EpisodesOptions extends GlobalOptions {
  readonly device?: string;
  readonly site?: string;
  readonly state?: string;
  readonly diagnosis?: string;
  readonly unacknowledged?: boolean;
  readonly since?: string;
  readonly until?: string;
  readonly limit?: string;
  readonly json?: boolean;
}

export interface ActOptions extends GlobalOptions {
  readonly note?: string;
  readonly json?: boolean;
}

const DEFAULT_LIMIT = 50;

/** Prints episodes, those that began last first. @throws OperationalError `wrong_usage`, or what database or service say */
export async function showEpisodes(options: EpisodesOptions): Promise<void> {
  const nowUs = Date.now() * 1000;
  const { device, site, diagnosis } = options;
  const state = readState(options.state);
  const acknowledged = options.unacknowledged === true ? false : undefined;
  const sinceUs = options.since === undefined ? undefined : readMoment('--since', options.since, -1, nowUs);
  const untilUs = options.until === undefined ? undefined : readMoment('--until', options.until, -1, nowUs);
  if (sinceUs !== undefined && untilUs !== undefined && untilUs <= sinceUs)
    throw wrong('--until is not later than --since; swap them');
  const limit = readLimit(options.limit);
  const query = queryText({
    device,
    site,
    state,
    diagnosis,
    acknowledged: acknowledged === undefined ? undefined : String(acknowledged),
    since: sinceUs === undefined ? undefined : formatTimestamp(sinceUs),
    until: untilUs === undefined ? undefined : formatTimestamp(untilUs),
    limit,
  });
  const filter = { device, site, state, diagnosis, acknowledged, sinceUs, untilUs };
  const list = await askPlatform<EpisodeList>(loadQuietly(options), 'episodes', `/v1/episodes?${query}`, (database) =>
    listEpisodes(database, filter, { limit }),
  );
  if (options.json === true) return void process.stdout.write(`${JSON.stringify(list, null, 2)}\n`);
  process.stdout.write(episodesText(list));
  if (list.next !== null)
    process.stderr.write('downhole: there are more; narrow them down, or give a higher --limit\n');
}

/** Prints one with its evidence and notes. @throws OperationalError `unknown_episode` */
export async function showEpisode(text: string, options: ActOptions): Promise<void> {
  const id = readId(text);
  const detail = await lookUp<EpisodeDetail>(loadQuietly(options), 'episodes show', `/v1/episodes/${id}`, (database) =>
    readEpisode(database, id),
  );
  print(detail, id, options);
}

/** Acknowledges, closes or annotates one, and prints it. @throws OperationalError `unknown_episode`, `wrong_usage` */
export async function actOn(act: EpisodeAct, text: string, options: ActOptions): Promise<void> {
  const id = readId(text);
  const { note } = options;
  const path = `/v1/episodes/${id}/${act === 'note' ? 'notes' : act}`;
  const body = act === 'note' ? { text: note } : note === undefined ? {} : { note };
  const actor = `cli:${userInfo().username}`;
  const detail = await tellPlatform<EpisodeDetail>(
    loadQuietly(options),
    `episodes ${act}`,
    { path, body },
    (database) => actOnEpisode(database, { id, act, note, actor }),
  );
  print(detail, id, options);
}

function print(detail: EpisodeDetail | undefined, id: number, { json }: ActOptions): void {
  if (detail === undefined)
    throw new OperationalError(
      'unknown_episode',
      `There is no episode ${id}; \`downhole episodes list\` shows those that are.`,
    );
  process.stdout.write(json === true ? `${JSON.stringify(detail, null, 2)}\n` : episodeText(detail));
}

const wrong = (message: string): OperationalError => new OperationalError('wrong_usage', message);

function readId(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text))
    throw wrong(`${JSON.stringify(text)} is no id; \`downhole episodes list\` shows them`);
  return Number(text);
}

function readState(text = 'all'): EpisodeState | 'all' {
  const states = [...EPISODE_STATES, 'all'] as const;
  const state = states.find((name) => name === text);
  if (state === undefined) throw wrong(`--state ${JSON.stringify(text)} is none of ${states.join(', ')}`);
  return state;
}

function readLimit(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT;
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_EPISODES_PER_PAGE)
    throw wrong(`--limit ${JSON.stringify(text)} is no number from 1 to ${MAX_EPISODES_PER_PAGE}`);
  return limit;
}
