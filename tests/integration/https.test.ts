/** HTTPS over real sockets: which TLS is spoken, who is refused, and how certificates are exchanged. */
import { execFileSync, spawn } from 'node:child_process';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Agent, createServer, request as startRequest } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { loadConfig } from '../../src/config/load-config.js';
import { checkCertificate, readCertificateFiles } from '../../src/ingest/tls/certificate.js';
import { CertificateWatch, secureContext } from '../../src/ingest/tls/certificate-watch.js';
import { writeCertificates, type CertificateFiles } from '../support/certificates.js';
import { startIngestServer, type IngestServer } from '../support/ingest-server.js';
import { recordEvents } from '../support/record-events.js';
import { createTemporaryDirectory, temporaryDirectory } from '../support/temporary-directory.js';

const GOOD = { device_id: 'ESP-1', timestamp: '2026-01-01T00:00:00Z', temperature: 80 };

const directory = createTemporaryDirectory('https');
let files: CertificateFiles;
let server: IngestServer;
beforeAll(async () => {
  files = writeCertificates(directory.path, ['ingest.example.com']);
  server = await startIngestServer({
    ca: files.ca,
    settings: {
      ...files.settings,
      'http.publicNames': ['gateway.example.com', 'mapped.example.com:443', '2001:db8::7'],
    },
  });
});
afterAll(async () => {
  await server.close();
  await directory.remove();
});

