/** Who gets in, and how the server behaves towards those who speak HTTP badly or hold connections. */
import { connect } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load-config.js';
import { isLoopback } from '../../src/ingest/own-names.js';
import { refusePublicBind } from '../../src/ingest/request-guards.js';
import { startIngestServer, type IngestServer } from '../support/ingest-server.js';

let ingest: IngestServer;
beforeAll(async () => {
  ingest = await startIngestServer({ settings: { 'http.requestTimeoutMs': 500, 'http.maxConnections': 20 } });
});
afterAll(() => ingest.close());

const GOOD = '{"device_id":"ESP-1","timestamp":"2026-01-01T00:00:00Z","temperature":80}';
const TYPE = { 'content-type': 'application/json' };

describe('where it listens', () => {
  it.each(['127.0.0.1', '127.1.2.3', '::1', 'localhost', 'LOCALHOST', '::ffff:127.0.0.1'])('%s is loopback', (host) => {
    expect(isLoopback(host)).toBe(true);
    expect(() => refusePublicBind(host, { tls: false, requireKeys: false })).not.toThrow();
  });

  it.each(['0.0.0.0', '::', '', '10.0.0.1', 'localhost.evil.example', '127.0.0.1.evil.example', '128.0.0.1', '*'])(
    '%s is refused without keys or without TLS, with the remedy',
    (host) => {
      const bind = (tls: boolean, requireKeys: boolean) => () => refusePublicBind(host, { tls, requireKeys });
      for (const [tls, requireKeys] of [
        [false, false],
        [true, false],
        [false, true],
      ] as const) {
        expect(bind(tls, requireKeys)).toThrow(expect.objectContaining({ code: 'refused_bind' }));
        expect(bind(tls, requireKeys)).toThrow('set http.host to 127.0.0.1');
      }
      expect(bind(false, true)).toThrow('http.tls.certificateFile');
      expect(bind(false, true)).not.toThrow('http.requireKeys');
      expect(bind(true, false)).toThrow('http.requireKeys');
      expect(bind(true, true)).not.toThrow();
    },
  );

  it('refuses at start', async () => {
    await expect(startIngestServer({ settings: { 'http.host': '0.0.0.0' } })).rejects.toMatchObject({
      code: 'refused_bind',
    });
  });

  it('names the port that is in use and what to do', async () => {
    const { port } = ingest.client;
    const started = startIngestServer({ settings: { 'http.port': port } });
    await expect(started).rejects.toMatchObject({ code: 'port_in_use' });
    await expect(started).rejects.toThrow(new RegExp(`port ${port} .*DOWNHOLE_HTTP_PORT`));
  });

  it('listens on loopback unless told otherwise', () => {
    expect(loadConfig({ environment: {} }).http.host).toBe('127.0.0.1');
  });
});

describe('Host and Origin', () => {
  const send = (headers: Record<string, string>) =>
    ingest.client.request('/v1/telemetry', { method: 'POST', headers: { ...TYPE, ...headers }, body: GOOD });

  it('takes its own names', async () => {
    const { port } = ingest.client;
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `LocalHost:${port}`, `[::1]:${port}`]) {
      expect((await send({ host })).status, host).toBe(202);
      expect((await send({ host, origin: `http://${host}` })).status, host).toBe(202);
    }
  });

  it('refuses every other Host: a name that was made to point here', async () => {
    const { port } = ingest.client;
    const hosts = [
      'evil.example',
      `evil.example:${port}`,
      '127.0.0.1',
      `127.0.0.1:${port + 1}`,
      `127.0.0.1.evil.example:${port}`,
      `127.0.0.1:${port}@evil.example`,
      `localhost.:${port}`,
      `10.0.0.1:${port}`,
    ];
    for (const host of hosts) {
      const answer = await send({ host });
      expect([answer.status, answer.json()], host).toMatchObject([403, { error: { code: 'forbidden_host' } }]);
    }
    const close = 'Connection: close\r\n\r\n';
    expect(await ingest.client.exchange(`GET / HTTP/1.1\r\nHost:\r\n${close}`)).toMatch(/^HTTP\/1\.1 403 /);
    expect(await ingest.client.exchange(`GET / HTTP/1.1\r\n${close}`)).toMatch(/^HTTP\/1\.1 400 /);
    expect(await ingest.client.exchange(`GET / HTTP/1.0\r\n\r\n`)).toMatch(/^HTTP\/1\.1 403 /);
  });

  it('refuses pages of other origins, whatever they ask for', async () => {
    const { port } = ingest.client;
    const origins = [
      'http://evil.example',
      'null',
      '',
      `https://127.0.0.1:${port}`,
      `http://127.0.0.1:${port + 1}`,
      'http://localhost',
      `http://evil.example:${port}`,
    ];
    for (const origin of origins) {
      const posted = await send({ origin });
      expect([posted.status, posted.json()], origin).toMatchObject([403, { error: { code: 'forbidden_origin' } }]);
      const read = await ingest.client.request('/v1/health/live', { headers: { origin } });
      expect(read.status, origin).toBe(403);
    }
    const preflight = await ingest.client.request('/v1/telemetry', {
      method: 'OPTIONS',
      headers: { origin: 'http://evil.example', 'access-control-request-method': 'POST' },
    });
    expect(preflight.headers['access-control-allow-origin']).toBeUndefined();
    expect(preflight.status).toBe(403);
  });

  it('sends security headers and a request id with every answer, errors too', async () => {
    for (const path of ['/v1/health/live', '/nowhere', '/v1/telemetry', '/v1/devices/%zz']) {
      const { headers } = await ingest.client.get(path);
      expect(headers['content-security-policy'], path).toContain("default-src 'self'");
      expect(headers['content-security-policy'], path).toContain("frame-ancestors 'none'");
      expect(headers['x-content-type-options'], path).toBe('nosniff');
      expect(headers['referrer-policy'], path).toBe('no-referrer');
      expect(headers['x-powered-by'], path).toBeUndefined();
    }
    const ids = await Promise.all(
      [1, 2].map(async () => (await ingest.client.get('/nowhere')).headers['x-request-id']),
    );
    expect(new Set(ids).size).toBe(2);
  });
});

