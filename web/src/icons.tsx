/** Signs, 12 × 12, in the colour of their text. Each stands beside a word: shape and word carry the meaning, colour helps. */
import type { JSX } from 'preact';

const PATHS = {
  running: <path d="M2.5 1.5v9l8-4.5z" fill="currentColor" />,
  off: <rect x="2" y="2" width="8" height="8" rx="1" fill="currentColor" />,
  starting: <path d="M6 1.5 10.5 6H7.6v4.5H4.4V6H1.5z" fill="currentColor" />,
  transient: <path d="M6 1 11 6 6 11 1 6z" fill="currentColor" />,
  silent: <path d="M1.5 1.5l9 9m0-9l-9 9" stroke="currentColor" stroke-width="2" stroke-linecap="round" />,
  unknown: <circle cx="6" cy="6" r="4" fill="none" stroke="currentColor" stroke-width="2" />,
  anomaly: (
    <>
      <path d="M6 .8 11.6 11H.4z" fill="currentColor" />
      <path d="M6 4.6v3" stroke="var(--surface)" stroke-width="1.3" stroke-linecap="round" />
      <circle cx="6" cy="9.3" r=".8" fill="var(--surface)" />
    </>
  ),
  ok: (
    <path
      d="M1.5 6.5 4.5 9.5l6-7"
      fill="none"
      stroke="currentColor"
      stroke-width="2"
      stroke-linecap="round"
      stroke-linejoin="round"
    />
  ),
  sun: (
    <g stroke="currentColor" stroke-width="1.4" stroke-linecap="round">
      <circle cx="6" cy="6" r="2.3" fill="none" />
      <path d="M6 .8v1.1M6 10.1v1.1M.8 6h1.1M10.1 6h1.1M2.3 2.3l.8.8M8.9 8.9l.8.8M2.3 9.7l.8-.8M8.9 3.1l.8-.8" />
    </g>
  ),
  leave: (
    <path
      d="M4.5 1.5h-3v9h3M4.5 6h6M8 3.2 10.8 6 8 8.8"
      fill="none"
      stroke="currentColor"
      stroke-width="1.5"
      stroke-linecap="round"
      stroke-linejoin="round"
    />
  ),
  moon: <path d="M10.3 7.6A4.6 4.6 0 0 1 4.4 1.7a4.6 4.6 0 1 0 5.9 5.9z" fill="currentColor" />,
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { readonly name: IconName }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
      {PATHS[name]}
    </svg>
  );
}
