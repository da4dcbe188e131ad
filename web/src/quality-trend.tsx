import type { JSX } from 'preact';
import type { QualityList } from '../../src/quality/quality-schemas.js';
import { getJson } from './api.js';
import { formatDateTime, formatShare } from './format.js';
import { Loaded } from './loaded.js';
import { usePoll } from './use-poll.js';

const POLL_MS = 30_000;
const WIDTH = 800;
const HEIGHT = 80;
const INSET = 4;
/** Beyond so many hours a point is a day. */
const MAX_HOURLY_HOURS = 168;
/** The least that the scale spans: a dip of a tenth of a per cent must not look like a fall. */
const LEAST_SPAN = 0.05;

interface QualityTrendProps {
  readonly hours: number;
  readonly device: string | undefined;
}

/** The overall figure, hour by hour or day by day. */
export function QualityTrend({ hours, device }: QualityTrendProps): JSX.Element {
  const by = hours > MAX_HOURLY_HOURS ? 'day' : 'hour';
  const who = device === undefined ? '' : `&device=${encodeURIComponent(device)}`;
  const path = `/v1/quality/groups?by=${by}&hours=${hours}&limit=1000${who}`;
  const trend = usePoll(path, (abort) => getJson<QualityList>(path, abort), POLL_MS);
  return (
    <section>
      <h2>Overall, by {by}</h2>
      <Loaded polled={trend}>{(list) => <Curve list={list} />}</Loaded>
    </section>
  );
}

function Curve({ list }: { readonly list: QualityList }): JSX.Element {
  const points = list.rows.flatMap(({ key, overall }) =>
    key === null || overall === null ? [] : [{ atMs: Date.parse(key), share: overall }],
  );
  if (points.length < 2) return <p class="muted">Too little within this window for a curve.</p>;
  const shares = points.map(({ share }) => share);
  const greatest = Math.min(1, Math.max(...shares, Math.min(...shares) + LEAST_SPAN));
  const least = Math.min(Math.min(...shares), greatest - LEAST_SPAN);
  const beginMs = points[0]?.atMs ?? 0;
  const lengthMs = (points.at(-1)?.atMs ?? 0) - beginMs || 1;
  const path = points
    .map(({ atMs, share }, at) => {
      const x = INSET + ((atMs - beginMs) / lengthMs) * (WIDTH - 2 * INSET);
      const y = INSET + ((greatest - share) / (greatest - least)) * (HEIGHT - 2 * INSET);
      return `${at === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`;
    })
    .join('');
  const label = `Overall quality from ${formatDateTime(beginMs)}: ${formatShare(Math.min(...shares), 2)} to ${formatShare(Math.max(...shares), 2)}`;
  return (
    <figure class="trend">
      <svg role="img" aria-label={label} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none">
        <title>{label}</title>
        <path d={path} fill="none" stroke="currentColor" stroke-width="1.5" vector-effect="non-scaling-stroke" />
      </svg>
      <figcaption class="muted">
        {formatDateTime(beginMs)} to {formatDateTime(points.at(-1)?.atMs ?? 0)}; from {formatShare(least, 1)} to{' '}
        {formatShare(greatest, 1)}
      </figcaption>
    </figure>
  );
}
