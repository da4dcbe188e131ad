/** `downhole cert dev` as a user runs it; its files are judged by OpenSSL and by a handshake. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runCommand } from '../support/service.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const certDev = (...args: string[]) => runCommand(['cert', 'dev', ...args]);
const openssl = (...args: string[]): string => execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' });

describe('downhole cert dev', () => {
  it('makes an authority and a certificate that OpenSSL and Node take, and prints the settings', async () => {
    const directory = join(temporaryDirectory('cert'), 'made');
    const made = await certDev('--out', directory, '--name', 'bücher.example', '192.0.2.7', '--name', '2001:db8::7');
    expect([made.code, made.stdout]).toEqual([
      0,
      [
        `DOWNHOLE_HTTP_TLS_CERTIFICATE_FILE=${directory}/server.crt`,
        `DOWNHOLE_HTTP_TLS_KEY_FILE=${directory}/server.key`,
        `DOWNHOLE_HTTP_TLS_CA_FILE=${directory}/ca.crt`,
        '',
      ].join('\n'),
    ]);
    for (const file of ['ca.key', 'server.key']) expect(statSync(join(directory, file)).mode & 0o777).toBe(0o600);
    const [ca, crt] = [join(directory, 'ca.crt'), join(directory, 'server.crt')];
    for (const names of [
      ['-verify_hostname', 'localhost'],
      ['-verify_hostname', 'xn--bcher-kva.example'],
      ['-verify_ip', '127.0.0.1'],
      ['-verify_ip', '::1'],
      ['-verify_ip', '192.0.2.7'],
      ['-verify_ip', '2001:db8::7'],
    ])
      expect(openssl('verify', '-x509_strict', '-purpose', 'sslserver', ...names, '-CAfile', ca, crt)).toContain('OK');
    expect(() => openssl('verify', '-verify_hostname', 'other.example', '-CAfile', ca, crt)).toThrow();
    expect(openssl('x509', '-in', crt, '-noout', '-text')).toMatch(/prime256v1[^]*TLS Web Server Authentication/);

    const read = (name: string): string => readFileSync(join(directory, name), 'utf8');
    const server = createServer({ cert: read('server.crt'), key: read('server.key') }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket: TLSSocket = connect({
      host: '127.0.0.1',
      port: (server.address() as AddressInfo).port,
      ca: read('ca.crt'),
    });
    onTestFinished(() => {
      socket.destroy();
      server.close();
    });
    await once(socket, 'secureConnect');
    expect(socket.authorized).toBe(true);
  });

  it('replaces nothing unasked, and uses the authority again', async () => {
    const directory = temporaryDirectory('cert');
    const read = (name: string): string => readFileSync(join(directory, name), 'utf8');
    expect((await certDev('--out', directory)).code).toBe(0);
    const [authority, certificate] = [read('ca.crt'), read('server.crt')];
    const again = await certDev('--out', directory);
    expect([again.code, again.stdout]).toEqual([1, '']);
    expect(again.stderr).toMatch(/server\.crt is there already; --force replaces it/);
    expect(read('server.crt')).toBe(certificate);
    expect((await certDev('--out', directory, '--force')).code).toBe(0);
    expect(read('ca.crt')).toBe(authority);
    expect(read('server.crt')).not.toBe(certificate);
    expect(openssl('verify', '-CAfile', join(directory, 'ca.crt'), join(directory, 'server.crt'))).toContain('OK');

    rmSync(join(directory, 'ca.key'));
    const lost = await certDev('--out', directory, '--force');
    expect([lost.code, read('ca.crt')]).toEqual([1, authority]);
    expect(lost.stderr).toContain('only');
  });

  it.each(['', 'a b', 'https://x.example', '-x', 'x.example:443', 'a'.repeat(64)])(
    'refuses the name "%s"',
    async (name) => {
      const directory = temporaryDirectory('cert');
      const refused = await certDev('--out', directory, `--name=${name}`);
      expect([refused.code, refused.stdout]).toEqual([2, '']);
      expect(refused.stderr).toContain('neither a host name nor an address');
    },
  );
});
