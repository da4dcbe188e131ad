import { useSignal } from '@preact/signals';
import type { ComponentChildren, JSX } from 'preact';
import { useMemo, useRef } from 'preact/hooks';
import type uPlot from 'uplot';
import type { Series } from '../../src/console/api-schemas.js';
import { ChannelChart } from './channel-chart.js';
import { type ChartData, chartData } from './chart-data.js';
import { lookOf, RIGHT_PADDING, sharedCursor, timeAxis, VALUE_AXIS_WIDTH } from './chart-look.js';
import { formatInstant, formatNumber, timeZoneName } from './format.js';
import type { Span } from './time-view.js';
import { UplotChart } from './uplot-chart.js';

const RULER_HEIGHT = 48;

interface ChartStackProps {
  readonly series: Series;
  readonly span: Span;
  readonly tables: ReadonlySet<string>;
  readonly onTable: (channel: string) => void;
  readonly onSelect: (fromSeconds: number, toSeconds: number) => void;
  readonly onReset: () => void;
}

/** All channels of a well below one time axis; the cursor and a selection go through all of them. */
export function ChartStack({ series, span, tables, onTable, onSelect, onReset }: ChartStackProps): JSX.Element {
  const chart = useMemo(() => chartData(series), [series]);
  const cursorRow = useSignal<number | null>(null);
  const onCursor = (at: number | null): void => {
    const row = at === null ? -1 : (chart.rows[at] ?? -1);
    cursorRow.value = row < 0 ? null : row;
  };
  // A synchronised selection ends in every chart: the first one counts.
  const selected = useRef('');
  const selectOnce = (from: number, to: number): void => {
    const key = `${Math.round(from)} ${Math.round(to)}`;
    if (key === selected.current) return;
    selected.current = key;
    window.setTimeout(() => (selected.current = ''), 300);
    onSelect(from, to);
  };
  const shared = { series, chart, span, cursorRow, onCursor, onSelect: selectOnce, onReset };
  return (
    <div class="stack">
      <Ruler chart={chart} span={span} onReset={onReset}>
        <CursorTime series={series} cursorRow={cursorRow} />
      </Ruler>
      {chart.channels.map((data) => (
        <ChannelChart
          key={data.channel.name}
          {...shared}
          data={data}
          tableOpen={tables.has('all') || tables.has(data.channel.name)}
          onTable={() => onTable(data.channel.name)}
        />
      ))}
    </div>
  );
}

interface RulerProps {
  readonly chart: ChartData;
  readonly span: Span;
  readonly onReset: () => void;
  /** What stands beside the axis. */
  readonly children: ComponentChildren;
}

/** The common time axis, which stays in sight while the channels scroll. */
function Ruler({ chart, span, onReset, children }: RulerProps): JSX.Element {
  const data = useMemo((): uPlot.AlignedData => [chart.x, chart.x.map(() => null)], [chart]);
  const options = (): Omit<uPlot.Options, 'width' | 'height'> => {
    const look = lookOf('temperature');
    return {
      legend: { show: false },
      padding: [0, RIGHT_PADDING, 0, VALUE_AXIS_WIDTH],
      cursor: sharedCursor(onReset, null),
      scales: { x: { time: true, auto: false } },
      axes: [{ ...timeAxis(look, true), grid: { show: false } }, { show: false }],
      series: [{}, { show: false }],
    };
  };
  return (
    <div class="ruler">
      <div class="ruler-head">{children}</div>
      <UplotChart label="Time axis" data={data} span={span} height={RULER_HEIGHT} options={options} />
    </div>
  );
}

interface CursorTimeProps {
  readonly series: Series;
  readonly cursorRow: { readonly value: number | null };
}

/** When the values beside the charts are from. */
function CursorTime({ series, cursorRow }: CursorTimeProps): JSX.Element {
  const row = cursorRow.value;
  if (row === null) {
    return (
      <p>
        Last values
        <span class="muted hint">Point to read, drag to zoom. {timeZoneName()}</span>
      </p>
    );
  }
  const anomalies = series.anomalies[row] ?? 0;
  return (
    <p>
      {formatInstant(series.timestamps[row] ?? 0)}
      <span class="hint">
        <span class="muted">{timeZoneName()}</span>
        {anomalies > 0 && (
          <span class="bad"> · {anomalies === 1 ? 'anomaly' : `${formatNumber(anomalies)} anomalies`}</span>
        )}
      </span>
    </p>
  );
}
