import type { JSX } from 'preact';
import type { EpisodeList, EpisodeShown } from '../../src/episodes/episode-schemas.js';
import { CONDITIONS } from '../../src/telemetry/conditions.js';
import { getJson } from './api.js';
import { causeWords } from './cause-words.js';
import { EpisodeMark } from './episode-mark.js';
import { formatDateTime, formatDuration, formatShare, NO_VALUE } from './format.js';
import { Link } from './link.js';
import { Loaded } from './loaded.js';
import { episodePath, place, setParameters, wellPath } from './router.js';
import { TableHead } from './table-head.js';
import { usePoll } from './use-poll.js';

const POLL_MS = 5000;
const PAGE_LIMIT = 100;
const STATES = ['open', 'ended', 'closed', 'all'] as const;
const STATE_WORDS = { open: 'Going on', ended: 'Ended', closed: 'Closed', all: 'All' } as const;

export function EpisodesPage(): JSX.Element {
  const { parameters } = place.value;
  const state = STATES.find((name) => name === parameters.get('state')) ?? 'all';
  const diagnosis = parameters.get('diagnosis') ?? '';
  const device = parameters.get('device') ?? '';
  const after = parameters.get('after') ?? '';
  const asked = new URLSearchParams({ state, limit: String(PAGE_LIMIT) });
  for (const [name, value] of Object.entries({ diagnosis, device, after })) if (value !== '') asked.set(name, value);
  const path = `/v1/episodes?${asked.toString()}`;
  return (
    <div class="page">
      <div class="page-head">
        <h1>Episodes</h1>
        <div class="segments" role="group" aria-label="What has become of them">
          {STATES.map((name) => (
            <button
              key={name}
              type="button"
              aria-pressed={name === state}
              onClick={() => setParameters({ state: name === 'all' ? null : name, after: null }, 'push')}
            >
              {STATE_WORDS[name]}
            </button>
          ))}
        </div>
      </div>
      <p class="muted">
        When something was wrong with a well, and what it may have been. Those that began last come first.
      </p>
      <div class="toolbar" role="search" aria-label="Narrow the episodes">
        <label class="field">
          <span>Well</span>
          <input
            type="search"
            placeholder="device id, exactly"
            maxLength={128}
            value={device}
            onChange={(event) => setParameters({ device: event.currentTarget.value.trim(), after: null }, 'replace')}
          />
        </label>
        <label class="field">
          <span>Diagnosis</span>
          <select
            value={diagnosis}
            onChange={(event) => setParameters({ diagnosis: event.currentTarget.value, after: null }, 'replace')}
          >
            <option value="">any</option>
            {Object.entries(CONDITIONS).map(([name, { label }]) => (
              <option key={name} value={name}>
                {label}
              </option>
            ))}
            <option value="none">no signature fits</option>
          </select>
        </label>
      </div>
      <EpisodeResults path={path} query={parameters.toString()} after={after} />
    </div>
  );
}

interface EpisodeResultsProps {
  readonly path: string;
  /** The parameters of this page, for the way back. */
  readonly query: string;
  readonly after: string;
}

/** A component of its own: an answer that comes must not wipe out what somebody is typing above. */
function EpisodeResults({ path, query, after }: EpisodeResultsProps): JSX.Element {
  const polled = usePoll(path, (abort) => getJson<EpisodeList>(path, abort), POLL_MS);
  return (
    <Loaded polled={polled}>
      {(list) =>
        list.episodes.length === 0 ? (
          <div class="empty">
            <h2>No episodes here</h2>
            <p class="muted">Where nothing narrows them: nothing was found wrong with any well so far.</p>
          </div>
        ) : (
          <>
            <EpisodeTable episodes={list.episodes} query={query} />
            <Pages after={after} next={list.next} />
          </>
        )
      }
    </Loaded>
  );
}

function Pages({ after, next }: { readonly after: string; readonly next: string | null }): JSX.Element | null {
  if (after === '' && next === null) return null;
  return (
    <div class="toolbar">
      {after !== '' && (
        <button type="button" onClick={() => setParameters({ after: null }, 'push')}>
          Newest
        </button>
      )}
      {next !== null && (
        <button type="button" onClick={() => setParameters({ after: next }, 'push')}>
          Older
        </button>
      )}
    </div>
  );
}

interface EpisodeTableProps {
  readonly episodes: readonly EpisodeShown[];
  /** The parameters of this page, for the way back. */
  readonly query: string;
}

function EpisodeTable({ episodes, query }: EpisodeTableProps): JSX.Element {
  return (
    <div class="table-frame" role="region" aria-label="Episodes" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <TableHead title="Diagnosis" />
            <TableHead title="State" />
            <TableHead title="Well" />
            <TableHead title="Since" isNumber />
            <TableHead title="Lasted" isNumber />
            <TableHead title="Confidence" isNumber />
            <TableHead title="Cause" />
            <TableHead title="Seen by" />
          </tr>
        </thead>
        <tbody>
          {episodes.map((episode) => (
            <tr key={episode.id}>
              <th scope="row">
                <Link href={episodePath(episode.id, query)} class="row-link">
                  {episode.diagnosis_label ?? 'no signature fits'}
                </Link>
              </th>
              <td>
                <EpisodeMark episode={episode} />
              </td>
              <td class="clipped" title={episode.display_name ?? undefined}>
                <Link href={wellPath(episode.device_id)} class="row-link">
                  {episode.display_name ?? episode.device_id}
                </Link>
              </td>
              <td class="number">{formatDateTime(Date.parse(episode.start))}</td>
              <td class="number">{formatDuration(episode.seconds)}</td>
              <td class="number">{episode.diagnosis === null ? NO_VALUE : formatShare(episode.confidence, 0)}</td>
              <td>{episode.cause === null ? NO_VALUE : causeWords(episode.cause)}</td>
              <td class="clipped" title={episode.acknowledged_by ?? undefined}>
                {episode.acknowledged_by ?? <span class="muted">nobody yet</span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
