import type { ComponentChildren, JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import type { LetterGroups, LetterList } from '../../src/dead-letters/letter-schemas.js';
import { ApiError, getJson, serverNowMs } from './api.js';
import { formatDateTime } from './format.js';
import { Icon } from './icons.js';
import {
  filterOfView,
  groupsPath,
  isNarrowed,
  LETTER_STATES,
  lettersPath,
  type LetterState,
  type LetterView,
  parseLetterView,
} from './letter-filter.js';
import { GroupTable, LetterTable } from './letter-tables.js';
import { LetterToolbar } from './letter-toolbar.js';
import { Loaded } from './loaded.js';
import { ReplayDialog, letterWord } from './replay-dialog.js';
import type { ReplayChoice } from './replay-run.js';
import { place, setParameters } from './router.js';
import { mayAdminister } from './session.js';
import { usePoll } from './use-poll.js';

const POLL_MS = 5000;
const PAGE_LIMIT = 100;
/** So many groups the service tells at most: beyond that nobody knows how many letters there are. */
const MOST_GROUPS = 100;

const STATE_WORDS: Readonly<Record<LetterState, string>> = {
  new: 'Waiting',
  replayed: 'Replayed',
  purged: 'Purged',
  all: 'All',
};

export function DeadLettersPage(): JSX.Element {
  const view = parseLetterView(place.value.parameters);
  // After a replay everything is asked for anew.
  const [version, setVersion] = useState(0);
  const ofGroups = groupsPath(view);
  const ofList = lettersPath(view, PAGE_LIMIT);
  const groups = usePoll(`${ofGroups} ${version}`, (abort) => getJson<LetterGroups>(ofGroups, abort), POLL_MS);
  const letters = usePoll(`${ofList} ${version}`, (abort) => getJson<LetterList>(ofList, abort), POLL_MS);
  // With the address alone: drawn anew by an answer that comes meanwhile, a field would lose what is being typed into it.
  const toolbar = useMemo(() => <LetterToolbar view={view} />, [place.value.parameters.toString()]);
  const isEmpty = groups.data?.groups.length === 0 && letters.data?.letters.length === 0;
  return (
    <div class="page">
      <div class="page-head">
        <h1>Dead letters</h1>
        <div class="segments" role="group" aria-label="What became of them">
          {LETTER_STATES.map((state) => (
            <button
              key={state}
              type="button"
              aria-pressed={state === view.state}
              onClick={() => setParameters({ state: state === 'new' ? null : state, after: null }, 'push')}
            >
              {STATE_WORDS[state]}
            </button>
          ))}
        </div>
      </div>
      <p class="muted">Records that were accepted and could not be stored, kept as they came, each with its reason.</p>
      {toolbar}
      {isEmpty ? (
        <NoLetters view={view} />
      ) : (
        <>
          <section aria-labelledby="by-reason">
            <h2 id="by-reason">By reason</h2>
            <Loaded polled={groups}>
              {(data) => (
                <>
                  <GroupTable
                    groups={data.groups}
                    chosen={view.code}
                    onChoose={(code) => setParameters({ code, after: null }, 'push')}
                  />
                  <ReplayGroup view={view} groups={data.groups} onReplayed={() => setVersion(version + 1)} />
                </>
              )}
            </Loaded>
          </section>
          <section aria-labelledby="letters">
            <h2 id="letters">Letters, those given up last first</h2>
            <Loaded polled={letters}>{(data) => <LetterPages view={view} list={data} />}</Loaded>
          </section>
        </>
      )}
    </div>
  );
}

function LetterPages({ view, list }: { readonly view: LetterView; readonly list: LetterList }): JSX.Element {
  return (
    <>
      {list.letters.length === 0 ? (
        <p class="card muted">No letter here.</p>
      ) : (
        <LetterTable
          letters={list.letters}
          query={place.value.parameters.toString()}
          showState={view.state === 'all'}
        />
      )}
      {(view.after !== null || list.next !== null) && (
        <div class="toolbar">
          {view.after !== null && (
            <button type="button" onClick={() => setParameters({ after: null }, 'push')}>
              Newest
            </button>
          )}
          {list.next !== null && (
            <button type="button" onClick={() => setParameters({ after: list.next }, 'push')}>
              Older
            </button>
          )}
        </div>
      )}
    </>
  );
}

interface ReplayGroupProps {
  readonly view: LetterView;
  readonly groups: LetterGroups['groups'];
  readonly onReplayed: () => void;
}

/** The letters of the filter, as many as there are at this moment; those that come later are not among them. */
function ReplayGroup({ view, groups, onReplayed }: ReplayGroupProps): JSX.Element | null {
  const [asked, setAsked] = useState<{ choice: ReplayChoice; count: number; which: string } | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const chosen = groups.filter(({ code }) => view.code === null || code === view.code);
  const count = chosen.reduce((sum, { letters }) => sum + letters, 0);
  if (view.state !== 'new' || (count === 0 && asked === null)) return null;
  if (!mayAdminister())
    return <p class="muted">Replaying them needs a key with the scope admin; this session has none.</p>;
  if (view.code === null && groups.length >= MOST_GROUPS)
    return <p class="muted">There are more reasons than can be shown: choose one to replay its letters.</p>;
  const ask = async (): Promise<void> => {
    const untilMs = Math.min(view.untilMs ?? Number.POSITIVE_INFINITY, serverNowMs());
    const bounded = { ...view, untilMs };
    let counted: LetterGroups;
    try {
      counted = await getJson<LetterGroups>(groupsPath(bounded));
      setProblem(null);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return setProblem(error.message);
    }
    const found = counted.groups.filter(({ code }) => view.code === null || code === view.code);
    setAsked({
      choice: { filter: { ...filterOfView(bounded), until: new Date(untilMs).toISOString() } },
      count: found.reduce((sum, { letters }) => sum + letters, 0),
      which: describe(view),
    });
  };
  return (
    <>
      <div class="toolbar">
        <button type="button" onClick={() => void ask()}>
          Replay {letterWord(count)} …
        </button>
        {problem !== null && (
          <span class="bad" role="alert">
            {problem}
          </span>
        )}
      </div>
      {asked !== null && (
        <ReplayDialog
          {...asked}
          onClose={() => {
            setAsked(null);
            onReplayed();
          }}
        />
      )}
    </>
  );
}

/** The letters of a view, in words. */
function describe({ code, device, fromMs, untilMs }: LetterView): string {
  const parts = [
    code === null ? 'of every reason' : `with the reason ${code}`,
    ...(device === null ? [] : [`of the well ${device}`]),
    ...(fromMs === null ? [] : [`given up at ${formatDateTime(fromMs)} or later`]),
    ...(untilMs === null ? [] : [`given up before ${formatDateTime(untilMs)}`]),
  ];
  return `All that wait now ${parts.join(', ')}.`;
}

function NoLetters({ view }: { readonly view: LetterView }): JSX.Element {
  if (isNarrowed(view))
    return (
      <Empty title="No letter matches">
        <button
          type="button"
          onClick={() => setParameters({ code: null, device: null, from: null, until: null, after: null }, 'push')}
        >
          Show all
        </button>
      </Empty>
    );
  if (view.state === 'replayed' || view.state === 'purged')
    return (
      <Empty title={`No letter was ${view.state} of late`}>
        <p>What was replayed or purged is listed here for 90 days.</p>
      </Empty>
    );
  return (
    <Empty title="No dead letters">
      <p class="mark good">
        <Icon name="ok" /> Every record that was accepted is stored, or on its way.
      </p>
      <p>
        A record that is accepted and then cannot be stored would be kept here with its reason, to be replayed once that
        is gone. What the service refuses at once is not here: its sender was told.
      </p>
    </Empty>
  );
}

function Empty({ title, children }: { readonly title: string; readonly children: ComponentChildren }): JSX.Element {
  return (
    <div class="empty" role="status">
      <h2>{title}</h2>
      {children}
    </div>
  );
}
