import type { ComponentChildren, JSX } from 'preact';

interface LoadedProps<T> {
  readonly polled: { readonly data: T | undefined; readonly error: Error | undefined };
  readonly children: (data: T) => ComponentChildren;
}

/** What was polled, once it is there, and what went wrong. */
export function Loaded<T>({ polled, children }: LoadedProps<T>): JSX.Element {
  return (
    <>
      {polled.error !== undefined && <p class="note bad">{polled.error.message}</p>}
      {polled.data === undefined
        ? polled.error === undefined && <p class="empty loading">Loading …</p>
        : children(polled.data)}
    </>
  );
}
