import type { JSX } from 'preact';
import type { ShownAlert } from '../../src/alerts/alert-schemas.js';
import { LastSeen } from './fleet-table.js';
import { formatDuration, NO_VALUE } from './format.js';
import { Icon } from './icons.js';
import { Link } from './link.js';
import { wellPath } from './router.js';

const STATE_WORDS: Readonly<Record<ShownAlert['state'], string>> = {
  pending: 'not for long yet',
  firing: 'firing',
  resolved: 'passed',
};

interface AlertTableProps {
  readonly alerts: readonly ShownAlert[];
  readonly label: string;
  /** With how long each lasted. */
  readonly isHistory?: boolean;
}

export function AlertTable({ alerts, label, isHistory = false }: AlertTableProps): JSX.Element {
  const heads = [
    'Severity',
    'Rule',
    'Well or site',
    'What',
    'State',
    'Since',
    ...(isHistory ? ['Lasted'] : []),
    'Told',
  ];
  return (
    <div class="table-frame" role="region" aria-label={label} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {heads.map((title) => (
              <th key={title} scope="col">
                <span class="heading">{title}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {alerts.map((alert) => (
            <AlertRow key={alert.id} alert={alert} isHistory={isHistory} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function AlertRow({ alert, isHistory }: { readonly alert: ShownAlert; readonly isHistory: boolean }): JSX.Element {
  const { device, site } = alert.labels;
  const isCritical = alert.severity === 'critical';
  return (
    <tr>
      <td>
        <span class={isCritical ? 'mark bad' : 'mark'}>
          <Icon name={isCritical ? 'anomaly' : 'transient'} />
          {alert.severity}
        </span>
      </td>
      <th scope="row">
        <code>{alert.rule}</code>
      </th>
      <td>{device === undefined ? site || NO_VALUE : <Link href={wellPath(device)}>{device}</Link>}</td>
      <td class="words" title={alert.summary}>
        {alert.summary}
      </td>
      <td>{STATE_WORDS[alert.state]}</td>
      <td>
        <LastSeen at={alert.raised_at ?? alert.seen_at} />
      </td>
      {isHistory && <td>{lasted(alert)}</td>}
      <td>{toldOf(alert)}</td>
    </tr>
  );
}

function lasted({ raised_at: raised, ended_at: ended }: ShownAlert): string {
  if (raised === null || ended === null) return NO_VALUE;
  return formatDuration((Date.parse(ended) - Date.parse(raised)) / 1000);
}

function toldOf({ told, silence_id: silence, attempts, delivered }: ShownAlert): string {
  if (told === 'nothing') return silence === null ? 'not yet' : `silenced (window ${silence})`;
  if (attempts === 0) return 'in the log alone';
  return `${delivered} delivered in ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}`;
}