/** A handshake to its end; rejects where there is none. */
async function handshake(options: ConnectionOptions = {}, port = server.client.port): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, ca: files.ca, ...options });
  onTestFinished(() => void socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

const failures = (reason: string): Promise<number> => server.metrics.value('tls_failures_total', { reason });

describe('TLS', () => {
  it('1.3 is spoken, with HTTP/1.1 in it', async () => {
    const socket = await handshake({ ALPNProtocols: ['h2', 'http/1.1'] });
    expect([socket.getProtocol(), socket.alpnProtocol]).toEqual(['TLSv1.3', 'http/1.1']);
    const answer = await server.client.post('/v1/telemetry', GOOD);
    expect([answer.status, server.client.url]).toEqual([202, expect.stringMatching(/^https:\/\/127\.0\.0\.1:/)]);
  });

  it.each(['TLSv1', 'TLSv1.1', 'TLSv1.2'] as const)('%s is refused', async (version) => {
    // Security level 0, so that it is the server which refuses old versions, and not the client.
    const old = { minVersion: version, maxVersion: version, ciphers: 'ALL:@SECLEVEL=0' };
    const before = await failures('old_protocol');
    await expect(handshake(old)).rejects.toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' });
    await expect.poll(() => failures('old_protocol')).toBe(before + 1);
  });

  it('is demanded: plain HTTP gets nothing', async () => {
    const { port } = server.client;
    const answer = await server.client.exchange(`GET /v1/health/live HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
    expect(answer).not.toContain('alive');
    expect(await failures('plain_http')).toBe(1);
  });

  it('counts clients that do not trust the certificate: somebody has to give them the authority', async () => {
    // Node looks at the certificate when the handshake is over, and says nothing to the server; OpenSSL does.
    const client = spawn(
      'openssl',
      ['s_client', '-connect', `127.0.0.1:${server.client.port}`, '-verify_return_error'],
      {
        stdio: ['ignore', 'ignore', 'ignore'],
      },
    );
    expect(await once(client, 'exit')).toEqual([1, null]);
    await expect.poll(() => failures('certificate_refused')).toBe(1);
  });

  it('survives whoever goes away in the middle of a handshake, or talks nonsense', async () => {
    for (const bytes of [
      Buffer.from([0x16, 3, 1, 2, 0, 1]),
      Buffer.alloc(600, 0xff),
      Buffer.from([0x15, 3, 3, 0, 2, 2, 40]),
    ]) {
      await server.client.exchange(bytes.toString('latin1')).catch(() => 'reset'); // either is fine
    }
    expect((await server.client.get('/v1/health/live')).status).toBe(200);
  });
});

describe('Host and Origin', () => {
  const status = async (host: string, origin?: string): Promise<number> =>
    (await server.client.request('/v1/health/live', { headers: { host, ...(origin === undefined ? {} : { origin }) } }))
      .status;

  it('take loopback, the names of the certificate and the configured ones', async () => {
    const { port } = server.client;
    for (const name of [
      '127.0.0.1',
      'localhost',
      '[::1]',
      'ingest.example.com',
      'INGEST.example.com',
      'gateway.example.com',
      '[2001:DB8:0::7]',
    ]) {
      expect(await status(`${name}:${port}`), name).toBe(200);
      expect(await status(`${name}:${port}`, `https://${name}:${port}`), name).toBe(200);
    }
    // Where a proxy maps the port, it is named, and 443 is what browsers leave out.
    expect(await status('mapped.example.com')).toBe(200);
    expect(await status('mapped.example.com', 'https://mapped.example.com')).toBe(200);
    expect(await status('mapped.example.com:443')).toBe(200);
  });

  it('refuse all others', async () => {
    const { port } = server.client;
    for (const host of [
      'ingest.example.com',
      'gateway.example.com:1',
      `mapped.example.com:${port}`,
      `x.ingest.example.com:${port}`,
      `ingest.example.com.:${port}`,
      `[2001:db8::8]:${port}`,
      'localhost',
    ])
      expect(await status(host), host).toBe(403);
    for (const origin of [
      `http://localhost:${port}`,
      'https://localhost',
      'https://ingest.example.com',
      `https://evil.example:${port}`,
      'null',
    ])
      expect(await status(`localhost:${port}`, origin), origin).toBe(403);
  });
});

describe('a new certificate', () => {
  const seen = async (agent?: Agent): Promise<string> => {
    const socket = agent === undefined ? await handshake() : undefined;
    return socket?.getPeerX509Certificate()?.fingerprint256 ?? '';
  };

  it('is used for new connections at once, and open ones go on', async () => {
    const before = await seen();
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: files.ca });
    onTestFinished(() => agent.destroy());
    const ask = async (): Promise<{ status: number | undefined; socket: TLSSocket }> => {
      const request = startRequest(`${server.client.url}/v1/health/live`, { agent }).end();
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      response.resume();
      await once(response, 'end');
      return { status: response.statusCode, socket: request.socket as TLSSocket };
    };
    const first = await ask();
    files.renew(['ingest.example.com']);
    server.server.certificates?.reload();
    const after = await seen();
    expect(after).not.toBe(before);
    const second = await ask();
    expect(second.status).toBe(200);
    expect(second.socket).toBe(first.socket);
    expect((await handshake()).getProtocol()).toBe('TLSv1.3');
    await expect(
      handshake({ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', ciphers: 'ALL:@SECLEVEL=0' }),
    ).rejects.toThrow(/protocol version/i);
    const [loaded] = server.events.filter(({ name }) => name === 'certificate_loaded').slice(-1);
    expect(loaded?.fields).toMatchObject({ fingerprint: after });
    expect(await server.metrics.value('tls_certificate_expiry_timestamp_seconds')).toBeGreaterThan(Date.now() / 1000);
  });

  it('changes the names under which the server is called', async () => {
    const host = `new.example.com:${server.client.port}`;
    const call = async (): Promise<number> =>
      (await server.client.request('/v1/health/live', { headers: { host } })).status;
    expect(await call()).toBe(403);
    files.renew(['new.example.com']);
    server.server.certificates?.reload();
    expect(await call()).toBe(200);
  });

  it('that does not fit changes nothing, and is told of', async () => {
    const before = await seen();
    const good = readCertificateFiles(files);
    const told = (): number => server.events.filter(({ name }) => name === 'certificate_refused').length;
    for (const [file, text] of [
      [files.keyFile, ''],
      [
        files.keyFile,
        generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
      ],
      [files.certificateFile, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'],
    ] as const) {
      const count = told();
      writeFileSync(file, text);
      server.server.certificates?.reload();
      expect(told()).toBe(count + 1);
      expect(await seen()).toBe(before);
      writeFileSync(files.certificateFile, good.chain);
      writeFileSync(files.keyFile, good.privateKey);
    }
    server.server.certificates?.reload();
    expect(await seen()).toBe(before);
    expect(server.log.join('')).not.toContain(good.privateKey.split('\n')[1]);
  });

  it('is found without being told of; half-replaced files make no noise', async () => {
    const own = writeCertificates(temporaryDirectory('watch'));
    const events = recordEvents();
    const current = checkCertificate(readCertificateFiles(own), own);
    const tls = createServer(secureContext(current), (_request, response) => response.end());
    const watch = new CertificateWatch({ files: own, current, server: tls, events, lookIntervalMs: 20 });
    onTestFinished(() => {
      watch.close();
      tls.close();
    });
    const texts = [readCertificateFiles(own)];
    own.renew();
    texts.push(readCertificateFiles(own));
    await expect.poll(() => watch.current.chain).toBe(texts[1]?.chain);
    expect(events.named('certificate_refused')).toEqual([]);
    writeFileSync(own.keyFile, texts[0]?.privateKey ?? '');
    await expect.poll(() => events.named('certificate_refused').length).toBe(1);
    writeFileSync(own.certificateFile, texts[0]?.chain ?? '');
    await expect.poll(() => watch.current.chain).toBe(texts[0]?.chain);
    expect(events.named('certificate_refused').length).toBe(1);
  });

  it('is announced as expiring when it is, by its date', () => {
    const own = temporaryDirectory('expiring');
    const path = (name: string): string => join(own, name);
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-days',
        '3',
        '-subj',
        '/CN=soon',
        '-keyout',
        path('key'),
        '-out',
        path('crt'),
      ],
      { stdio: 'pipe' },
    );
    const pair = { certificateFile: path('crt'), keyFile: path('key') };
    const current = checkCertificate(readCertificateFiles(pair), pair);
    const events = recordEvents();
    const watch = new CertificateWatch({ files: pair, current, server: { setSecureContext: () => undefined }, events });
    watch.reload();
    watch.close();
    expect(events.named('certificate_expiring')).toMatchObject([
      { fingerprint: new X509Certificate(current.chain).fingerprint256 },
    ]);
  });
});

