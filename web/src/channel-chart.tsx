import type { ReadonlySignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useMemo, useRef } from 'preact/hooks';
import type uPlot from 'uplot';
import type { Series } from '../../src/console/api-schemas.js';
import { type ChannelData, type ChartData, type Figures, figuresOf } from './chart-data.js';
import { lookOf, RIGHT_PADDING, sharedCursor, timeAxis, VALUE_AXIS_WIDTH, valueRange } from './chart-look.js';
import { ChannelTable } from './channel-table.js';
import { formatInstant, formatValue, unitOf } from './format.js';
import type { Span } from './time-view.js';
import { UplotChart } from './uplot-chart.js';

const HEIGHT = 104;
const ANOMALY_TICK_HEIGHT = 5;

interface ChannelChartProps {
  readonly series: Series;
  readonly chart: ChartData;
  readonly data: ChannelData;
  readonly span: Span;
  /** Row of the series under the cursor. */
  readonly cursorRow: ReadonlySignal<number | null>;
  readonly tableOpen: boolean;
  readonly onTable: () => void;
  readonly onCursor: (at: number | null) => void;
  readonly onSelect: (fromSeconds: number, toSeconds: number) => void;
  readonly onReset: () => void;
}

/** One channel: its figures in words and numbers, its curve, and on demand its table. */
export function ChannelChart(props: ChannelChartProps): JSX.Element {
  const { series, chart, data, span, cursorRow, tableOpen, onTable } = props;
  const { channel } = data;
  const figures = useMemo(() => figuresOf(series, channel.name), [series, channel.name]);
  const latest = useRef(props);
  latest.current = props;
  const plotted = useMemo((): uPlot.AlignedData => [chart.x, data.max, data.min, data.avg], [chart, data]);
  const unit = unitOf(channel.name);
  const tableId = `table-${channel.name}`;
  return (
    <section class="channel" aria-labelledby={`channel-${channel.name}`}>
      <div class="channel-head">
        <h2 id={`channel-${channel.name}`}>
          <span class={`swatch line-${channel.quantity}`} aria-hidden="true" />
          {channel.label}
        </h2>
        <Readout series={series} data={data} figures={figures} unit={unit} cursorRow={cursorRow} />
        <FiguresText figures={figures} data={data} unit={unit} />
        <button type="button" class="quiet small" aria-expanded={tableOpen} aria-controls={tableId} onClick={onTable}>
          {tableOpen ? 'Hide table' : 'Table'}
          <span class="visually-hidden"> of {channel.label}</span>
        </button>
      </div>
      <UplotChart
        label={`Curve of ${channel.label} in ${unit}. The figures are beside it, the readings in its table.`}
        data={plotted}
        span={span}
        height={HEIGHT}
        options={() => chartOptions(latest)}
      />
      {tableOpen && <ChannelTable id={tableId} series={series} channel={channel} />}
    </section>
  );
}

interface ReadoutProps {
  readonly series: Series;
  readonly data: ChannelData;
  readonly figures: Figures | null;
  readonly unit: string;
  readonly cursorRow: ReadonlySignal<number | null>;
}

/** The value under the cursor, or the last one. */
function Readout({ series, data, figures, unit, cursorRow }: ReadoutProps): JSX.Element {
  const { name } = data.channel;
  const row = cursorRow.value;
  const channel = series.channels[name];
  const value = row === null ? figures?.last : channel?.avg[row];
  const least = row === null ? undefined : channel?.min?.[row];
  const greatest = row === null ? undefined : channel?.max?.[row];
  return (
    <p class="readout" title={row === null ? 'last' : formatInstant(series.timestamps[row] ?? 0)}>
      <strong>{formatValue(name, value)}</strong> <span class="unit">{unit}</span>
      {least !== undefined && greatest !== undefined && least !== greatest && (
        <span class="spread">
          {formatValue(name, least)} … {formatValue(name, greatest)}
        </span>
      )}
    </p>
  );
}

function FiguresText({ figures, data, unit }: Omit<ReadoutProps, 'series' | 'cursorRow'>): JSX.Element {
  const { name } = data.channel;
  if (figures === null) return <p class="figures muted">No reading in this range.</p>;
  return (
    <dl class="figures">
      {(['min', 'mean', 'max', 'last'] as const).map((figure) => (
        <div key={figure}>
          <dt>{figure}</dt>
          <dd>
            {formatValue(name, figures[figure])}
            <span class="visually-hidden"> {unit}</span>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function chartOptions(latest: { readonly current: ChannelChartProps }): Omit<uPlot.Options, 'width' | 'height'> {
  const { channel } = latest.current.data;
  const look = lookOf(channel.quantity);
  const edge: uPlot.Series = { stroke: 'transparent', width: 0, points: { show: false } };
  return {
    legend: { show: false },
    padding: [6, RIGHT_PADDING, 2, 0],
    cursor: sharedCursor(() => latest.current.onReset(), look.line),
    select: { show: true, left: 0, top: 0, width: 0, height: 0 },
    scales: { x: { time: true, auto: false }, y: { range: valueRange } },
    axes: [
      timeAxis(look, false),
      {
        size: VALUE_AXIS_WIDTH,
        stroke: look.text,
        font: look.font,
        grid: { stroke: look.grid, width: 1 },
        ticks: { show: false },
        gap: 6,
        space: 28,
      },
    ],
    series: [
      {},
      edge,
      edge,
      { stroke: look.line, width: 1.5, points: { show: isolatedOnly, size: 4, width: 0, fill: look.line } },
    ],
    bands: [{ series: [1, 2], fill: look.band }],
    hooks: {
      setCursor: [(chart) => latest.current.onCursor(chart.cursor.idx ?? null)],
      setSelect: [
        (chart) => {
          const { left, width } = chart.select;
          if (width < 4) return;
          const from = chart.posToVal(left, 'x');
          const to = chart.posToVal(left + width, 'x');
          chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          latest.current.onSelect(from, to);
        },
      ],
      draw: [(chart) => drawAnomalies(chart, latest.current.chart.anomalies, look.anomaly)],
    },
  };
}

/** Points are drawn for a few readings; of many only those without a neighbour, which uPlot finds by itself. */
function isolatedOnly(chart: uPlot): boolean {
  return chart.data[0].length <= 60;
}

/** A tick at the foot of the chart for each point with an anomaly. */
function drawAnomalies(chart: uPlot, anomalies: readonly number[], colour: string): void {
  const { ctx, bbox } = chart;
  const ratio = window.devicePixelRatio;
  ctx.save();
  ctx.fillStyle = colour;
  for (const at of anomalies) {
    const x = chart.valToPos(at, 'x', true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.fillRect(
      Math.round(x - ratio),
      bbox.top + bbox.height - ANOMALY_TICK_HEIGHT * ratio,
      2 * ratio,
      ANOMALY_TICK_HEIGHT * ratio,
    );
  }
  ctx.restore();
}
