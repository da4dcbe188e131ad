import type { JSX } from 'preact';
import { timeZoneName } from './format.js';
import { fromLocalField, isNarrowed, type LetterView, toLocalField } from './letter-filter.js';
import { setParameters } from './router.js';

/** Narrows the letters by well and by the time at which they were last given up. */
export function LetterToolbar({ view }: { readonly view: LetterView }): JSX.Element {
  const narrow = (changes: Record<string, string | null>): void =>
    setParameters({ ...changes, after: null }, 'replace');
  const isReversed = view.fromMs !== null && view.untilMs !== null && view.fromMs >= view.untilMs;
  return (
    <>
      <div class="toolbar" role="search" aria-label="Narrow the letters">
        <label class="field">
          <span>Well</span>
          <input
            type="search"
            placeholder="device id, exactly"
            maxLength={128}
            value={view.device ?? ''}
            onChange={(event) => narrow({ device: event.currentTarget.value.trim() })}
          />
        </label>
        <label class="field">
          <span>From</span>
          <input
            type="datetime-local"
            max="9999-12-31T23:59"
            value={toLocalField(view.fromMs)}
            aria-invalid={isReversed}
            onChange={(event) => narrow({ from: fromLocalField(event.currentTarget.value) })}
          />
        </label>
        <label class="field">
          <span>Until</span>
          <input
            type="datetime-local"
            max="9999-12-31T23:59"
            value={toLocalField(view.untilMs)}
            aria-invalid={isReversed}
            onChange={(event) => narrow({ until: fromLocalField(event.currentTarget.value) })}
          />
        </label>
        <span class="muted">{timeZoneName()}</span>
        {view.code !== null && (
          <button type="button" onClick={() => setParameters({ code: null, after: null }, 'push')}>
            Reason <code>{view.code}</code> <span aria-hidden="true">×</span>
            <span class="visually-hidden">: show all reasons</span>
          </button>
        )}
        {isNarrowed(view) && (
          <button
            type="button"
            onClick={() => setParameters({ code: null, device: null, from: null, until: null, after: null }, 'push')}
          >
            Clear
          </button>
        )}
      </div>
      {isReversed && (
        <p class="note bad" role="alert">
          “From” is not before “Until”, so nothing can match: swap them.
        </p>
      )}
    </>
  );
}
