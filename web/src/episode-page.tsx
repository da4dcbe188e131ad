import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { EpisodeDetail } from '../../src/episodes/episode-schemas.js';
import { ApiError, getJson, sendJson } from './api.js';
import { causeWords } from './cause-words.js';
import { EpisodeMark } from './episode-mark.js';
import { formatDateTime, formatDuration, formatNumber, formatShare } from './format.js';
import { Link } from './link.js';
import { Loaded } from './loaded.js';
import { place, wellPath } from './router.js';
import { mayAdminister } from './session.js';
import { usePoll } from './use-poll.js';

const POLL_MS = 5000;
/** What was before and after it belongs to the picture: this share of its length, and a quarter of an hour at least. */
const MARGIN_SHARE = 0.5;
const LEAST_MARGIN_MS = 900_000;
const MOST_NOTE = 4000;

type Episode = EpisodeDetail['episode'];

export function EpisodePage({ episodeId }: { readonly episodeId: string }): JSX.Element {
  const [version, setVersion] = useState(0);
  const path = `/v1/episodes/${encodeURIComponent(episodeId)}`;
  const polled = usePoll(`${path} ${version}`, (abort) => getJson<EpisodeDetail>(path, abort), POLL_MS);
  const query = place.value.parameters.toString();
  return (
    <div class="page">
      <p class="crumbs">
        <Link href={`/episodes${query === '' ? '' : `?${query}`}`}>Episodes</Link>
      </p>
      {polled.data === undefined && <h1>Episode {episodeId}</h1>}
      <Loaded polled={polled}>
        {({ episode }) => <EpisodeView episode={episode} path={path} onDone={() => setVersion(version + 1)} />}
      </Loaded>
    </div>
  );
}

interface EpisodeViewProps {
  readonly episode: Episode;
  readonly path: string;
  readonly onDone: () => void;
}

function EpisodeView({ episode, path, onDone }: EpisodeViewProps): JSX.Element {
  const { diagnosis_label: label, confidence, evidence, advice, alternatives } = episode;
  return (
    <>
      <div class="page-head">
        <h1>
          {episode.display_name ?? episode.device_id}: {label ?? 'no signature fits'}
        </h1>
        <EpisodeMark episode={episode} />
        {episode.diagnosis !== null && (
          <span>
            <span class="muted">Confidence</span> {formatShare(confidence, 0)}
          </span>
        )}
        <Link href={curvesPath(episode)}>Curves of this time</Link>
      </div>
      {advice !== null && <p>What to look at first: {advice}.</p>}
      <div class="columns">
        <section aria-labelledby="for">
          <h2 id="for">What speaks for it</h2>
          <Words words={evidence.for} none={label === null ? 'No signature fits.' : 'Nothing was noted.'} />
        </section>
        <section aria-labelledby="against">
          <h2 id="against">What speaks against it</h2>
          <Words words={evidence.against} none="Nothing." />
        </section>
      </div>
      {evidence.missing.length > 0 && <p class="muted">Could not tell: {evidence.missing.join('; ')}.</p>}
      {alternatives.length > 0 && (
        <p class="muted">
          Or else: {alternatives.map((other) => `${other.label} (${formatShare(other.confidence, 0)})`).join(', ')}.
        </p>
      )}
      <section aria-labelledby="about">
        <h2 id="about">About it</h2>
        <Facts episode={episode} />
      </section>
      <section aria-labelledby="notes">
        <h2 id="notes">Notes</h2>
        {episode.history.length === 0 ? (
          <p class="card muted">None yet.</p>
        ) : (
          <ol class="card evidence" aria-label="Notes, oldest first">
            {episode.history.map(({ at, actor, text }, position) => (
              <li key={position}>
                <div class="muted">
                  {formatDateTime(Date.parse(at))}, {actor}
                </div>
                <p class="note-text">{text}</p>
              </li>
            ))}
          </ol>
        )}
        {mayAdminister() ? (
          <Acts episode={episode} path={path} onDone={onDone} />
        ) : (
          <p class="muted">To acknowledge, close or annotate it takes a key with the scope admin.</p>
        )}
      </section>
    </>
  );
}

