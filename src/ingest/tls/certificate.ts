/** A certificate and its private key from two PEM files, looked at before they are used. */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { OperationalError } from '../../telemetry/operational-error.js';

/** Where they are. */
export interface CertificateFiles {
  readonly certificateFile: string;
  readonly keyFile: string;
}

/** What they hold, PEM. */
export interface CertificateText {
  /** The certificate itself, and those that lead to the authority. */
  readonly chain: string;
  /** A secret. */
  readonly privateKey: string;
}

/** A pair that fits. */
export interface Certificate extends CertificateText {
  readonly x509: X509Certificate;
  /** Epoch milliseconds. */
  readonly expiresMs: number;
  /** Host names and addresses that it is for. */
  readonly names: readonly string[];
}

const unusable = (message: string, cause?: unknown): OperationalError =>
  new OperationalError('certificate_unusable', message, cause === undefined ? {} : { cause });

/** What the two files hold. @throws OperationalError `certificate_unusable` */
export function readCertificateFiles({ certificateFile, keyFile }: CertificateFiles): CertificateText {
  return { chain: read(certificateFile), privateKey: read(keyFile) };
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? String(error);
    throw unusable(`${path} cannot be read (${reason}); name a PEM file that the user of the service may read`, error);
  }
}

/**
 * Looks at what was read; `files` stand in the messages, which have nothing of the key in them.
 * @throws OperationalError `certificate_unusable`, which names the file and the remedy
 */
export function checkCertificate({ chain, privateKey }: CertificateText, files: CertificateFiles): Certificate {
  const x509 = parseCertificate(chain, files.certificateFile);
  const key = parseKey(privateKey, files.keyFile);
  if (!x509.checkPrivateKey(key))
    throw unusable(
      `the private key in ${files.keyFile} does not belong to the certificate in ${files.certificateFile}; ` +
        "the server's own certificate has to be the first in its file",
    );
  try {
    createSecureContext({ cert: chain, key: privateKey, minVersion: 'TLSv1.3' });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw unusable(`OpenSSL does not take ${files.certificateFile} with ${files.keyFile}: ${reason}`, error);
  }
  const names = (x509.subjectAltName ?? '')
    .split(', ')
    .flatMap((name) => /^(?:DNS|IP Address):(.+)$/.exec(name)?.[1] ?? []);
  return { chain, privateKey, x509, expiresMs: Date.parse(x509.validTo), names };
}

function parseCertificate(text: string, path: string): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch (error) {
    throw unusable(`${path} has no certificate; name a PEM file with -----BEGIN CERTIFICATE-----`, error);
  }
}

function parseKey(text: string, path: string): KeyObject {
  if (/ENCRYPTED/.test(text))
    throw unusable(
      `the private key in ${path} is encrypted, and nobody is there to type its passphrase; ` +
        'write it without one (openssl pkey -in … -out …) and let only the user of the service read it',
    );
  try {
    return createPrivateKey(text);
  } catch {
    // What OpenSSL says here may quote the file, and is not kept.
    throw unusable(`${path} has no private key; name a PEM file with -----BEGIN PRIVATE KEY-----`);
  }
}
