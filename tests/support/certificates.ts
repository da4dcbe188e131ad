/** Certificates in files, as an operator has them: an authority, and what it vouches for. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { issueAuthority, issueServerCertificate } from '../../src/ingest/tls/issue-certificate.js';

export interface CertificateFiles {
  /** PEM of the authority. */
  readonly ca: string;
  readonly certificateFile: string;
  readonly keyFile: string;
  /** Configuration that uses the files. */
  readonly settings: Readonly<Record<string, string>>;
  /** Puts a new certificate of the same authority in their place. */
  renew(names?: readonly string[]): void;
}

const OWN_NAMES = ['localhost', '127.0.0.1', '::1'] as const;

export function writeCertificates(directory: string, names: readonly string[] = []): CertificateFiles {
  const authority = issueAuthority(Date.now());
  const certificateFile = join(directory, 'server.crt');
  const keyFile = join(directory, 'server.key');
  const renew = (further: readonly string[] = []): void => {
    const issued = issueServerCertificate(authority, [...OWN_NAMES, ...further], Date.now());
    writeFileSync(certificateFile, issued.certificate);
    writeFileSync(keyFile, issued.privateKey, { mode: 0o600 });
  };
  renew(names);
  return {
    ca: authority.certificate,
    certificateFile,
    keyFile,
    settings: { 'http.tls.certificateFile': certificateFile, 'http.tls.keyFile': keyFile },
    renew,
  };
}
