import type { JSX } from 'preact';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { Device, DeviceDetail, Series } from '../../src/console/api-schemas.js';
import { getJson, serverNowMs } from './api.js';
import { ChartStack } from './chart-stack.js';
import { OpenEpisode } from './episode-mark.js';
import { LastSeen } from './fleet-table.js';
import { formatDateTime, formatDuration, formatNumber, formatShare } from './format.js';
import { Link } from './link.js';
import { place, setParameters } from './router.js';
import {
  DEFAULT_VIEW,
  pan,
  parseView,
  resolveView,
  type Span,
  type TimeView,
  viewParameters,
  zoom,
} from './time-view.js';
import { usePoll } from './use-poll.js';
import { AnomalyMark, StateMark, wellState } from './well-state.js';
import { WellToolbar } from './well-toolbar.js';

const DETAIL_POLL_MS = 2000;
const FASTEST_SERIES_POLL_MS = 2000;
const SLOWEST_SERIES_POLL_MS = 60_000;
const FIXED_POLL_MS = 30_000;
/** Share of the span that an arrow key moves. */
const KEY_PAN = 0.25;
const KEY_ZOOM = 2;
/** One point for two pixels of a chart: a curve, with the spread as a band, instead of a hedge. */
const PIXELS_PER_POINT = 2;
const FEWEST_POINTS = 300;
const MOST_POINTS = 1000;

interface Shown {
  readonly series: Series;
  readonly span: Span;
  readonly atDataEnd: boolean;
}

export function WellPage({ deviceId }: { readonly deviceId: string }): JSX.Element {
  const api = `/v1/devices/${encodeURIComponent(deviceId)}`;
  const detail = usePoll(api, (abort) => getJson<DeviceDetail>(api, abort), DETAIL_POLL_MS);
  if (detail.data === undefined) {
    return (
      <div class="page">
        <h1>{deviceId}</h1>
        <div class="empty" role="status">
          {detail.error === undefined ? (
            <p class="loading">Loading the well …</p>
          ) : (
            <>
              <p>{detail.error.message}</p>
              <p>
                <Link href="/">Go to the fleet</Link>
              </p>
            </>
          )}
        </div>
      </div>
    );
  }
  return <Well api={api} detail={detail.data} />;
}

function Well({ api, detail }: { readonly api: string; readonly detail: DeviceDetail }): JSX.Element {
  const { parameters } = place.value;
  const view = parseView(parameters);
  const viewKey = JSON.stringify(view);
  const tables = useMemo(() => new Set((parameters.get('tables') ?? '').split(',').filter(Boolean)), [parameters]);
  const points = useMemo(
    () => Math.min(MOST_POINTS, Math.max(FEWEST_POINTS, Math.round(window.innerWidth / PIXELS_PER_POINT))),
    [],
  );
  const dataRange = { fromMs: instantMs(detail.data_from), toMs: instantMs(detail.data_to) };
  const known = useRef(dataRange);
  known.current = dataRange;

  const { data: shown, error } = usePoll(
    `${api} ${viewKey}`,
    async (abort): Promise<Shown & { viewKey: string }> => {
      const { fromMs, toMs, atDataEnd } = resolveView(view, known.current, serverNowMs());
      const url = `${api}/series?from=${Math.floor(fromMs)}&to=${Math.ceil(toMs)}&points=${points}`;
      return { series: await getJson<Series>(url, abort), span: { fromMs, toMs }, atDataEnd, viewKey };
    },
    ({ series, atDataEnd }) =>
      view.kind === 'live' && !atDataEnd
        ? Math.min(SLOWEST_SERIES_POLL_MS, Math.max(FASTEST_SERIES_POLL_MS, (series.bucket_seconds ?? 0) * 500))
        : FIXED_POLL_MS,
  );
  // Until the answer for a new view is there, the old curves are shown at the new scale: zooming feels immediate.
  const span = shown?.viewKey === viewKey ? shown.span : resolveView(view, dataRange, serverNowMs());

  const show = (next: TimeView, entry: 'push' | 'replace' = 'push'): void => setParameters(viewParameters(next), entry);
  useKeys(view, span, show);

  const toggleTable = (channel: string): void => {
    const next = new Set(tables);
    if (next.has('all')) {
      next.delete('all');
      for (const name of Object.keys(shown?.series.channels ?? {})) next.add(name);
    }
    if (!next.delete(channel)) next.add(channel);
    setParameters({ tables: [...next].join(',') }, 'replace');
  };

  return (
    <div class="page">
      <WellHead device={detail.device} />
      <WellToolbar
        view={view}
        span={span}
        moving={view.kind === 'live' && shown?.atDataEnd !== true}
        tables={tables.size > 0}
        onView={show}
        onTables={() => setParameters({ tables: tables.size > 0 ? null : 'all' }, 'replace')}
      />
      <SourceLine shown={shown} span={span} view={view} busy={shown?.viewKey !== viewKey && error === undefined} />
      {error !== undefined && <p class="note bad">{error.message}</p>}
      {shown === undefined ? (
        error === undefined && <p class="empty loading">Loading …</p>
      ) : Object.keys(shown.series.channels).length === 0 && shown.viewKey === viewKey ? (
        <NoData detail={detail} onView={show} />
      ) : (
        <ChartStack
          series={shown.series}
          span={span}
          tables={tables}
          onTable={toggleTable}
          onSelect={(from, to) => show({ kind: 'fixed', fromMs: from * 1000, toMs: to * 1000 })}
          onReset={() => show(DEFAULT_VIEW)}
        />
      )}
    </div>
  );
}