/** The well's page over the time of the episode, with some time around it. */
function curvesPath({ device_id: deviceId, start, last }: Episode): string {
  const [fromMs, toMs] = [Date.parse(start), Date.parse(last)];
  const marginMs = Math.max(LEAST_MARGIN_MS, (toMs - fromMs) * MARGIN_SHARE);
  const from = new Date(fromMs - marginMs).toISOString();
  const to = new Date(toMs + marginMs).toISOString();
  return `${wellPath(deviceId)}?from=${encodeURIComponent(from)}&to=${encodeURIComponent(to)}`;
}

function Words({ words, none }: { readonly words: readonly string[]; readonly none: string }): JSX.Element {
  if (words.length === 0) return <p class="card muted">{none}</p>;
  return (
    <ul class="card evidence">
      {words.map((word) => (
        <li key={word}>{word}</li>
      ))}
    </ul>
  );
}

function Facts({ episode }: { readonly episode: Episode }): JSX.Element {
  const when = (text: string): string => formatDateTime(Date.parse(text));
  const facts: (readonly [string, JSX.Element | string])[] = [
    ['Well', <Link href={wellPath(episode.device_id)}>{episode.device_id}</Link>],
    ['Since', when(episode.start)],
    [
      episode.end === null ? 'Last seen' : 'Until',
      `${when(episode.last)}, ${formatDuration(episode.seconds)} after its start`,
    ],
    ['Found', when(episode.found)],
    ['Cause', episode.cause === null ? 'unknown' : causeWords(episode.cause)],
    ['Anomalous records', formatNumber(episode.anomalous_records)],
    ...(episode.peak_score === null || episode.peak === null
      ? []
      : [['Highest score', `${formatNumber(episode.peak_score, 2)} at ${when(episode.peak)}`] as const]),
    ['Detector', episode.detector],
    ...(episode.judged_by === null ? [] : [['Version', episode.judged_by] as const]),
    ...(episode.acknowledged_at === null
      ? []
      : [['Acknowledged', `${when(episode.acknowledged_at)} by ${episode.acknowledged_by ?? ''}`] as const]),
    ...(episode.closed_at === null
      ? []
      : [['Closed', `${when(episode.closed_at)} by ${episode.closed_by ?? ''}`] as const]),
  ];
  return (
    <dl class="card facts">
      {facts.map(([name, value]) => (
        <>
          <dt key={name}>{name}</dt>
          <dd key={`${name} value`} class="wrap">
            {value}
          </dd>
        </>
      ))}
    </dl>
  );
}

/** What is written in the field goes with whichever button is pressed. */
function Acts({ episode, path, onDone }: EpisodeViewProps): JSX.Element {
  const [text, setText] = useState('');
  const [problem, setProblem] = useState<string | null>(null);
  const note = text.trim();
  const act = async (name: string, body: object): Promise<void> => {
    try {
      await sendJson<EpisodeDetail>('POST', `${path}/${name}`, body);
      setText('');
      setProblem(null);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setProblem(error.message);
    }
    onDone();
  };
  const withNote = note === '' ? {} : { note };
  return (
    <div class="acts">
      <label class="field grow">
        <span>Note</span>
        <textarea rows={2} maxLength={MOST_NOTE} value={text} onInput={(event) => setText(event.currentTarget.value)} />
      </label>
      <div class="toolbar">
        <button type="button" disabled={note === ''} onClick={() => void act('notes', { text: note })}>
          Write the note
        </button>
        {episode.acknowledged_at === null && (
          <button type="button" onClick={() => void act('acknowledge', withNote)}>
            Acknowledge
          </button>
        )}
        {episode.state !== 'closed' && (
          <button type="button" onClick={() => void act('close', withNote)}>
            Close
          </button>
        )}
      </div>
      <p class="bad" role="alert">
        {problem}
      </p>
    </div>
  );
}
