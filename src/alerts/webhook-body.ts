/** A message in the form in which Alertmanager posts to webhooks (version 4), so that what receives those receives these. */
import { formatTimestamp } from '../telemetry/timestamp.js';
import type { ToldAlert } from './alert.js';
import type { AlertMessage } from './message-outbox.js';

interface WebhookAlert {
  readonly status: 'firing' | 'resolved';
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly generatorURL: string;
  readonly fingerprint: string;
}

/** What stands for "not yet" there. */
const NOT_ENDED = '0001-01-01T00:00:00Z';

export interface WebhookBody {
  readonly version: '4';
  readonly groupKey: string;
  readonly truncatedAlerts: number;
  readonly status: 'firing' | 'resolved';
  readonly receiver: string;
  readonly groupLabels: Readonly<Record<string, string>>;
  readonly commonLabels: Readonly<Record<string, string>>;
  readonly commonAnnotations: Readonly<Record<string, string>>;
  readonly externalURL: string;
  readonly alerts: readonly WebhookAlert[];
}

export function webhookBody({ groupKey, alerts, omitted }: AlertMessage): WebhookBody {
  const told = alerts.map(webhookAlert);
  return {
    version: '4',
    groupKey,
    truncatedAlerts: omitted,
    status: told.some(({ status }) => status === 'firing') ? 'firing' : 'resolved',
    receiver: 'downhole',
    groupLabels: common(told.map(({ labels: { alertname = '' } }) => ({ alertname }))),
    commonLabels: common(told.map(({ labels }) => labels)),
    commonAnnotations: common(told.map(({ annotations }) => annotations)),
    externalURL: '',
    alerts: told,
  };
}

function webhookAlert({
  fingerprint,
  rule,
  severity,
  labels,
  summary,
  detail,
  raisedAtUs,
  endedAtUs,
}: ToldAlert): WebhookAlert {
  return {
    status: endedAtUs === null ? 'firing' : 'resolved',
    labels: { alertname: rule, severity, ...labels },
    annotations: {
      summary,
      ...Object.fromEntries(Object.entries(detail).map(([name, value]) => [name, String(value)])),
    },
    startsAt: formatTimestamp(raisedAtUs),
    endsAt: endedAtUs === null ? NOT_ENDED : formatTimestamp(endedAtUs),
    generatorURL: '',
    fingerprint,
  };
}

/** What all of them have with the same value. */
function common(all: readonly Readonly<Record<string, string>>[]): Record<string, string> {
  const [first = {}, ...rest] = all;
  return Object.fromEntries(
    Object.entries(first).filter(([name, value]) => rest.every((each) => each[name] === value)),
  );
}
