/** `downhole cert dev`: an authority of one's own and a server certificate, for trying HTTPS out. */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import { domainToASCII } from 'node:url';
import { checkCertificate, readCertificateFiles } from '../ingest/tls/certificate.js';
import {
  issueAuthority,
  issueServerCertificate,
  SERVER_MS,
  type KeyedCertificate,
} from '../ingest/tls/issue-certificate.js';
import { OperationalError } from '../telemetry/operational-error.js';

export interface CertDevOptions {
  readonly out: string;
  /** Names and addresses of the server beside those of this machine. */
  readonly name: readonly string[];
  readonly force?: boolean;
}

const OWN_NAMES = ['localhost', '127.0.0.1', '::1'] as const;
const HOST_NAME = /^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const FILE_MODE = 0o644;
const KEY_MODE = 0o600;

/**
 * Writes ca.crt, ca.key, server.crt and server.key, and prints the settings that use them. An authority that is there is used
 * again, so that whoever trusts it trusts the new certificate as well.
 * @throws OperationalError `wrong_usage`, `file_exists`, `file_unwritable`, `certificate_unusable`
 */
export function certDev({ out, name, force = false }: CertDevOptions): void {
  const directory = resolve(out);
  const path = (file: string): string => join(directory, file);
  const names = [...new Set([...OWN_NAMES, ...name.map(readName)])] as [string, ...string[]];
  for (const file of ['server.crt', 'server.key']) {
    if (existsSync(path(file)) && !force)
      throw new OperationalError(
        'file_exists',
        `${path(file)} is there already; --force replaces it, --out writes elsewhere`,
      );
  }
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const { authority, isNew } = obtainAuthority(path('ca.crt'), path('ca.key'));
    const server = issueServerCertificate(authority, names, Date.now());
    write(path('server.key'), server.privateKey, KEY_MODE);
    write(path('server.crt'), server.certificate, FILE_MODE);
    process.stderr.write(
      `${isNew ? 'Made' : 'Used'} the authority ${path('ca.crt')}, and made a certificate for ${names.join(', ')}.\n` +
        'Give ca.crt to those who shall trust it (curl --cacert, NODE_EXTRA_CA_CERTS); ca.key stays here. The settings:\n',
    );
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    throw new OperationalError('file_unwritable', `${directory}: ${error.message}; choose a directory with --out`, {
      cause: error,
    });
  }
  process.stdout.write(
    `DOWNHOLE_HTTP_TLS_CERTIFICATE_FILE=${path('server.crt')}\n` +
      `DOWNHOLE_HTTP_TLS_KEY_FILE=${path('server.key')}\n` +
      `DOWNHOLE_HTTP_TLS_CA_FILE=${path('ca.crt')}\n`,
  );
}

/** A host name as certificates have it (ASCII, lower case), or an address. */
function readName(text: string): string {
  const name = isIP(text) === 0 ? domainToASCII(text).toLowerCase() : text;
  if (isIP(name) !== 0 || (HOST_NAME.test(name) && name.length <= 253)) return name;
  throw new OperationalError(
    'wrong_usage',
    `--name ${JSON.stringify(text)} is neither a host name nor an address; give e.g. downhole.example.com or 192.0.2.7`,
  );
}

function obtainAuthority(certificateFile: string, keyFile: string): { authority: KeyedCertificate; isNew: boolean } {
  const there = [certificateFile, keyFile].filter((file) => existsSync(file));
  if (there.length === 0) {
    const authority = issueAuthority(Date.now());
    write(keyFile, authority.privateKey, KEY_MODE);
    write(certificateFile, authority.certificate, FILE_MODE);
    return { authority, isNew: true };
  }
  const unusable = (why: string): OperationalError =>
    new OperationalError(
      'certificate_unusable',
      `${certificateFile} cannot be used again: ${why}. Put both files of it in place, or delete both for a new authority.`,
    );
  if (there.length === 1) throw unusable(`of it only ${there.join()} is there`);
  const files = { certificateFile, keyFile };
  const { chain, privateKey, x509, expiresMs } = checkCertificate(readCertificateFiles(files), files);
  if (!x509.ca) throw unusable('it is no authority');
  if (expiresMs < Date.now() + SERVER_MS) throw unusable('it ends before a new certificate would');
  return { authority: { certificate: chain, privateKey }, isNew: false };
}

/** A file appears with its whole content and its mode, or not at all. */
function write(path: string, text: string, mode: number): void {
  const draft = `${path}.new`;
  rmSync(draft, { force: true });
  writeFileSync(draft, text, { mode, flag: 'wx' });
  renameSync(draft, path);
}
