/**
 * X.509 certificates for trying TLS out: an authority of one's own and servers that it vouches for (RFC 5280). ECDSA on P-256,
 * signed by Node's OpenSSL.
 */
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  id_kp_serverAuth,
  KeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from '@peculiar/asn1-x509';
import {
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  X509Certificate,
  type KeyObject,
} from 'node:crypto';
import { isIP, isIPv6 } from 'node:net';

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

const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';
const COMMON_NAME = '2.5.4.3';
const ORGANIZATION = '2.5.4.10';
const IS_CRITICAL = true;

function distinguishedName(commonName: string): Name {
  const part = (type: string, utf8String: string): RelativeDistinguishedName =>
    new RelativeDistinguishedName([new AttributeTypeAndValue({ type, value: new AttributeValue({ utf8String }) })]);
  return new Name([part(ORGANIZATION, 'Downhole'), part(COMMON_NAME, commonName)]);
}

const extension = (extnID: string, value: object, critical = false): Extension =>
  new Extension({ extnID, critical, extnValue: new OctetString(AsnConvert.serialize(value)) });

/** Identifies a public key within a chain (RFC 7093, method 1). */
const keyIdentifier = ({ subjectPublicKey }: SubjectPublicKeyInfo): Buffer =>
  createHash('sha256').update(Buffer.from(subjectPublicKey)).digest().subarray(0, 20);

const publicKeyInfo = (key: KeyObject): SubjectPublicKeyInfo =>
  AsnConvert.parse(key.export({ type: 'spki', format: 'der' }), SubjectPublicKeyInfo);

interface Content {
  readonly subject: Name;
  readonly issuer: Name;
  readonly publicKey: SubjectPublicKeyInfo;
  readonly validMs: number;
  readonly extensions: readonly Extension[];
}

function signed({ subject, issuer, publicKey, validMs, extensions }: Content, key: KeyObject, nowMs: number): string {
  const serial = randomBytes(16);
  serial[0] = ((serial[0] as number) & 0x7f) | 0x40; // positive, and as long as it looks
  const signature = new AlgorithmIdentifier({ algorithm: ECDSA_WITH_SHA256 });
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: arrayBuffer(serial),
    signature,
    issuer,
    validity: new Validity({ notBefore: new Date(nowMs - BACKDATED_MS), notAfter: new Date(nowMs + validMs) }),
    subject,
    subjectPublicKeyInfo: publicKey,
    extensions: new Extensions([
      ...extensions,
      extension(id_ce_subjectKeyIdentifier, new SubjectKeyIdentifier(keyIdentifier(publicKey))),
    ]),
  });
  const signatureValue = arrayBuffer(sign('sha256', Buffer.from(AsnConvert.serialize(tbsCertificate)), key));
  const certificate = new Certificate({ tbsCertificate, signatureAlgorithm: signature, signatureValue });
  return new X509Certificate(Buffer.from(AsnConvert.serialize(certificate))).toString();
}

const arrayBuffer = (bytes: Uint8Array): ArrayBuffer => Uint8Array.from(bytes).buffer;

const newKey = (): { publicKey: KeyObject; privateKey: KeyObject } =>
  generateKeyPairSync('ec', { namedCurve: 'prime256v1' });

const pem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }) as string;

/** An authority that vouches for servers, and for no further authorities. */
export function issueAuthority(nowMs: number): KeyedCertificate {
  const { publicKey, privateKey } = newKey();
  // Two authorities on one machine must be told apart: OpenSSL looks an issuer up by its name.
  const name = distinguishedName(`Development CA ${randomBytes(4).toString('hex')}`);
  const content: Content = {
    subject: name,
    issuer: name,
    publicKey: publicKeyInfo(publicKey),
    validMs: AUTHORITY_MS,
    extensions: [
      extension(id_ce_basicConstraints, new BasicConstraints({ cA: true, pathLenConstraint: 0 }), IS_CRITICAL),
      extension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign), IS_CRITICAL),
    ],
  };
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
  const issuer = AsnConvert.parse(new X509Certificate(authority.certificate).raw, Certificate).tbsCertificate;
  const authorityKey = new KeyIdentifier(keyIdentifier(issuer.subjectPublicKeyInfo));
  const content: Content = {
    subject: distinguishedName(names[0]),
    issuer: issuer.subject,
    publicKey: publicKeyInfo(publicKey),
    validMs: SERVER_MS,
    extensions: [
      extension(id_ce_basicConstraints, new BasicConstraints(), IS_CRITICAL),
      extension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.digitalSignature), IS_CRITICAL),
      extension(id_ce_extKeyUsage, new ExtendedKeyUsage([id_kp_serverAuth])),
      extension(id_ce_subjectAltName, new SubjectAlternativeName(names.map(alternativeName))),
      extension(id_ce_authorityKeyIdentifier, new AuthorityKeyIdentifier({ keyIdentifier: authorityKey })),
    ],
  };
  return {
    certificate: signed(content, createPrivateKey(authority.privateKey), nowMs),
    privateKey: pem(privateKey),
  };
}

function alternativeName(name: string): GeneralName {
  if (isIP(name) === 0) return new GeneralName({ dNSName: name });
  return new GeneralName({ iPAddress: isIPv6(name) ? canonicalIPv6(name) : name });
}

/** Without the dotted ending that an address may have: the encoder does not know it. */
const canonicalIPv6 = (address: string): string => new URL(`http://[${address}]`).hostname.slice(1, -1);
