/** What the charts have in common: colours from the style sheet, axes, cursor. */
import type uPlot from 'uplot';
import type { Quantity } from '../../src/telemetry/units.js';

/** Keeps the cursors of all charts of the page together. */
const CURSOR_KEY = 'well';
/** All charts leave the same room for their value axis, so that times stand exactly below each other. */
export const VALUE_AXIS_WIDTH = 58;
export const RIGHT_PADDING = 10;

export interface Look {
  readonly line: string;
  readonly band: string;
  readonly text: string;
  readonly grid: string;
  readonly anomaly: string;
  readonly font: string;
}

/** The colours in force for a quantity; ask again when the theme changes. */
export function lookOf(quantity: Quantity): Look {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const line = colour(`--line-${quantity}`);
  return {
    line,
    band: `color-mix(in srgb, ${line} 22%, transparent)`,
    text: colour('--muted'),
    grid: colour('--grid'),
    anomaly: colour('--bad'),
    font: `11px ${style.fontFamily}`,
  };
}

/** The time axis, in the browser's zone, 24 hours. */
export function timeAxis(look: Look, shown: boolean): uPlot.Axis {
  return {
    show: true,
    size: shown ? 40 : 0,
    stroke: look.text,
    font: look.font,
    grid: { stroke: look.grid, width: 1 },
    ticks: { show: false },
    gap: 4,
    space: 70,
    values: shown ? TIME_LABELS : (_chart, splits) => splits.map(() => ''),
  };
}

// [least increment in seconds, format, then what is added when year, month/day, hour or minute changes]
const TIME_LABELS: (string | number | null)[][] = [
  [86_400 * 365, '{YYYY}', null, null, null, null, null, null, 1],
  [86_400 * 28, '{MMM}', '\n{YYYY}', null, null, null, null, null, 1],
  [86_400, '{D} {MMM}', '\n{YYYY}', null, null, null, null, null, 1],
  [60, '{HH}:{mm}', '\n{D} {MMM} {YYYY}', null, '\n{D} {MMM}', null, null, null, 1],
  [1, '{HH}:{mm}:{ss}', '\n{D} {MMM} {YYYY}', null, '\n{D} {MMM}', null, null, null, 1],
  [0.001, ':{ss}.{fff}', '\n{D} {MMM} {HH}:{mm}', null, '\n{D} {MMM} {HH}:{mm}', null, '\n{HH}:{mm}', null, 1],
];

/** A value range with room above and below; a flat line lies in the middle. */
export function valueRange(_chart: uPlot, least: number | null, greatest: number | null): [number, number] {
  if (least === null || greatest === null || !Number.isFinite(least)) return [0, 1];
  const size = Math.max(Math.abs(least), Math.abs(greatest));
  const span = Math.max(greatest - least, size * 0.01, 1e-3);
  const middle = (least + greatest) / 2;
  const low = middle - span * 0.6;
  return [least >= 0 && low < 0 ? 0 : low, middle + span * 0.6];
}

/** Dragging selects a span of time; the page, not the chart, decides what to show then. */
export function sharedCursor(onReset: () => void, dot: string | null): uPlot.Cursor {
  return {
    y: false,
    sync: { key: CURSOR_KEY, scales: ['x', null] },
    drag: { x: true, y: false, setScale: false },
    points:
      dot === null
        ? { show: false }
        : { one: false, size: 7, width: 0, fill: dot, show: (chart, at) => onlyMean(chart, at) },
    bind: {
      dblclick: () => () => {
        onReset();
        return null;
      },
    },
  };
}

const MEAN_SERIES = 3;

/** The dot on the curve under the cursor; least and greatest get none. */
function onlyMean(_chart: uPlot, at: number): HTMLElement {
  // uPlot takes anything falsy for "no dot here", which its types do not say.
  return (at === MEAN_SERIES ? document.createElement('div') : undefined) as HTMLElement;
}
