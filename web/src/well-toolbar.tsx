import type { JSX } from 'preact';
import { pan, PRESETS, type Span, type TimeView, zoom } from './time-view.js';

const BUTTON_PAN = 0.5;
const BUTTON_ZOOM = 2;

interface WellToolbarProps {
  readonly view: TimeView;
  readonly span: Span;
  /** Whether what is shown moves along with the clock. */
  readonly moving: boolean;
  readonly tables: boolean;
  readonly onView: (view: TimeView) => void;
  readonly onTables: () => void;
}

export function WellToolbar({ view, span, moving, tables, onView, onTables }: WellToolbarProps): JSX.Element {
  const lengthSeconds = (span.toMs - span.fromMs) / 1000;
  return (
    <div class="toolbar" role="toolbar" aria-label="Time range">
      <div class="segments" role="group" aria-label="Length">
        {PRESETS.map((preset) => (
          <button
            key={preset.name}
            type="button"
            aria-pressed={view.kind === 'live' && view.seconds === preset.seconds}
            onClick={() => onView({ kind: 'live', seconds: preset.seconds })}
          >
            {preset.text}
          </button>
        ))}
        <button type="button" aria-pressed={view.kind === 'all'} onClick={() => onView({ kind: 'all' })}>
          All
        </button>
      </div>
      <div class="segments" role="group" aria-label="Move">
        <button type="button" aria-label="Earlier" title="Earlier (←)" onClick={() => onView(pan(span, -BUTTON_PAN))}>
          ←
        </button>
        <button type="button" aria-label="Later" title="Later (→)" onClick={() => onView(pan(span, BUTTON_PAN))}>
          →
        </button>
        <button
          type="button"
          aria-label="Zoom in"
          title="Zoom in (+)"
          onClick={() => onView(zoom(view, span, 1 / BUTTON_ZOOM))}
        >
          +
        </button>
        <button
          type="button"
          aria-label="Zoom out"
          title="Zoom out (−)"
          onClick={() => onView(zoom(view, span, BUTTON_ZOOM))}
        >
          −
        </button>
      </div>
      <button
        type="button"
        class="live"
        aria-pressed={moving}
        onClick={() => onView({ kind: 'live', seconds: Math.round(lengthSeconds) })}
      >
        <span class="live-dot" aria-hidden="true" />
        Live
      </button>
      <button type="button" aria-pressed={tables} onClick={onTables}>
        Tables
      </button>
      <span class="muted keys wide-only">
        <kbd>←</kbd> <kbd>→</kbd> move, <kbd>+</kbd> <kbd>−</kbd> zoom, <kbd>Esc</kbd> last hour
      </span>
    </div>
  );
}
