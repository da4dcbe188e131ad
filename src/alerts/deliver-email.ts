/**
 * Alerts by e-mail, over SMTP: with TLS from the beginning (smtps://), or as soon as the server offers it (smtp://). A password
 * goes through TLS or not at all.
 */
import type { SMTPTransportOptions } from 'nodemailer';
import type { AlertChannel, DeliveryFailure } from './channel.js';
import { emailSubject, emailText } from './email-text.js';
import type { AlertMessage } from './message-outbox.js';

export interface EmailOptions {
  /** smtp:// or smtps://, with user and password where the server asks for them. */
  readonly url: string;
  readonly from: string;
  readonly to: readonly string[];
  /** PEM of the authority that vouches for the server; absent: those that Node knows. */
  readonly ca?: string | undefined;
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 15_000;

export class EmailChannel implements AlertChannel {
  readonly name = 'email';
  readonly #options: EmailOptions;

  constructor(options: EmailOptions) {
    this.#options = options;
  }

  async deliver(message: AlertMessage, stopping: AbortSignal): Promise<DeliveryFailure | undefined> {
    const { url, from, to, ca, timeoutMs = DEFAULT_TIMEOUT_MS } = this.#options;
    const { createTransport } = await import('nodemailer');
    const { protocol, hostname, port, username, password } = new URL(url);
    const auth = { user: decodeURIComponent(username), pass: decodeURIComponent(password) };
    const server: SMTPTransportOptions = {
      host: hostname.replace(/^\[|\]$/g, ''),
      ...(port === '' ? {} : { port: Number(port) }),
      secure: protocol === 'smtps:',
      requireTLS: username !== '',
      ...(username === '' ? {} : { auth }),
      ...(ca === undefined ? {} : { tls: { ca } }),
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
    };
    const transport = createTransport(server);
    try {
      const { rejected } = await untilStopped(
        transport.sendMail({
          from,
          to: [...to],
          subject: emailSubject(message),
          text: emailText(message),
          // The same however often it comes: mail programs show one.
          messageId: `<${message.id}@downhole>`,
          headers: { 'auto-submitted': 'auto-generated', 'x-downhole-delivery': message.id },
        }),
        stopping,
      );
      if (rejected.length === 0) return undefined;
      // The others have it; once more would bring them a copy and these nothing.
      return { reason: `it refused ${rejected.length} of ${to.length} recipients`, isFinal: true };
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      return stopping.aborted ? { reason: 'the process stops', isFinal: false } : failureOf(error);
    } finally {
      transport.close();
    }
  }
}

function untilStopped<T>(work: Promise<T>, stopping: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(new Error('the process stops'));
    stopping.addEventListener('abort', stop, { once: true });
    if (stopping.aborted) stop();
    work.then(resolve, reject).finally(() => stopping.removeEventListener('abort', stop));
  });
}

/** The server's words may have addresses in them, and an error of TLS says nothing without its own. */
function failureOf(error: Error & { code?: string; responseCode?: number }): DeliveryFailure {
  const { code, responseCode } = error;
  if (responseCode === undefined)
    return { reason: code === 'ETLS' ? `${code}: TLS is not to be had` : (code ?? error.name), isFinal: false };
  // RFC 5321: 5xx is the same the next time, 4xx may not be.
  return {
    reason: `it answered ${responseCode}${code === undefined ? '' : ` (${code})`}`,
    isFinal: responseCode >= 500,
  };
}
