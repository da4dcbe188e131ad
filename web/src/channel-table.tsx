import type { JSX } from 'preact';
import type { Channel } from '../../src/telemetry/channels.js';
import type { Series } from '../../src/console/api-schemas.js';
import { formatInstant, formatNumber, formatValue, timeZoneName, unitOf } from './format.js';

interface ChannelTableProps {
  readonly id: string;
  readonly series: Series;
  readonly channel: Channel;
}

/** The figures that the curve beside it is drawn from, newest first. */
export function ChannelTable({ id, series, channel }: ChannelTableProps): JSX.Element {
  const figures = series.channels[channel.name];
  const summarised = figures?.min !== undefined;
  const unit = unitOf(channel.name);
  const rows = series.timestamps
    .map((at, row) => ({ at, row }))
    .filter(({ row }) => figures?.avg[row] !== null && figures?.avg[row] !== undefined)
    .reverse();
  const heads = summarised
    ? [`Mean, ${unit}`, `Min, ${unit}`, `Max, ${unit}`, 'Records', 'Anomalies']
    : [`Value, ${unit}`, 'Anomaly'];
  return (
    <div class="table-frame channel-table" id={id} role="region" aria-label={`Table of ${channel.label}`} tabIndex={0}>
      <table>
        <caption class="visually-hidden">
          {channel.label}, {unit}, newest first
        </caption>
        <thead>
          <tr>
            <th scope="col">
              <span class="heading">
                {summarised ? 'Begins' : 'Time'} <span class="unit">{timeZoneName()}</span>
              </span>
            </th>
            {heads.map((head) => (
              <th key={head} scope="col" class="number">
                <span class="heading">{head}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ at, row }) => {
            const anomalies = series.anomalies[row] ?? 0;
            return (
              <tr key={at} class={anomalies > 0 ? 'anomalous' : undefined}>
                <th scope="row">{formatInstant(at)}</th>
                <td class="number">{formatValue(channel.name, figures?.avg[row])}</td>
                {summarised && (
                  <>
                    <td class="number">{formatValue(channel.name, figures.min?.[row])}</td>
                    <td class="number">{formatValue(channel.name, figures.max?.[row])}</td>
                    <td class="number">{formatNumber(series.samples[row] ?? 0)}</td>
                  </>
                )}
                <td class="number">{summarised ? formatNumber(anomalies) : anomalies > 0 ? 'yes' : ''}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
