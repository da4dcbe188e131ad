import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { AlertsPage } from './alerts-page.js';
import { ApiError, awaySince } from './api.js';
import { DeadLettersPage } from './dead-letters-page.js';
import { EpisodePage } from './episode-page.js';
import { EpisodesPage } from './episodes-page.js';
import { formatClock } from './format.js';
import { FleetPage } from './fleet-page.js';
import { Icon } from './icons.js';
import { LetterPage } from './letter-page.js';
import { Link } from './link.js';
import { PipelinePage } from './pipeline-page.js';
import { QualityPage } from './quality-page.js';
import { deviceOfPath, episodeOfPath, letterOfPath, place } from './router.js';
import { session } from './session.js';
import { signOut } from './sign-in.js';
import { SignInPage } from './sign-in-page.js';
import { theme, toggleTheme } from './theme.js';
import { WellPage } from './well-page.js';

const PAGES = [
  { path: '/', title: 'Fleet' },
  { path: '/episodes', title: 'Episodes' },
  { path: '/quality', title: 'Quality' },
  { path: '/alerts', title: 'Alerts' },
  { path: '/pipeline', title: 'Pipeline' },
  { path: '/dead-letters', title: 'Dead letters' },
] as const;

export function App(): JSX.Element {
  const { path } = place.value;
  return (
    <>
      <a class="skip" href="#main">
        Skip to content
      </a>
      <Header path={path} />
      <AwayBanner />
      <main id="main" tabIndex={-1}>
        <Content path={path} />
      </main>
    </>
  );
}

/** The page of the address, once it is known that it may be shown; until then the form to sign in. */
function Content({ path }: { readonly path: string }): JSX.Element | null {
  const now = session.value;
  const wasSignedOut = useRef(false);
  useEffect(() => {
    if (now.kind === 'signed-out') document.title = 'Sign in · Downhole';
    // The field that had the focus is gone: the keyboard continues in what took its place.
    else if (wasSignedOut.current) document.getElementById('main')?.focus({ preventScroll: true });
    wasSignedOut.current = now.kind === 'signed-out';
  }, [now.kind]);
  if (now.kind === 'unknown') return null;
  return now.kind === 'signed-out' ? <SignInPage reason={now.reason} /> : <Page path={path} />;
}

function Page({ path }: { readonly path: string }): JSX.Element {
  const deviceId = deviceOfPath(path);
  const letterId = letterOfPath(path);
  const episodeId = episodeOfPath(path);
  const title =
    deviceId ??
    (letterId === undefined ? undefined : `Dead letter ${letterId.slice(0, 8)}`) ??
    (episodeId === undefined ? undefined : `Episode ${episodeId}`);
  useTitleAndFocus(path, title ?? PAGES.find((page) => page.path === path)?.title ?? 'Not found');
  if (deviceId !== undefined) return <WellPage key={deviceId} deviceId={deviceId} />;
  if (letterId !== undefined) return <LetterPage key={letterId} letterId={letterId} />;
  if (episodeId !== undefined) return <EpisodePage key={episodeId} episodeId={episodeId} />;
  if (path === '/') return <FleetPage />;
  if (path === '/episodes') return <EpisodesPage />;
  if (path === '/quality') return <QualityPage />;
  if (path === '/alerts') return <AlertsPage />;
  if (path === '/pipeline') return <PipelinePage />;
  if (path === '/dead-letters') return <DeadLettersPage />;
  return (
    <div class="empty">
      <h1>There is no such page</h1>
      <p>
        <Link href="/">Go to the fleet</Link>
      </p>
    </div>
  );
}

/** After a change of page the title says where one is, and the keyboard continues in the new content. */
function useTitleAndFocus(path: string, title: string): void {
  const first = useRef(true);
  useEffect(() => {
    document.title = `${title} · Downhole`;
    if (!first.current) document.getElementById('main')?.focus({ preventScroll: true });
    first.current = false;
  }, [path]);
}

function Header({ path }: { readonly path: string }): JSX.Element {
  const isCurrent = (page: string): boolean => page === path || path.startsWith(page === '/' ? '/wells/' : `${page}/`);
  return (
    <header class="top">
      <Link href="/" class="brand">
        <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
          <rect width="32" height="32" rx="7" fill="var(--brand)" />
          <path
            d="M16 5v12m-5-5 5 6 5-6M9 25h14"
            fill="none"
            stroke="#fff"
            stroke-width="3"
            stroke-linecap="round"
            stroke-linejoin="round"
          />
        </svg>
        <span>Downhole</span>
      </Link>
      <nav aria-label="Pages">
        {session.value.kind !== 'signed-out' &&
          PAGES.map((page) => (
            <Link key={page.path} href={page.path} current={isCurrent(page.path)}>
              {page.title}
            </Link>
          ))}
      </nav>
      <SignOut />
      <button type="button" class="quiet" onClick={toggleTheme} aria-label="Switch between light and dark">
        <Icon name={theme.value === 'dark' ? 'sun' : 'moon'} />
        <span class="wide-only">{theme.value === 'dark' ? 'Light' : 'Dark'}</span>
      </button>
    </header>
  );
}

function SignOut(): JSX.Element | null {
  const now = session.value;
  const [problem, setProblem] = useState<string | null>(null);
  if (now.kind !== 'signed-in') return null;
  const leave = async (): Promise<void> => {
    try {
      setProblem(null);
      await signOut();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setProblem(`You are still signed in: ${error.message}`);
    }
  };
  return (
    <>
      <span class="bad" role="alert">
        {problem}
      </span>
      <button
        type="button"
        class="quiet"
        aria-label="Sign out"
        title={`Signed in with ${now.actor}`}
        onClick={() => void leave()}
      >
        <Icon name="leave" />
        <span class="wide-only">Sign out</span>
      </button>
    </>
  );
}

function AwayBanner(): JSX.Element {
  const since = awaySince.value;
  return (
    <div role="status" class={since === null ? 'banner-place' : 'banner-place banner'}>
      {since !== null && (
        <>
          <Icon name="anomaly" />
          <span>
            <strong>The service does not answer</strong> since {formatClock(since)}. Trying again every few seconds;
            what is shown is from before. If it stays away, look at its log.
          </span>
        </>
      )}
    </div>
  );
}
