/** Which dead letters are shown, as it stands in the URL and as the API wants it. */
import type { LetterFilter } from '../../src/dead-letters/letter-schemas.js';

export const LETTER_STATES = ['new', 'replayed', 'purged', 'all'] as const;
export type LetterState = (typeof LETTER_STATES)[number];

export interface LetterView {
  readonly state: LetterState;
  readonly code: string | null;
  readonly device: string | null;
  /** Epoch milliseconds; when letters were last given up. */
  readonly fromMs: number | null;
  readonly untilMs: number | null;
  /** Where the page of the list begins; null: at the newest letter. */
  readonly after: string | null;
}

/** The view that a URL asks for; what cannot be read is left out. */
export function parseLetterView(parameters: URLSearchParams): LetterView {
  const text = (name: string): string | null => parameters.get(name) || null;
  return {
    state: LETTER_STATES.find((state) => state === parameters.get('state')) ?? 'new',
    code: text('code'),
    device: text('device'),
    fromMs: instantOf(parameters.get('from')),
    untilMs: instantOf(parameters.get('until')),
    after: text('after'),
  };
}

function instantOf(text: string | null): number | null {
  const ms = Date.parse(text ?? '');
  return Number.isNaN(ms) ? null : ms;
}

/** Whether anything but the state narrows the view. */
export const isNarrowed = ({ code, device, fromMs, untilMs }: LetterView): boolean =>
  code !== null || device !== null || fromMs !== null || untilMs !== null;

/** The filter of the API, for queries and replays alike. */
export function filterOfView({ code, device, fromMs, untilMs }: LetterView): LetterFilter {
  return {
    ...(code === null ? {} : { code }),
    ...(device === null ? {} : { device_id: device }),
    ...(fromMs === null ? {} : { since: new Date(fromMs).toISOString() }),
    ...(untilMs === null ? {} : { until: new Date(untilMs).toISOString() }),
  };
}

/** Path of the groups by reason: of all reasons, also while one of them is chosen. */
export function groupsPath(view: LetterView): string {
  const parameters = new URLSearchParams({ ...filterOfView({ ...view, code: null }), state: view.state });
  return `/v1/dead-letters/groups?${parameters.toString()}`;
}

/** Path of a page of the list. */
export function lettersPath(view: LetterView, limit: number): string {
  const parameters = new URLSearchParams({ ...filterOfView(view), state: view.state, limit: String(limit) });
  if (view.after !== null) parameters.set('after', view.after);
  return `/v1/dead-letters?${parameters.toString()}`;
}

/** An instant as a field for date and time has it, in the browser's zone, and back. */
export function toLocalField(ms: number | null): string {
  if (ms === null) return '';
  const local = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}

export function fromLocalField(text: string): string | null {
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? null : new Date(ms).toISOString();
}
