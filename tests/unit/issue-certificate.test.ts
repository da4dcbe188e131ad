import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { issueAuthority, issueServerCertificate } from '../../src/ingest/tls/issue-certificate.js';

const NOW_MS = Date.parse('2026-11-23T18:22:08Z');
const authority = issueAuthority(NOW_MS);
const issuer = new X509Certificate(authority.certificate);

const certify = (name: string, nowMs = NOW_MS): X509Certificate =>
  new X509Certificate(issueServerCertificate(authority, [name], nowMs).certificate);

describe('issueServerCertificate', () => {
  it('is signed by its authority, and by no other of the same name', () => {
    const certificate = certify('localhost');
    expect(certificate.verify(issuer.publicKey)).toBe(true);
    expect(certificate.checkIssued(issuer)).toBe(true);
    expect(certificate.verify(new X509Certificate(issueAuthority(NOW_MS).certificate).publicKey)).toBe(false);
    expect([issuer.ca, certificate.ca]).toEqual([true, false]);
  });

  it('is for the address that was asked for, however that is written, and for no other', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), fc.ipV4(), (address, other) => {
        const certificate = certify(address);
        expect(certificate.checkIP(address), address).toBeDefined();
        if (other !== address) expect(certificate.checkIP(other)).toBeUndefined();
      }),
      { numRuns: 200 },
    );
  });

  it('is for the name that was asked for', () => {
    fc.assert(
      fc.property(fc.domain(), (name) => {
        expect(certify(name).checkHost(name)).toBeDefined();
        expect(certify(name).checkHost(`x${name}`)).toBeUndefined();
      }),
      { numRuns: 100 },
    );
  });

  it('holds from a day ago, also beyond 2050, where dates are written in another way', () => {
    fc.assert(
      fc.property(fc.date({ min: new Date('1990-01-01'), max: new Date('2200-01-01'), noInvalidDate: true }), (now) => {
        const nowMs = Math.floor(now.getTime() / 1000) * 1000;
        const certificate = certify('localhost', nowMs);
        expect(Date.parse(certificate.validFrom)).toBe(nowMs - 86_400_000);
        expect(Date.parse(certificate.validTo)).toBe(nowMs + 825 * 86_400_000);
      }),
      { numRuns: 100 },
    );
  });
});
