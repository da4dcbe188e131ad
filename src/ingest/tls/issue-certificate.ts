/**
 * X.509 certificates for trying TLS out: an authority of one's own and servers that it vouches for. ECDSA on P-256, signed
 * by Node's OpenSSL; only the frame around keys and signature is written here (RFC 5280).
 */
import {
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  X509Certificate,
  type KeyObject,
} from 'node:crypto';
import { isIP, isIPv4 } from 'node:net';
import * as der from './der.js';

/** A certificate and its private key, both PEM. */
export interface KeyedCertificate {
  readonly certificate: string;
  readonly privateKey: string;
}

const DAY_MS = 86_400_000;
/** Gateways' clocks differ. */
const BACKDATED_MS = DAY_MS;
const AUTHORITY_MS = 3650 * DAY_MS;
/** How long a server's certificate is valid. Longer than this Apple's systems do not take from anybody. */
export const SERVER_MS = 825 * DAY_MS;

const ECDSA_WITH_SHA256 = der.sequence(der.objectId('1.2.840.10045.4.3.2'));
const COMMON_NAME = '2.5.4.3';
const ORGANIZATION = '2.5.4.10';
/** An uncompressed point of P-256: what stands at the end of a public key. */
const POINT_BYTES = 65;

/** Bits of KeyUsage, counted from the left. */
const DIGITAL_SIGNATURE = der.bits(Buffer.from([0x80]), 7);
const CERTIFICATE_AND_CRL_SIGN = der.bits(Buffer.from([0x06]), 1);

const distinguishedName = (commonName: string): Buffer =>
  der.sequence(
    ...[
      [ORGANIZATION, 'Downhole'],
      [COMMON_NAME, commonName],
    ].map(([id = '', value = '']) => der.set(der.sequence(der.objectId(id), der.utf8(value)))),
  );

const extension = (id: string, isCritical: boolean, value: Buffer): Buffer =>
  der.sequence(der.objectId(id), ...(isCritical ? [der.boolean(true)] : []), der.octets(value));

/** Identifies a public key within a chain (RFC 7093, method 1). */
const keyIdentifier = (publicKey: Buffer): Buffer =>
  createHash('sha256').update(publicKey.subarray(-POINT_BYTES)).digest().subarray(0, 20);

interface Content {
  readonly subject: string;
  readonly issuer: string;
  readonly publicKey: KeyObject;
  readonly validMs: number;
  readonly extensions: (keyId: Buffer) => readonly Buffer[];
}

function signed(content: Content, signingKey: KeyObject, nowMs: number): string {
  const publicKey = content.publicKey.export({ type: 'spki', format: 'der' });
  const serial = randomBytes(16);
  serial[0] = ((serial[0] as number) & 0x7f) | 0x40; // positive, and as long as it looks
  const body = der.sequence(
    der.explicit(0, der.integer(Buffer.from([2]))), // version 3
    der.integer(serial),
    ECDSA_WITH_SHA256,
    distinguishedName(content.issuer),
    der.sequence(der.time(nowMs - BACKDATED_MS), der.time(nowMs + content.validMs)),
    distinguishedName(content.subject),
    publicKey,
    der.explicit(3, der.sequence(...content.extensions(keyIdentifier(publicKey)))),
  );
  const certificate = der.sequence(body, ECDSA_WITH_SHA256, der.bits(sign('sha256', body, signingKey)));
  return new X509Certificate(certificate).toString();
}

const newKey = (): { publicKey: KeyObject; privateKey: KeyObject } =>
  generateKeyPairSync('ec', { namedCurve: 'prime256v1' });

const pem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }) as string;

/** An authority that vouches for servers, and for no further authorities. */
export function issueAuthority(nowMs: number): KeyedCertificate {
  const { publicKey, privateKey } = newKey();
  // Two authorities on one machine must be told apart: OpenSSL looks an issuer up by its name.
  const name = `Development CA ${randomBytes(4).toString('hex')}`;
  const extensions = (keyId: Buffer): Buffer[] => [
    extension('2.5.29.19', true, der.sequence(der.boolean(true), der.integer(Buffer.from([0])))),
    extension('2.5.29.15', true, CERTIFICATE_AND_CRL_SIGN),
    extension('2.5.29.14', false, der.octets(keyId)),
  ];
  const content = { subject: name, issuer: name, publicKey, validMs: AUTHORITY_MS, extensions };
  return { certificate: signed(content, privateKey, nowMs), privateKey: pem(privateKey) };
}

/**
 * A certificate of a server, signed by an authority of `issueAuthority`.
 * @param names host names and IP addresses under which it is called; the first one is its common name
 */
export function issueServerCertificate(
  authority: KeyedCertificate,
  names: readonly [string, ...string[]],
  nowMs: number,
): KeyedCertificate {
  const { publicKey, privateKey } = newKey();
  const issuer = new X509Certificate(authority.certificate);
  const authorityKeyId = keyIdentifier(issuer.publicKey.export({ type: 'spki', format: 'der' }));
  const extensions = (keyId: Buffer): Buffer[] => [
    extension('2.5.29.19', true, der.sequence()),
    extension('2.5.29.15', true, DIGITAL_SIGNATURE),
    extension('2.5.29.37', false, der.sequence(der.objectId('1.3.6.1.5.5.7.3.1'))), // serverAuth
    extension('2.5.29.17', false, der.sequence(...names.map(alternativeName))),
    extension('2.5.29.14', false, der.octets(keyId)),
    extension('2.5.29.35', false, der.sequence(der.implicit(0, authorityKeyId))),
  ];
  const content = { subject: names[0], issuer: commonNameOf(issuer), publicKey, validMs: SERVER_MS, extensions };
  return {
    certificate: signed(content, createPrivateKey(authority.privateKey), nowMs),
    privateKey: pem(privateKey),
  };
}

const commonNameOf = ({ subject }: X509Certificate): string => /^CN=(.*)$/m.exec(subject)?.[1] ?? '';

/** GeneralName: dNSName or iPAddress. */
function alternativeName(name: string): Buffer {
  return isIP(name) === 0 ? der.implicit(2, Buffer.from(name, 'ascii')) : der.implicit(7, addressBytes(name));
}

function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = '', tail] = canonical.split('::');
  const groups = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
  const [before, after] = [groups(head), groups(tail ?? '')];
  const zeros = tail === undefined ? [] : new Array<number>(8 - before.length - after.length).fill(0);
  return Buffer.from([...before, ...zeros, ...after].flatMap((group) => [group >> 8, group & 0xff]));
}
