/**
 * Alerts to a webhook: a POST in the form of Alertmanager's version 4. Signed with HMAC-SHA256 over time and body, so that the
 * receiver can tell who sent it and that it is no copy of an old one.
 */
import { createHmac } from 'node:crypto';
import type { AlertChannel, DeliveryFailure } from './channel.js';
import type { AlertMessage } from './message-outbox.js';
import { webhookBody } from './webhook-body.js';

export interface WebhookOptions {
  readonly url: string;
  /** Empty: requests are not signed. */
  readonly secret: string;
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 5000;

/** `t=<epoch seconds>,v1=<hex>`: the HMAC-SHA256 of `<epoch seconds>.<body>`. */
const SIGNATURE_HEADER = 'downhole-signature';
/** The id of the message, the same however often it comes. */
const DELIVERY_HEADER = 'downhole-delivery';

function signatureOf(secret: string, seconds: number, body: string): string {
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;
}

export class WebhookChannel implements AlertChannel {
  readonly name = 'webhook';
  readonly #options: WebhookOptions;

  constructor(options: WebhookOptions) {
    this.#options = options;
  }

  async deliver(message: AlertMessage, stopping: AbortSignal): Promise<DeliveryFailure | undefined> {
    const { url, secret, timeoutMs = DEFAULT_TIMEOUT_MS } = this.#options;
    const body = JSON.stringify(webhookBody(message));
    const signature =
      secret === '' ? {} : { [SIGNATURE_HEADER]: signatureOf(secret, Math.floor(Date.now() / 1000), body) };
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'user-agent': 'downhole',
          [DELIVERY_HEADER]: message.id,
          ...signature,
        },
        body,
        // A signed body is for this address and no other.
        redirect: 'manual',
        signal: AbortSignal.any([AbortSignal.timeout(timeoutMs), stopping]),
      });
      await response.body?.cancel();
      if (response.ok) return undefined;
      // Of the sender's own making, and the same the next time; 408 and 429 ask to come again.
      const isFinal = response.status < 500 && response.status !== 408 && response.status !== 429;
      return { reason: `it answered ${response.status}`, isFinal };
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      if (stopping.aborted) return { reason: 'the process stops', isFinal: false };
      // fetch says "fetch failed", and why only in its cause. The URL may hold a secret and is not told.
      const cause =
        error.cause instanceof Error ? `: ${(error.cause as NodeJS.ErrnoException).code ?? error.cause.message}` : '';
      return {
        reason: `${error.name === 'TimeoutError' ? `no answer within ${timeoutMs} ms` : error.message}${cause}`,
        isFinal: false,
      };
    }
  }
}
