/** How alerts reach somebody, as the configuration says. */
import { readFileSync } from 'node:fs';
import type { AlertChannel } from '../alerts/channel.js';
import { EmailChannel } from '../alerts/deliver-email.js';
import { WebhookChannel } from '../alerts/deliver-webhook.js';
import type { MessageTimes } from '../alerts/plan-messages.js';
import type { Config } from '../config/schema.js';
import { OperationalError } from '../telemetry/operational-error.js';

/** @throws OperationalError `invalid_configuration` when a file that it names cannot be read */
export function alertChannels({ alerts }: Pick<Config, 'alerts'>): AlertChannel[] {
  const { webhookUrl, webhookSecret: secret, email } = alerts;
  const { smtpUrl, from, to, caFile } = email;
  const channels: AlertChannel[] = [];
  if (webhookUrl !== '') channels.push(new WebhookChannel({ url: webhookUrl, secret }));
  if (smtpUrl !== '') {
    const ca = caFile === '' ? undefined : readAuthority(caFile);
    channels.push(new EmailChannel({ url: smtpUrl, from, to, ca }));
  }
  return channels;
}

function readAuthority(caFile: string): string {
  try {
    return readFileSync(caFile, 'utf8');
  } catch (error) {
    throw new OperationalError(
      'invalid_configuration',
      `alerts.email.caFile cannot be read (${(error as Error).message}): name a PEM file that this user may read`,
      { cause: error },
    );
  }
}

export function messageTimes({ alerts }: Pick<Config, 'alerts'>): MessageTimes {
  return {
    groupWaitUs: alerts.groupWaitSeconds * 1e6,
    groupIntervalUs: alerts.groupIntervalSeconds * 1e6,
    repeatUs: alerts.repeatHours * 3600e6,
  };
}
