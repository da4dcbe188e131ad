/**
 * Alerts to a webhook: one POST each, in order, as JSON. Signed with HMAC-SHA256 over time and body, so that the receiver can
 * tell who sent it and that it is no copy of an old one. Tried a few times; what cannot be delivered is told in the log.
 */
import { createHmac } from 'node:crypto';
import type { Events } from '../monitoring/events.js';
import { pause } from '../telemetry/backoff.js';
import type { Alert, AlertHook } from './alert.js';

export interface WebhookOptions {
  readonly url: string;
  /** Empty: requests are not signed. */
  readonly secret: string;
  readonly events: Events;
  readonly timeoutMs?: number;
  /** Before each further attempt; their number is that of the attempts less one. */
  readonly pausesMs?: readonly number[];
}

const DEFAULT_TIMEOUT_MS = 5000;
const DEFAULT_PAUSES_MS: readonly number[] = [1000, 5000, 30_000, 120_000];
/** Waiting alerts; beyond it the oldest is given up, and that is told. */
const MAX_WAITING = 100;

/** `t=<epoch seconds>,v1=<hex>`: the HMAC-SHA256 of `<epoch seconds>.<body>`. */
const SIGNATURE_HEADER = 'downhole-signature';

function signatureOf(secret: string, seconds: number, body: string): string {
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;
}

export class WebhookHook implements AlertHook {
  readonly #options: WebhookOptions;
  readonly #waiting: Alert[] = [];
  readonly #stopping = new AbortController();
  #working: Promise<void> | undefined;

  constructor(options: WebhookOptions) {
    this.#options = options;
  }

  send(alert: Alert): void {
    if (this.#stopping.signal.aborted) return;
    this.#waiting.push(alert);
    const tooMany = this.#waiting.length > MAX_WAITING ? this.#waiting.shift() : undefined;
    if (tooMany !== undefined) this.#giveUp(tooMany, 0, 'too many alerts wait');
    this.#working ??= this.#work().finally(() => (this.#working = undefined));
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#working;
  }

  async #work(): Promise<void> {
    for (let alert = this.#waiting.shift(); alert !== undefined; alert = this.#waiting.shift())
      await this.#deliver(alert);
  }

  async #deliver(alert: Alert): Promise<void> {
    const { events, pausesMs = DEFAULT_PAUSES_MS } = this.#options;
    for (let attempt = 1; ; attempt++) {
      const failure = this.#stopping.signal.aborted
        ? { reason: 'the process stops', isFinal: true }
        : await this.#post(alert);
      if (failure === undefined) return events.emit('alert_delivered', { key: alert.key, attempt });
      const pauseMs = pausesMs[attempt - 1];
      if (failure.isFinal || pauseMs === undefined) return this.#giveUp(alert, attempt, failure.reason);
      await pause(pauseMs * (0.5 + Math.random() / 2), this.#stopping.signal);
    }
  }

  #giveUp({ key, state }: Alert, attempts: number, reason: string): void {
    this.#options.events.emit('alert_undelivered', { key, state, attempts, reason });
  }

  /** undefined: taken. */
  async #post(alert: Alert): Promise<{ reason: string; isFinal: boolean } | undefined> {
    const { url, secret, timeoutMs = DEFAULT_TIMEOUT_MS } = this.#options;
    const body = JSON.stringify(alert);
    const signature =
      secret === '' ? {} : { [SIGNATURE_HEADER]: signatureOf(secret, Math.floor(Date.now() / 1000), body) };
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'user-agent': 'downhole', ...signature },
        body,
        // A signed body is for this address and no other.
        redirect: 'manual',
        signal: AbortSignal.any([AbortSignal.timeout(timeoutMs), this.#stopping.signal]),
      });
      await response.body?.cancel();
      if (response.ok) return undefined;
      // Of the sender's own making, and the same the next time; 408 and 429 ask to come again.
      const isFinal = response.status < 500 && response.status !== 408 && response.status !== 429;
      return { reason: `it answered ${response.status}`, isFinal };
    } catch (error) {
      if (!(error instanceof Error)) throw error;
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
