/** How the commands get into a service: with which key, and trusting whom. */
import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import type { Config } from '../config/schema.js';
import type { ServiceAccess, ServiceTrust } from '../gateway/service-client.js';
import { isLoopback, isUnspecified } from '../ingest/own-names.js';
import { checkCertificate, readCertificateFiles, type Certificate } from '../ingest/tls/certificate.js';
import { OperationalError } from '../telemetry/operational-error.js';

/**
 * A service somewhere: trusted is what `http.tls.caFile` vouches for, else what Node trusts.
 * @throws OperationalError `wrong_usage` for a key that would cross a network in the clear; `certificate_unusable`
 */
export function serviceAccess({ apiKey, http }: Config, url: string): ServiceAccess {
  const { protocol, hostname } = new URL(url);
  if (apiKey !== '' && protocol !== 'https:' && !isLoopback(hostname.replace(/^\[|\]$/g, '')))
    throw new OperationalError(
      'wrong_usage',
      `The API key would cross the network unencrypted to ${url}; give the https:// address of the service.`,
    );
  if (http.tls.caFile === '') return { url, apiKey };
  const authorities = [readAuthority(http.tls.caFile)];
  return { url, apiKey, trust: () => ({ authorities }) };
}

/** Where the service answers that this configuration describes, for callers on this machine. */
export function ownUrl({ http: { host, port, tls } }: Config): string {
  const name = isUnspecified(host) ? '127.0.0.1' : host;
  return `${tls.certificateFile === '' ? 'http' : 'https'}://${isIPv6(name) ? `[${name}]` : name}:${port}`;
}

/** The service that this very configuration describes, on this machine. Its certificate is known from its file. */
export function ownServiceAccess(config: Config, url: string): ServiceAccess {
  const { certificateFile, caFile } = config.http.tls;
  if (certificateFile === '' || new URL(url).protocol !== 'https:') return serviceAccess(config, url);
  const certificate = checkCertificate(readCertificateFiles(config.http.tls), config.http.tls);
  const further = caFile === '' ? [] : [readAuthority(caFile)];
  return { url, apiKey: config.apiKey, trust: () => trustIn(certificate, url, further) };
}

/** Trust in one certificate and no other, under whatever name it has: the address may be one that it does not name. */
export function trustIn(certificate: Certificate, url: string, further: readonly string[] = []): ServiceTrust {
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '');
  const { x509, names, chain } = certificate;
  const isNamed = x509.checkIP(host) !== undefined || x509.checkHost(host) !== undefined;
  // `*.example.com` is fulfilled by any name below it.
  const serverName = isNamed ? undefined : names[0]?.replace(/^\*\./, 'own.');
  return { authorities: [chain, ...further], serverName };
}

function readAuthority(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new OperationalError(
      'certificate_unusable',
      `http.tls.caFile ${path} cannot be read (${reason}); name the PEM file of the authority`,
      { cause: error },
    );
  }
}