describe('broken HTTP', () => {
  const errorOf = (answer: string): unknown => JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4));

  it('answers what is not HTTP', async () => {
    const answer = await ingest.client.exchange('HELO there\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(errorOf(answer)).toMatchObject({ error: { code: 'malformed_request' } });
  });

  it('refuses headers beyond the bound', async () => {
    const { port } = ingest.client;
    const answer = await ingest.client.exchange(
      `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
    expect(errorOf(answer)).toMatchObject({ error: { code: 'headers_too_large' } });
  });

  it('refuses two lengths, the way requests are smuggled', async () => {
    const { port } = ingest.client;
    const answer = await ingest.client.exchange(
      `POST /v1/telemetry HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('refuses a path that cannot be decoded', async () => {
    const answer = await ingest.client.get('/v1/devices/%zz');
    expect([answer.status, answer.json()]).toMatchObject([400, { error: { code: 'malformed_url' } }]);
  });

  it('ends a request that does not arrive in time', async () => {
    const { port } = ingest.client;
    const answer = await ingest.client.exchange(
      `POST /v1/telemetry HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(errorOf(answer)).toMatchObject({ error: { code: 'request_timeout' } });
  });

  it('survives a sender that goes away in the middle', async () => {
    const { port } = ingest.client;
    for (const [declared, sent] of [
      [100, '{"device_id"'],
      [50_000_000, 'x'.repeat(100_000)],
    ] as const) {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined); // the reset is the point
      const head = `POST /v1/telemetry HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\n`;
      socket.write(`${head}Content-Length: ${declared}\r\n\r\n${sent}`, () => socket.resetAndDestroy());
      await once(socket, 'close');
    }
    expect((await ingest.client.post('/v1/telemetry', GOOD)).status).toBe(202);
  });

  it('closes connections beyond the bound and serves again when some have gone', async () => {
    const { port } = ingest.client;
    const sockets = Array.from({ length: 30 }, () => connect(port, '127.0.0.1'));
    for (const socket of sockets) socket.on('error', () => undefined); // refused ones may be reset
    await Promise.any(sockets.map((socket) => once(socket, 'end')));
    const closed = sockets.map((socket) => once(socket, 'close'));
    for (const socket of sockets) socket.destroy();
    await Promise.all(closed);
    let status = 0;
    for (let attempt = 0; attempt < 50 && status !== 202; attempt++) {
      try {
        status = (await ingest.client.post('/v1/telemetry', GOOD)).status;
      } catch (error) {
        // The server may not have seen the last of them go.
        if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error;
      }
    }
    expect(status).toBe(202);
  });
});

describe('stopping', () => {
  it('finishes the requests under way and closes idle connections', async () => {
    const other = await startIngestServer();
    const idle = connect(other.client.port, '127.0.0.1');
    await once(idle, 'connect');
    idle.write(`GET /v1/health/live HTTP/1.1\r\nHost: 127.0.0.1:${other.client.port}\r\n\r\n`);
    await once(idle, 'data');
    const underWay = other.client.post('/v1/telemetry', GOOD);
    await other.client.get('/v1/health/live');
    await other.close();
    expect((await underWay).status).toBe(202);
    if (!idle.closed) await once(idle, 'close');
  });
});
