/** Where RabbitMQ is, whom to believe that it is, and why it cannot be reached. */
import { readFileSync } from 'node:fs';
import type { Config } from '../config/schema.js';
import { OperationalError } from '../telemetry/operational-error.js';

export interface RabbitmqAddress {
  /** `amqp://` or, with TLS, `amqps://`. */
  readonly url: URL;
  /** PEM of the authorities that may vouch for it; those that Node knows otherwise. */
  readonly ca?: string | undefined;
}

/**
 * The address that the configuration gives.
 * @throws OperationalError `invalid_configuration`
 */
export function rabbitmqAddress({ url: address, caFile }: Pick<Config['queue'], 'url' | 'caFile'>): RabbitmqAddress {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || url.hostname === '' || !['amqp:', 'amqps:'].includes(url.protocol)) {
    throw new OperationalError(
      'invalid_configuration',
      'queue.url (not shown: it is a secret) is not the URL of a RabbitMQ server: write amqp://USER:PASSWORD@HOST:PORT/VHOST, or amqps:// for TLS',
    );
  }
  if (caFile === '') return { url };
  if (url.protocol === 'amqp:') {
    throw new OperationalError(
      'invalid_configuration',
      'queue.caFile is for TLS, and queue.url begins with amqp://, which has none: write amqps://, or leave queue.caFile out',
    );
  }
  return { url, ca: readAuthorities(caFile) };
}

function readAuthorities(caFile: string): string {
  try {
    return readFileSync(caFile, 'utf8');
  } catch (error) {
    throw new OperationalError(
      'invalid_configuration',
      `queue.caFile cannot be read (${(error as Error).message}): name a PEM file that this user may read`,
      { cause: error },
    );
  }
}

/** The broker is there, and does not let this user or this virtual host in. */
const REFUSED = /ACCESS[_-]REFUSED|Expected ConnectionOpenOk; got <ConnectionClose/;
/** Codes of Node for a certificate that does not hold. */
const CERTIFICATE = /CERT|_SIGNATURE$|^ERR_TLS/;

/**
 * What a failed attempt to connect means.
 * @returns OperationalError `queue_unavailable` (retryable), `queue_access_refused`, `queue_certificate_refused`; an
 *   OperationalError as it is
 */
export function connectionError(error: unknown, url: URL): OperationalError {
  if (error instanceof OperationalError) return error;
  const { message, code } = error as NodeJS.ErrnoException;
  const where = `${url.hostname}:${url.port || (url.protocol === 'amqps:' ? 5671 : 5672)}`;
  if (REFUSED.test(message)) {
    return new OperationalError(
      'queue_access_refused',
      `RabbitMQ at ${where} refuses access (${message}): check user, password and virtual host of queue.url, and the user's permissions`,
      { cause: error },
    );
  }
  if (typeof code === 'string' && CERTIFICATE.test(code)) {
    return new OperationalError(
      'queue_certificate_refused',
      `The certificate of RabbitMQ at ${where} does not hold (${message}): name the file of its authority in queue.caFile, and in queue.url a host that the certificate is for`,
      { cause: error },
    );
  }
  return new OperationalError(
    'queue_unavailable',
    `RabbitMQ cannot be reached at ${where} (${message}): check that it runs and that queue.url is right`,
    { retryable: true, cause: error },
  );
}
