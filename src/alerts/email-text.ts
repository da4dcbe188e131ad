/** A message as an e-mail: what is the case first, then what has passed. */
import { formatTimestamp } from '../telemetry/timestamp.js';
import type { ToldAlert } from './alert.js';
import type { AlertMessage } from './message-outbox.js';

const MAX_SUBJECT_LENGTH = 150;

/** One line, whatever is in names that senders gave. */
const inLine = (text: string): string => text.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim();

export function emailSubject({ groupKey, alerts, omitted }: AlertMessage): string {
  const firing = alerts.filter(({ endedAtUs }) => endedAtUs === null).length;
  const [state, count] = firing > 0 ? ['FIRING', firing + omitted] : ['RESOLVED', alerts.length + omitted];
  const what = alerts.length === 1 && omitted === 0 ? (alerts[0]?.summary ?? '') : groupKey;
  return inLine(`[${state}:${count}] ${what}`).slice(0, MAX_SUBJECT_LENGTH);
}

export function emailText({ id, alerts, omitted }: AlertMessage): string {
  const firing = alerts.filter(({ endedAtUs }) => endedAtUs === null);
  const passed = alerts.filter(({ endedAtUs }) => endedAtUs !== null);
  const parts = [
    ...(firing.length === 0 ? [] : ['What is the case:', '', ...firing.map(lineOf), '']),
    ...(passed.length === 0 ? [] : ['What has passed:', '', ...passed.map(lineOf), '']),
    ...(omitted === 0 ? [] : [`… and ${omitted} more: downhole alerts list`, '']),
    `Message ${id} of Downhole.`,
  ];
  return `${parts.join('\n')}\n`;
}

function lineOf({ severity, summary, raisedAtUs, endedAtUs }: ToldAlert): string {
  const until = endedAtUs === null ? '' : ` until ${formatTimestamp(endedAtUs)}`;
  return `- ${severity}, since ${formatTimestamp(raisedAtUs)}${until}: ${inLine(summary)}`;
}