describe('files that cannot be used are refused at the start, with name and remedy', () => {
  const start = (settings: Record<string, string>) => startIngestServer({ settings });

  it('not there, nothing in them, exchanged, not of each other, encrypted', async () => {
    const own = temporaryDirectory('broken');
    const pair = writeCertificates(own);
    const write = (name: string, text: string | Buffer): string => {
      writeFileSync(join(own, name), text);
      return join(own, name);
    };
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const other = write('other.key', privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const encrypted = write(
      'encrypted.key',
      privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }),
    );
    const empty = write('empty', '');
    const cases: [string, string, RegExp][] = [
      [join(own, 'nowhere.crt'), pair.keyFile, /nowhere\.crt cannot be read \(ENOENT\); name a PEM file/],
      [pair.certificateFile, join(own, 'nowhere.key'), /nowhere\.key cannot be read/],
      [empty, pair.keyFile, /empty has no certificate; name a PEM file/],
      [pair.certificateFile, empty, /empty has no private key; name a PEM file/],
      [pair.keyFile, pair.certificateFile, /server\.key has no certificate/],
      [pair.certificateFile, other, /other\.key does not belong to .*server\.crt/],
      [pair.certificateFile, encrypted, /encrypted\.key is encrypted.*without/],
      [own, pair.keyFile, /cannot be read \(EISDIR\)/],
    ];
    for (const [certificateFile, keyFile, message] of cases) {
      const started = start({ 'http.tls.certificateFile': certificateFile, 'http.tls.keyFile': keyFile });
      await expect(started, message.source).rejects.toMatchObject({ code: 'certificate_unusable' });
      await expect(started).rejects.toThrow(message);
    }
  });

  it('one without the other is a wrong configuration', () => {
    const load = () => loadConfig({ environment: { DOWNHOLE_HTTP_TLS_KEY_FILE: 'x' } });
    expect(load).toThrow(/http\.tls\.certificateFile and http\.tls\.keyFile belong together/);
  });
});