function instantMs(text: string | null): number | null {
  return text === null ? null : Date.parse(text);
}

/** Arrow keys pan, + and − zoom, Esc goes back to the last hour; not while something else uses those keys. */
function useKeys(view: TimeView, span: Span, show: (view: TimeView, entry?: 'push' | 'replace') => void): void {
  const latest = useRef({ view, span, show });
  latest.current = { view, span, show };
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (event.target instanceof Element && event.target.closest('input, select, textarea, .channel-table') !== null)
        return;
      const now = latest.current;
      const next = viewAfterKey(event.key, now.view, now.span);
      if (next === undefined) return;
      event.preventDefault();
      now.show(next, event.key === 'Escape' ? 'push' : 'replace');
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, []);
}

function viewAfterKey(key: string, view: TimeView, span: Span): TimeView | undefined {
  if (key === 'ArrowLeft') return pan(span, -KEY_PAN);
  if (key === 'ArrowRight') return pan(span, KEY_PAN);
  if (key === '+' || key === '=') return zoom(view, span, 1 / KEY_ZOOM);
  if (key === '-') return zoom(view, span, KEY_ZOOM);
  return key === 'Escape' ? DEFAULT_VIEW : undefined;
}

function WellHead({ device }: { readonly device: Device }): JSX.Element {
  const place = [device.field, device.site].filter((part) => part !== null && part !== '').join(' · ');
  return (
    <div class="page-head well-head">
      <p class="crumbs">
        <Link href="/">Fleet</Link>
        {place !== '' && <span class="muted"> / {place}</span>}
      </p>
      <h1>{device.display_name ?? device.device_id}</h1>
      <StateMark state={wellState(device, serverNowMs())} />
      {device.is_anomaly === true && <AnomalyMark cause={device.anomaly_cause} />}
      <OpenEpisode deviceId={device.device_id} />
      <span>
        <span class="muted">Quality</span> {formatShare(device.quality_score, 0)}
      </span>
      <span>
        <span class="muted">Last seen</span> <LastSeen at={device.last_seen} />
      </span>
    </div>
  );
}

const SOURCE_WORDS = {
  raw: 'Readings',
  '1min': 'One-minute aggregate',
  '1hour': 'Hourly aggregate',
  daily: 'Daily aggregate',
} as const;

interface SourceLineProps {
  readonly shown: Shown | undefined;
  readonly span: Span;
  readonly view: TimeView;
  readonly busy: boolean;
}

/** Which stretch is shown, from which table, and how finely. */
function SourceLine({ shown, span, view, busy }: SourceLineProps): JSX.Element {
  const series = shown?.series;
  return (
    <p class="source-line" aria-busy={busy}>
      <span>
        {formatDateTime(span.fromMs)} – {formatDateTime(span.toMs)}
      </span>
      {series !== undefined && (
        <span class="badge" data-source={series.source} role="status">
          {SOURCE_WORDS[series.source]}
          {series.bucket_seconds !== null && `, ${formatDuration(series.bucket_seconds)} per point`}
        </span>
      )}
      {series !== undefined && (
        <span class="muted">
          {formatNumber(series.samples.reduce((sum, count) => sum + count, 0))} records,{' '}
          {formatNumber(series.timestamps.length)} points
          {series.truncated && '; the range has more: its end is shown'}
        </span>
      )}
      {shown?.atDataEnd === true && view.kind === 'live' && (
        <span class="mark warn">No recent data: this is the end of what there is.</span>
      )}
    </p>
  );
}

interface NoDataProps {
  readonly detail: DeviceDetail;
  readonly onView: (view: TimeView) => void;
}

function NoData({ detail, onView }: NoDataProps): JSX.Element {
  const fromMs = instantMs(detail.data_from);
  const toMs = instantMs(detail.data_to);
  return (
    <div class="empty">
      <p>There is no data of this well in this range.</p>
      {fromMs !== null && toMs !== null && (
        <>
          <p class="muted">
            Its data is from {formatDateTime(fromMs)} to {formatDateTime(toMs)}.
          </p>
          <button type="button" onClick={() => onView({ kind: 'all' })}>
            Show all of it
          </button>
        </>
      )}
    </div>
  );
}
