/** Where the server is to listen, looked at before anything else is opened: a mistake there is to be heard of at once. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Config } from '../config/schema.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { refusePublicBind } from './request-guards.js';
import { checkCertificate, readCertificateFiles } from './tls/certificate.js';

/**
 * Listens for a moment where the server will. Somebody else may take the port in between: then that is heard of later.
 * @throws OperationalError `refused_bind`, `certificate_unusable`, `port_in_use`, `port_not_permitted`, `address_not_available`
 */
export async function checkAddress(http: Config['http']): Promise<void> {
  const { host, port, tls, requireKeys } = http;
  const isSecure = tls.certificateFile !== '';
  refusePublicBind(host, { tls: isSecure, requireKeys });
  if (isSecure) checkCertificate(readCertificateFiles(tls), tls);
  const probe = createServer((socket) => socket.destroy());
  try {
    probe.listen({ host, port });
    await once(probe, 'listening');
  } catch (error) {
    throw explainListenError(error, http);
  }
  probe.close();
  await once(probe, 'close');
}

/** An OperationalError where the address is the reason; any other error as it is. */
export function explainListenError(error: unknown, { host, port }: Config['http']): unknown {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EADDRINUSE':
      return new OperationalError(
        'port_in_use',
        `port ${port} on ${host} is in use by another program; stop it, or choose another port with ` +
          'DOWNHOLE_HTTP_PORT (0 picks a free one)',
        { cause: error },
      );
    case 'EACCES':
      return new OperationalError(
        'port_not_permitted',
        `port ${port} may not be used by this user; choose one above 1023 with DOWNHOLE_HTTP_PORT`,
        { cause: error },
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new OperationalError(
        'address_not_available',
        `http.host ${JSON.stringify(host)} is no address of this machine; set it to 127.0.0.1`,
        { cause: error },
      );
    default:
      return error;
  }
}
