import type { JSX } from 'preact';
import { CHANNELS, type ChannelName } from '../../src/telemetry/channels.js';
import type { Sparkline } from '../../src/console/api-schemas.js';
import { formatValue, NO_VALUE, unitOf } from './format.js';

const WIDTH = 96;
const HEIGHT = 22;
const INSET = 2;

interface SparklineCurveProps {
  readonly sparkline: Sparkline | undefined;
  readonly hours: number;
}

/** A small curve without axes; its label says in words what it shows. */
export function SparklineCurve({ sparkline, hours }: SparklineCurveProps): JSX.Element {
  const known = sparkline?.values.filter((value) => value !== null) ?? [];
  if (sparkline === undefined || known.length < 2) return <span class="muted">{NO_VALUE}</span>;
  const least = Math.min(...known);
  const greatest = Math.max(...known);
  const channel = sparkline.channel as ChannelName;
  const name = CHANNELS.find((entry) => entry.name === channel)?.label ?? channel;
  const label = `${name}, last ${hours} h: ${formatValue(channel, least)} to ${formatValue(channel, greatest)} ${unitOf(channel)}`;
  return (
    <svg
      class="sparkline"
      role="img"
      aria-label={label}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      width={WIDTH}
      height={HEIGHT}
    >
      <title>{label}</title>
      <path
        d={pathOf(sparkline, least, greatest)}
        fill="none"
        stroke="currentColor"
        stroke-width="1.3"
        stroke-linejoin="round"
      />
    </svg>
  );
}

/** Lines through neighbouring points; a missing point breaks the line. */
function pathOf({ timestamps, values }: Sparkline, least: number, greatest: number): string {
  const begin = timestamps[0] ?? 0;
  const length = (timestamps.at(-1) ?? 1) - begin || 1;
  // A flat curve lies in the middle; below half a per cent of its size a difference is noise, not shape.
  const floor = Math.max(greatest - least, Math.abs(greatest) * 5e-3, 1e-9);
  const middle = (greatest + least) / 2;
  let path = '';
  let pen = 'M';
  values.forEach((value, at) => {
    if (value === null) {
      pen = 'M';
      return;
    }
    const x = INSET + (((timestamps[at] ?? 0) - begin) / length) * (WIDTH - 2 * INSET);
    const y = HEIGHT / 2 - ((value - middle) / floor) * (HEIGHT - 2 * INSET);
    path += `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
    pen = 'L';
  });
  return path;
}
