/** How alerts reach somebody, as the configuration says. */
import type { AlertChannel } from '../alerts/channel.js';
import { WebhookChannel } from '../alerts/deliver-webhook.js';
import type { MessageTimes } from '../alerts/plan-messages.js';
import type { Config } from '../config/schema.js';

export function alertChannels({ alerts }: Pick<Config, 'alerts'>): AlertChannel[] {
  const { webhookUrl: url, webhookSecret: secret } = alerts;
  return url === '' ? [] : [new WebhookChannel({ url, secret })];
}

export function messageTimes({ alerts }: Pick<Config, 'alerts'>): MessageTimes {
  return {
    groupWaitUs: alerts.groupWaitSeconds * 1e6,
    groupIntervalUs: alerts.groupIntervalSeconds * 1e6,
    repeatUs: alerts.repeatHours * 3600e6,
  };
}
