import { Component, type JSX } from 'preact';
import type { Device, Sparkline } from '../../src/console/api-schemas.js';
import { ageOf } from './clock.js';
import { type FleetColumn, type FleetOrder } from './fleet-columns.js';
import { formatDateTime, formatNumber, formatValue, NO_VALUE } from './format.js';
import { Link } from './link.js';
import { wellPath } from './router.js';
import { SparklineCurve } from './sparkline-curve.js';
import { AnomalyMark, StateMark, type WellState } from './well-state.js';

export interface FleetEntry {
  readonly device: Device;
  readonly state: WellState;
  readonly sparkline: Sparkline | undefined;
}

interface FleetTableProps {
  readonly entries: readonly FleetEntry[];
  readonly columns: readonly FleetColumn[];
  readonly order: FleetOrder;
  readonly sparklineHours: number;
  readonly sparklineTitle: string;
  readonly onOrder: (column: string) => void;
}

export function FleetTable(props: FleetTableProps): JSX.Element {
  const { entries, columns, order, onOrder, sparklineHours, sparklineTitle } = props;
  const columnKey = columns.map((column) => column.id).join(' ');
  return (
    <div class="table-frame" role="region" aria-label="Wells" tabIndex={0}>
      <table class="fleet">
        <thead>
          <tr>
            <SortHeader id="well" title="Well" order={order} onOrder={onOrder} />
            <SortHeader id="state" title="State" order={order} onOrder={onOrder} />
            <SortHeader id="anomaly" title="Anomaly" order={order} onOrder={onOrder} />
            <SortHeader id="seen" title="Last seen" numeric order={order} onOrder={onOrder} />
            <SortHeader id="quality" title="Quality" unit="%" numeric order={order} onOrder={onOrder} />
            <th scope="col" class="sparkline-cell">
              <span class="heading">
                <span>{sparklineTitle}</span>
                <span class="unit">{sparklineHours} h</span>
              </span>
            </th>
            {columns.map((column) => (
              <SortHeader
                key={column.id}
                id={column.id}
                title={column.title}
                unit={column.unit}
                numeric
                order={order}
                onOrder={onOrder}
              />
            ))}
          </tr>
        </thead>
        <tbody>
          {entries.map((entry) => (
            <FleetRow
              key={entry.device.device_id}
              {...entry}
              columns={columns}
              columnKey={columnKey}
              sparklineHours={sparklineHours}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface SortHeaderProps {
  readonly id: string;
  readonly title: string;
  readonly unit?: string;
  readonly numeric?: boolean;
  readonly order: FleetOrder;
  readonly onOrder: (column: string) => void;
}

function SortHeader({ id, title, unit, numeric, order, onOrder }: SortHeaderProps): JSX.Element {
  const sorted = order.column === id;
  return (
    <th
      scope="col"
      class={numeric === true ? 'number' : id === 'well' ? 'well' : undefined}
      aria-sort={sorted ? (order.descending ? 'descending' : 'ascending') : undefined}
    >
      <button type="button" class="heading" onClick={() => onOrder(id)}>
        <span>
          {title}
          <span class="sort-sign" aria-hidden="true">
            {sorted ? (order.descending ? ' ▾' : ' ▴') : ''}
          </span>
        </span>
        {unit !== undefined && <span class="unit">{unit}</span>}
      </button>
    </th>
  );
}

interface FleetRowProps extends FleetEntry {
  readonly columns: readonly FleetColumn[];
  /** Changes when the columns do; their identity changes with every answer. */
  readonly columnKey: string;
  readonly sparklineHours: number;
}

/** A row renders only when its own well has changed: hundreds of wells stay smooth. */
class FleetRow extends Component<FleetRowProps> {
  override shouldComponentUpdate(next: FleetRowProps): boolean {
    const { device, state, sparkline, columnKey } = this.props;
    return (
      next.device !== device || next.state !== state || next.sparkline !== sparkline || next.columnKey !== columnKey
    );
  }

  override render(): JSX.Element {
    const { device, state, sparkline, columns, sparklineHours } = this.props;
    const place = [device.field, device.site].filter((part) => part !== null && part !== '').join(' · ');
    return (
      <tr class={device.is_anomaly === true ? 'anomalous' : undefined}>
        <th scope="row" class="well">
          <Link href={wellPath(device.device_id)} class="row-link">
            {device.display_name ?? device.device_id}
          </Link>
          {place !== '' && <span class="place">{place}</span>}
        </th>
        <td>
          <StateMark state={state} />
        </td>
        <td>{device.is_anomaly === true ? <AnomalyMark cause={null} /> : <span class="muted">{NO_VALUE}</span>}</td>
        <td class="number">
          <LastSeen at={device.last_seen} />
        </td>
        <td class="number">{device.quality_score === null ? NO_VALUE : formatNumber(device.quality_score * 100)}</td>
        <td class="sparkline-cell">
          <SparklineCurve sparkline={sparkline} hours={sparklineHours} />
        </td>
        {columns.map((column) => (
          <td key={column.id} class="number">
            {formatValue(column.id, device.values[column.id]?.value)}
          </td>
        ))}
      </tr>
    );
  }
}

export function LastSeen({ at }: { readonly at: string | null }): JSX.Element {
  if (at === null) return <span class="muted">{NO_VALUE}</span>;
  return (
    <time dateTime={at} title={formatDateTime(Date.parse(at))}>
      {ageOf(at)}
    </time>
  );
}
