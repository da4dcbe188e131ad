/** A series as the charts draw it: one time axis for all channels, gaps as gaps. */
import { CHANNELS, type Channel } from '../../src/telemetry/channels.js';
import type { Series } from '../../src/console/api-schemas.js';

/** null breaks the line; undefined is passed over (another channel reported at that time). */
export type Drawn = (number | null | undefined)[];

export interface ChannelData {
  readonly channel: Channel;
  readonly avg: Drawn;
  readonly min: Drawn;
  readonly max: Drawn;
}

export interface ChartData {
  /** Epoch seconds; of a bucket its middle. */
  readonly x: number[];
  /** Position in the series of each x; −1 where a row was put in to break a line. */
  readonly rows: number[];
  readonly channels: readonly ChannelData[];
  /** x of the points with anomalous records. */
  readonly anomalies: number[];
}

/**
 * A pause longer than this many times the usual spacing around it is a gap. What is usual is judged on each side of
 * it: history of one record a minute may be followed by live records of one a second.
 */
const GAP_SPACINGS = 4;
const USUAL_OF = 5;
const GAP_BUCKETS = 1.5;

/** Arranges a series for drawing. */
export function chartData(series: Series): ChartData {
  const { timestamps, bucket_seconds: bucketSeconds } = series;
  const shown = CHANNELS.filter((channel) => series.channels[channel.name] !== undefined);
  const gaps = new Map(
    shown.map((channel) => [channel, gapsOf(series.channels[channel.name]?.avg ?? [], timestamps, bucketSeconds)]),
  );
  const breakAfter = new Set([...gaps.values()].flatMap(({ breaks }) => breaks));

  const x: number[] = [];
  const rows: number[] = [];
  const middle = (bucketSeconds ?? 0) / 2;
  timestamps.forEach((at, row) => {
    x.push(at + middle);
    rows.push(row);
    if (breakAfter.has(row)) {
      x.push((at + (timestamps[row + 1] ?? at)) / 2 + middle);
      rows.push(-1);
    }
  });
  return {
    x,
    rows,
    channels: shown.map((channel) => {
      const figures = series.channels[channel.name];
      const joined = gaps.get(channel)?.joined ?? new Set<number>();
      const drawn = (values: readonly (number | null)[] | undefined): Drawn =>
        rows.map((row, at) => {
          const value = row < 0 ? null : (values?.[row] ?? null);
          // Between two neighbouring readings of this channel a missing value is no gap.
          return value === null && joined.has(row < 0 ? (rows[at - 1] ?? -1) : row) ? undefined : value;
        });
      return { channel, avg: drawn(figures?.avg), min: drawn(figures?.min), max: drawn(figures?.max) };
    }),
    anomalies: timestamps.flatMap((at, row) => ((series.anomalies[row] ?? 0) > 0 ? [at + middle] : [])),
  };
}

interface Gaps {
  /** Rows after which a row must be put in, since the next reading follows directly and yet too late. */
  readonly breaks: number[];
  /** Rows without a reading of this channel that lie between two neighbouring readings of it. */
  readonly joined: ReadonlySet<number>;
}

function gapsOf(values: readonly (number | null)[], timestamps: readonly number[], bucketSeconds: number | null): Gaps {
  const present = values.flatMap((value, row) => (value === null ? [] : [row]));
  const spacings = present.slice(1).map((row, at) => (timestamps[row] ?? 0) - (timestamps[present[at] ?? 0] ?? 0));
  const breaks: number[] = [];
  const joined = new Set<number>();
  spacings.forEach((spacing, at) => {
    const from = present[at] ?? 0;
    const to = present[at + 1] ?? 0;
    const before = spacings.slice(Math.max(0, at - USUAL_OF), at);
    const after = spacings.slice(at + 1, at + 1 + USUAL_OF);
    const usual = Math.max(median(before), median(after)) || spacing;
    if (spacing > Math.max(usual * GAP_SPACINGS, (bucketSeconds ?? 0) * GAP_BUCKETS)) {
      if (to === from + 1) breaks.push(from);
      return;
    }
    for (let row = from; row < to; row++) joined.add(row);
  });
  return { breaks, joined };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** Figures of one channel over what is shown; null without a single value. */
export interface Figures {
  readonly min: number;
  readonly mean: number;
  readonly max: number;
  readonly last: number;
}

/** Least and greatest are of the readings (buckets keep theirs); the mean weighs buckets by their records. */
export function figuresOf(series: Series, name: string): Figures | null {
  const channel = series.channels[name];
  if (channel === undefined) return null;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let sum = 0;
  let weight = 0;
  let last: number | undefined;
  channel.avg.forEach((value, row) => {
    if (value === null) return;
    const samples = series.samples[row] ?? 1;
    min = Math.min(min, channel.min?.[row] ?? value);
    max = Math.max(max, channel.max?.[row] ?? value);
    sum += value * samples;
    weight += samples;
    last = value;
  });
  return last === undefined ? null : { min, max, mean: weight === 0 ? last : sum / weight, last };
}
