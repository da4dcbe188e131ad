/** The address bar as a signal. The URL carries all state of a page, so that any view can be shared and gone back to. */
import { signal } from '@preact/signals';

export interface Place {
  readonly path: string;
  readonly parameters: URLSearchParams;
}

const here = (): Place => ({
  path: window.location.pathname,
  parameters: new URLSearchParams(window.location.search),
});

/** Where the page is. */
export const place = signal<Place>(here());

interface SavedScroll {
  readonly scrollY?: number;
}

/** Remembers in the entry being left how far it was scrolled. */
function saveScroll(): void {
  window.history.replaceState({ scrollY: window.scrollY } satisfies SavedScroll, '');
}

/** Goes to another page: a new entry in the history, and the view begins at its top. */
export function navigate(url: string): void {
  saveScroll();
  window.history.pushState({}, '', url);
  place.value = here();
  window.scrollTo(0, 0);
}

/**
 * Changes parameters of the present page; null removes one.
 * @param entry `push` for what a person did on purpose and may want to undo, `replace` for the rest
 */
export function setParameters(changes: Readonly<Record<string, string | null>>, entry: 'push' | 'replace'): void {
  const parameters = new URLSearchParams(window.location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === '') parameters.delete(name);
    else parameters.set(name, value);
  }
  const query = parameters.toString();
  const url = window.location.pathname + (query === '' ? '' : `?${query}`);
  if (entry === 'push') {
    saveScroll();
    window.history.pushState({}, '', url);
  } else window.history.replaceState(window.history.state, '', url);
  place.value = here();
}

window.history.scrollRestoration = 'manual';
window.addEventListener('popstate', (event) => {
  place.value = here();
  const saved = (event.state as SavedScroll | null)?.scrollY ?? 0;
  // Two frames: the page has rendered by then and is long enough to scroll.
  requestAnimationFrame(() => requestAnimationFrame(() => window.scrollTo(0, saved)));
});

/** Path of a well's page. */
export function wellPath(deviceId: string): string {
  return `/wells/${encodeURIComponent(deviceId)}`;
}

/** Path of the quality page of a well. */
export function qualityPath(deviceId: string, hours: number): string {
  return `/quality?device=${encodeURIComponent(deviceId)}&hours=${hours}`;
}

/** Path of a dead letter's page. @param query parameters of the list, for the way back */
export function letterPath(id: string, query: string): string {
  return `/dead-letters/${id}${query === '' ? '' : `?${query}`}`;
}

/** Path of an episode's page. @param query parameters of the list, for the way back */
export function episodePath(id: number, query: string): string {
  return `/episodes/${id}${query === '' ? '' : `?${query}`}`;
}

/** The device of a well's page, or undefined on other pages. */
export function deviceOfPath(path: string): string | undefined {
  return lastPart(/^\/wells\/(.+)$/.exec(path)?.[1]);
}

/** The id of a dead letter's page, or undefined on other pages. */
export function letterOfPath(path: string): string | undefined {
  return lastPart(/^\/dead-letters\/(.+)$/.exec(path)?.[1]);
}

/** The id of an episode's page, or undefined on other pages. */
export function episodeOfPath(path: string): string | undefined {
  return lastPart(/^\/episodes\/(.+)$/.exec(path)?.[1]);
}

function lastPart(encoded: string | undefined): string | undefined {
  if (encoded === undefined) return undefined;
  try {
    return decodeURIComponent(encoded);
  } catch (error) {
    // A hand-written address with a stray % is not decodable: it is then taken literally.
    if (error instanceof URIError) return encoded;
    throw error;
  }
}
