/** Which stretch of time the well page shows, as it stands in the URL, and what pan and zoom make of it. */

export type TimeView =
  /** The last seconds, moving along; where the device has been silent for longer, the last seconds of its data. */
  | { readonly kind: 'live'; readonly seconds: number }
  | { readonly kind: 'fixed'; readonly fromMs: number; readonly toMs: number }
  | { readonly kind: 'all' };

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

export const PRESETS = [
  { text: '15 m', name: '15m', seconds: 900 },
  { text: '1 h', name: '1h', seconds: 3600 },
  { text: '6 h', name: '6h', seconds: 21_600 },
  { text: '24 h', name: '24h', seconds: 86_400 },
  { text: '7 d', name: '7d', seconds: 604_800 },
  { text: '30 d', name: '30d', seconds: 2_592_000 },
] as const;

export const DEFAULT_VIEW: TimeView = { kind: 'live', seconds: 3600 };

const SHORTEST_MS = 5000;
const LONGEST_MS = 50 * 365 * 86_400_000;
/** Share of the span that is left free behind the last data of a silent device. */
const MARGIN = 0.02;

/** The view that a URL asks for; what cannot be read gives the default. */
export function parseView(parameters: URLSearchParams): TimeView {
  const fromMs = Date.parse(parameters.get('from') ?? '');
  const toMs = Date.parse(parameters.get('to') ?? '');
  if (fromMs < toMs) return { kind: 'fixed', fromMs, toMs };
  const range = parameters.get('range');
  if (range === 'all') return { kind: 'all' };
  const preset = PRESETS.find((option) => option.name === range);
  if (preset !== undefined) return { kind: 'live', seconds: preset.seconds };
  const seconds = Number(/^(\d+)s$/.exec(range ?? '')?.[1]);
  return seconds > 0 && seconds * 1000 <= LONGEST_MS ? { kind: 'live', seconds } : DEFAULT_VIEW;
}

/** The parameters that `parseView` reads; null for those that the view does not need. */
export function viewParameters(view: TimeView): Record<'range' | 'from' | 'to', string | null> {
  if (view.kind === 'fixed') {
    return { range: null, from: new Date(view.fromMs).toISOString(), to: new Date(view.toMs).toISOString() };
  }
  if (view.kind === 'all') return { range: 'all', from: null, to: null };
  const preset = PRESETS.find((option) => option.seconds === view.seconds);
  const range = preset?.name ?? `${Math.round(view.seconds)}s`;
  return { range: view.seconds === 3600 ? null : range, from: null, to: null };
}

export interface DataRangeMs {
  readonly fromMs: number | null;
  readonly toMs: number | null;
}

/** The span of a view. `atDataEnd` when a live view shows the end of the data, because there is none that recent. */
export function resolveView(view: TimeView, data: DataRangeMs, nowMs: number): Span & { readonly atDataEnd: boolean } {
  if (view.kind === 'fixed') return { fromMs: view.fromMs, toMs: view.toMs, atDataEnd: false };
  if (view.kind === 'all') {
    const toMs = data.toMs ?? nowMs;
    const fromMs = Math.min(data.fromMs ?? nowMs - 3_600_000, toMs - SHORTEST_MS);
    const marginMs = (toMs - fromMs) * MARGIN;
    return { fromMs: Math.floor(fromMs - marginMs), toMs: Math.ceil(toMs + marginMs), atDataEnd: false };
  }
  const lengthMs = view.seconds * 1000;
  const silent = data.toMs !== null && data.toMs < nowMs - lengthMs;
  const recordedMs = silent && data.fromMs !== null ? data.toMs - data.fromMs : lengthMs;
  const toMs = silent ? Math.ceil(data.toMs + Math.min(lengthMs, recordedMs) * MARGIN) : nowMs;
  // Of a short recording all of it, rather than the emptiness before.
  const earliestMs =
    silent && data.fromMs !== null ? Math.floor(data.fromMs - (toMs - data.fromMs) * MARGIN) : -Infinity;
  return { fromMs: Math.max(toMs - lengthMs, Math.min(earliestMs, toMs - SHORTEST_MS)), toMs, atDataEnd: silent };
}

/** The span moved by a share of its length; negative towards the past. */
export function pan({ fromMs, toMs }: Span, share: number): TimeView {
  const shiftMs = (toMs - fromMs) * share;
  return { kind: 'fixed', fromMs: fromMs + shiftMs, toMs: toMs + shiftMs };
}

/** The span made longer (factor > 1) or shorter: about its middle, or, moving along, at its end. */
export function zoom(view: TimeView, { fromMs, toMs }: Span, factor: number): TimeView {
  const lengthMs = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, (toMs - fromMs) * factor));
  if (view.kind === 'live') return { kind: 'live', seconds: Math.round(lengthMs / 1000) };
  const middleMs = (fromMs + toMs) / 2;
  return { kind: 'fixed', fromMs: middleMs - lengthMs / 2, toMs: middleMs + lengthMs / 2 };
}
