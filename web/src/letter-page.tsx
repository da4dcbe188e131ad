import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { LetterDetail } from '../../src/dead-letters/letter-schemas.js';
import { getJson } from './api.js';
import { FigureTable } from './figure-table.js';
import { LastSeen } from './fleet-table.js';
import { formatDateTime, formatNumber } from './format.js';
import { Icon } from './icons.js';
import { LetterBytes } from './letter-bytes.js';
import { remedyFor } from './letter-reasons.js';
import { Link } from './link.js';
import { Loaded } from './loaded.js';
import { ReplayDialog } from './replay-dialog.js';
import { place, wellPath } from './router.js';
import { mayAdminister } from './session.js';
import { usePoll } from './use-poll.js';

const POLL_MS = 5000;

type Letter = LetterDetail['letter'];

export function LetterPage({ letterId }: { readonly letterId: string }): JSX.Element {
  const [version, setVersion] = useState(0);
  const path = `/v1/dead-letters/${encodeURIComponent(letterId)}`;
  const polled = usePoll(`${path} ${version}`, (abort) => getJson<LetterDetail>(path, abort), POLL_MS);
  const query = place.value.parameters.toString();
  return (
    <div class="page">
      <p class="crumbs">
        <Link href={`/dead-letters${query === '' ? '' : `?${query}`}`}>Dead letters</Link>
      </p>
      {polled.data === undefined && <h1>Dead letter {letterId.slice(0, 10)}</h1>}
      <Loaded polled={polled}>
        {({ letter }) => <LetterView letter={letter} onReplayed={() => setVersion(version + 1)} />}
      </Loaded>
    </div>
  );
}

interface LetterViewProps {
  readonly letter: Letter;
  readonly onReplayed: () => void;
}

function LetterView({ letter, onReplayed }: LetterViewProps): JSX.Element {
  return (
    <>
      <div class="page-head">
        <h1>
          Dead letter <code>{letter.id.slice(0, 10)}</code>
        </h1>
        <StateMark letter={letter} />
        <ReplayOne letter={letter} onReplayed={onReplayed} />
      </div>
      <section aria-labelledby="error">
        <h2 id="error">What stands in the way</h2>
        <div class="card letter-error">
          <p>
            <code class="badge">{letter.code}</code> {letter.error}
          </p>
          {letter.state === 'new' && <Remedy text={remedyFor(letter.code)} />}
        </div>
      </section>
      <section aria-labelledby="original">
        <h2 id="original">Original</h2>
        <LetterBytes original={letter.original} bytes={letter.bytes} />
      </section>
      <div class="columns">
        <section aria-labelledby="about">
          <h2 id="about">About it</h2>
          <Facts letter={letter} />
        </section>
        <section aria-labelledby="headers">
          <h2 id="headers">Headers</h2>
          <Headers headers={letter.headers} />
        </section>
      </div>
      <section aria-labelledby="history">
        <h2 id="history">What was done to it</h2>
        <History history={letter.history} />
      </section>
    </>
  );
}

/** @param text with commands between backticks */
function Remedy({ text }: { readonly text: string }): JSX.Element {
  return <p class="muted">{text.split('`').map((part, at) => (at % 2 === 0 ? part : <code key={at}>{part}</code>))}</p>;
}

function StateMark({ letter }: { readonly letter: Letter }): JSX.Element {
  if (letter.state === 'new')
    return (
      <span class="mark warn">
        <Icon name="unknown" /> Waiting
      </span>
    );
  const outcome = Object.entries(letter.outcome ?? {}).map(([name, records]) => `${formatNumber(records)} ${name}`);
  return (
    <span class={letter.state === 'replayed' ? 'mark good' : 'mark muted'}>
      <Icon name={letter.state === 'replayed' ? 'ok' : 'silent'} />
      {letter.state === 'replayed' ? `Replayed: ${outcome.join(', ')}` : 'Purged'}
    </span>
  );
}

function ReplayOne({ letter, onReplayed }: LetterViewProps): JSX.Element | null {
  const [isAsking, setIsAsking] = useState(false);
  if (!isAsking && letter.state !== 'new') return null;
  if (!mayAdminister()) return <span class="muted">Replaying it needs a key with the scope admin.</span>;
  return (
    <>
      <button type="button" class="plain" onClick={() => setIsAsking(true)}>
        Replay this letter …
      </button>
      {isAsking && (
        <ReplayDialog
          choice={{ ids: [letter.id] }}
          count={1}
          which={`${letter.code}${letter.device_id === null ? '' : ` of the well ${letter.device_id}`}.`}
          onClose={() => {
            setIsAsking(false);
            onReplayed();
          }}
        />
      )}
    </>
  );
}

function Facts({ letter }: { readonly letter: Letter }): JSX.Element {
  return (
    <dl class="card facts">
      <dt>Well</dt>
      <dd>
        {letter.device_id === null ? (
          'cannot be told'
        ) : (
          <Link href={wellPath(letter.device_id)}>{letter.device_id}</Link>
        )}
      </dd>
      <dt>Came in</dt>
      <dd>
        {formatNumber(letter.occurrences)} {letter.occurrences === 1 ? 'message' : 'messages'}
      </dd>
      <dt>First given up</dt>
      <dd>{formatDateTime(Date.parse(letter.first_at))}</dd>
      <dt>Last given up</dt>
      <dd>
        {formatDateTime(Date.parse(letter.last_at))}, <LastSeen at={letter.last_at} />
      </dd>
      {letter.state_changed_at !== null && (
        <>
          <dt>State since</dt>
          <dd>
            {formatDateTime(Date.parse(letter.state_changed_at))}
            {letter.state_changed_by !== null && ` by ${letter.state_changed_by}`}
          </dd>
        </>
      )}
      <dt>Id</dt>
      <dd class="wrap">
        <code>{letter.id}</code>
      </dd>
    </dl>
  );
}

function Headers({ headers }: { readonly headers: Letter['headers'] }): JSX.Element {
  const entries = Object.entries(headers);
  if (entries.length === 0) return <p class="card muted">None came with it.</p>;
  return (
    <dl class="card facts">
      {entries.map(([name, value]) => (
        <>
          <dt key={name}>
            <code>{name}</code>
          </dt>
          <dd key={`${name} value`} class="wrap">
            <code>{typeof value === 'string' ? value : JSON.stringify(value)}</code>
          </dd>
        </>
      ))}
    </dl>
  );
}

function History({ history }: { readonly history: Letter['history'] }): JSX.Element {
  if (history.length === 0) return <p class="card muted">Nothing yet.</p>;
  return (
    <FigureTable
      label="What was done to it, oldest first"
      heads={['When', 'Who', 'What', 'Result']}
      rows={history.map(({ at, actor, action, detail }) => [
        formatDateTime(Date.parse(at)),
        actor,
        action.replace('dead_letter.', ''),
        resultOf(detail),
      ])}
    />
  );
}

/** What an act came to: what a replay stored, or why it was refused. */
function resultOf({ result, outcome, code, error }: Letter['history'][number]['detail']): string {
  const records = Object.entries((outcome ?? {}) as Record<string, number>).map(([name, count]) => `${count} ${name}`);
  const words = [
    result,
    records.join(', '),
    result === 'refused' ? code : undefined,
    result === 'refused' ? error : undefined,
  ];
  return words.filter((word) => typeof word === 'string' && word !== '').join(': ');
}
