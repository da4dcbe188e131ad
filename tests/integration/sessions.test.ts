/** Signing in at the page: what the cookie is, what it lets do, and what no other page can do with it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newApiKeyText } from '../../src/ingest/keys/api-key.js';
import { revokeKey } from '../../src/ingest/keys/key-table.js';
import type { Answer } from '../support/client.js';
import { writeCertificates } from '../support/certificates.js';
import { startIngestServer } from '../support/ingest-server.js';
import { startKeyedServer, type KeyedServer } from '../support/keyed-server.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

let server: KeyedServer;
beforeAll(async () => {
  server = await startKeyedServer();
});
afterAll(() => server.close());

const HOUR_MS = 3_600_000;
const JSON_TYPE = { 'content-type': 'application/json' };
const errorCode = (answer: Answer): string => answer.json<{ error: { code: string } }>().error.code;
const idOf = (key: string): string => key.split('_')[1] as string;
const cookieOf = (answer: Answer): string => String(answer.headers['set-cookie']).split(';', 1)[0] as string;

const signIn = (key: string, headers: Record<string, string> = {}): Promise<Answer> =>
  server.client.request('/v1/session', {
    method: 'POST',
    headers: { ...JSON_TYPE, ...headers },
    body: JSON.stringify({ key }),
  });

/** The header `Cookie` of somebody who has signed in with a new key. */
async function sessionOf(...scopes: ('write' | 'read' | 'admin')[]): Promise<{ cookie: string; key: string }> {
  const key = await server.makeKey({ scopes });
  return { cookie: cookieOf(await signIn(key)), key };
}

const ownOrigin = (): string => `http://127.0.0.1:${server.client.port}`;

describe('the cookie', () => {
  it('opens what the key opens, hides from scripts and stays within the site', async () => {
    const key = await server.makeKey({ scopes: ['read'] });
    const answer = await signIn(key);
    expect(answer.json()).toEqual({
      keys_required: true,
      signed_in: true,
      actor: `key:${idOf(key)}`,
      scopes: ['read'],
    });
    expect(answer.headers['cache-control']).toBe('no-store');
    const [pair, ...attributes] = String(answer.headers['set-cookie']).split('; ');
    // Over plain HTTP, which is for this machine only, browsers would refuse it with Secure.
    expect(pair).toMatch(/^downhole-session=[\w-]{43}$/);
    expect(attributes.toSorted()).toEqual(['HttpOnly', 'Max-Age=43200', 'Path=/', 'SameSite=Strict']);
    const cookie = cookieOf(answer);
    expect((await server.client.request('/v1/devices', { headers: { cookie } })).status).toBe(200);
    expect((await server.client.request('/v1/keys', { headers: { cookie } })).status).toBe(403);
    const who = await server.client.request('/v1/session', { headers: { cookie: `a=b; ${cookie}; c` } });
    expect(who.json()).toMatchObject({ signed_in: true, scopes: ['read'] });
  });

  it('over TLS is bound to this host and to TLS', async () => {
    const files = writeCertificates(temporaryDirectory('session-tls'));
    const { database, keys } = server;
    const secure = await startIngestServer({
      database,
      keys,
      ca: files.ca,
      settings: { ...files.settings, 'http.requireKeys': true },
    });
    try {
      const answer = await secure.client.post('/v1/session', { key: await server.makeKey({ scopes: ['read'] }) });
      const [pair, ...attributes] = String(answer.headers['set-cookie']).split('; ');
      expect(pair).toMatch(/^__Host-downhole=[\w-]{43}$/);
      expect(attributes.toSorted()).toEqual(['HttpOnly', 'Max-Age=43200', 'Path=/', 'SameSite=Strict', 'Secure']);
      const cookie = cookieOf(answer);
      expect((await secure.client.request('/v1/health', { headers: { cookie } })).status).toBe(200);
      const plain = cookie.replace('__Host-downhole', 'downhole-session');
      expect((await secure.client.request('/v1/health', { headers: { cookie: plain } })).status).toBe(401);
    } finally {
      await secure.close();
    }
  });

  it('ends with its session, its key and its time, and then nobody is signed in', async () => {
    const ask = (cookie: string): Promise<Answer> => server.client.request('/v1/devices', { headers: { cookie } });
    const left = await sessionOf('read');
    const headers = { cookie: left.cookie, origin: ownOrigin() };
    const signedOut = await server.client.request('/v1/session', { method: 'DELETE', headers });
    expect(signedOut.json()).toEqual({ keys_required: true, signed_in: false, actor: null, scopes: [] });
    expect(String(signedOut.headers['set-cookie'])).toMatch(/^downhole-session=; Max-Age=0; /);
    expect(errorCode(await ask(left.cookie))).toBe('missing_key');

    const revoked = await sessionOf('read');
    await revokeKey(server.database, idOf(revoked.key), 'cli:test');
    await server.keys.refreshAfterChange();
    expect(errorCode(await ask(revoked.cookie))).toBe('invalid_key');

    const old = await sessionOf('read');
    expect((await ask(old.cookie)).status).toBe(200);
    server.setNow(Date.now() + 12 * HOUR_MS);
    expect(errorCode(await ask(old.cookie))).toBe('missing_key');
    server.setNow(Date.now());

    for (const { cookie } of [left, revoked, old]) {
      const who = await server.client.request('/v1/session', { headers: { cookie } });
      expect(who.json()).toEqual({ keys_required: true, signed_in: false, actor: null, scopes: [] });
    }
  });

  it('of an earlier session ends when its owner signs in again', async () => {
    const { cookie, key } = await sessionOf('read');
    const again = await signIn(key, { cookie, origin: ownOrigin() });
    expect(again.status).toBe(200);
    expect(cookieOf(again)).not.toBe(cookie);
    expect((await server.client.request('/v1/devices', { headers: { cookie } })).status).toBe(401);
  });

  it('is none when it is made up', async () => {
    const odd = ['', '=', 'x', 'constructor', '__proto__', 'A'.repeat(43), 'A'.repeat(8000), '"', '%00'];
    for (const value of odd) {
      const cookie = `downhole-session=${value}`;
      const { status } = await server.client.request('/v1/devices', { headers: { cookie } });
      expect(status, value).toBe(401);
    }
  });
});

describe('signing in', () => {
  it('is refused with what is no key, a wrong one, or one that may not read', async () => {
    const writer = await server.makeKey({ scopes: ['write'] });
    const reader = await server.makeKey({ scopes: ['read'] });
    const wrong = reader.slice(0, -8) + (reader.endsWith('AAAAAAAA') ? 'BBBBBBBB' : 'AAAAAAAA');
    const cases: [unknown, number, string][] = [
      ['nonsense', 401, 'invalid_key'],
      [newApiKeyText().text, 401, 'invalid_key'],
      [wrong, 401, 'invalid_key'],
      [writer, 403, 'forbidden_scope'],
      ['', 400, 'invalid_request'],
      ['x'.repeat(257), 400, 'invalid_request'],
      [7, 400, 'invalid_request'],
      [null, 400, 'invalid_request'],
    ];
    for (const [key, status, code] of cases) {
      const answer = await server.client.post('/v1/session', { key });
      expect([answer.status, errorCode(answer)], String(key)).toEqual([status, code]);
      expect(answer.headers['set-cookie']).toBeUndefined();
    }
  });

  it('is slowed down by address: whoever keeps trying hears when to come again, even with a key that is right', async () => {
    const { database, keys } = server;
    const other = await startIngestServer({ database, keys, settings: { 'http.requireKeys': true } });
    try {
      const key = await server.makeKey({ scopes: ['read'] });
      let answer = await other.client.post('/v1/session', { key: newApiKeyText().text });
      for (let tries = 1; tries < 500 && answer.status === 401; tries++)
        answer = await other.client.post('/v1/session', { key: newApiKeyText().text });
      expect([answer.status, errorCode(answer)]).toEqual([429, 'rate_limited']);
      expect(answer.headers['retry-after']).toMatch(/^[1-3]$/);
      expect(await other.metrics.value('http_rate_limited_total', { limit: 'sign_ins' })).toBeGreaterThan(0);
      // Programs with a key in their header are not held up by it.
      const headers = { authorization: `Bearer ${key}` };
      expect((await other.client.request('/v1/health', { headers })).status).toBe(200);
    } finally {
      await other.close();
    }
  });

  it('cannot be brought about by a page of another origin, nor by a form', async () => {
    const key = await server.makeKey({ scopes: ['read'] });
    for (const origin of ['http://evil.example', 'null', `http://127.0.0.1:${server.client.port + 1}`]) {
      const answer = await signIn(key, { origin });
      expect([answer.status, errorCode(answer)], origin).toEqual([403, 'forbidden_origin']);
    }
    for (const site of ['cross-site', 'same-site', 'none']) {
      const answer = await signIn(key, { 'sec-fetch-site': site });
      expect([answer.status, errorCode(answer)], site).toEqual([403, 'forbidden_origin']);
      expect(answer.headers['set-cookie']).toBeUndefined();
    }
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
      const headers = { 'content-type': type, origin: ownOrigin() };
      const answer = await server.client.request('/v1/session', {
        method: 'POST',
        headers,
        body: JSON.stringify({ key }),
      });
      expect(answer.status, type).toBe(415);
    }
  });
});

describe('with the cookie', () => {
  it('only a page of this server changes anything: every route that does asks for the proof', async () => {
    const { cookie } = await sessionOf('write', 'read', 'admin');
    const proofs: [Record<string, string>, boolean][] = [
      [{}, false],
      [{ 'sec-fetch-site': 'cross-site' }, false],
      [{ 'sec-fetch-site': 'same-site' }, false],
      [{ 'sec-fetch-site': 'none' }, false],
      [{ origin: 'null' }, false],
      [{ origin: 'http://evil.example', 'sec-fetch-site': 'same-origin' }, false],
      // Another port of the same host is the same site to SameSite, and another origin here.
      [{ origin: `http://127.0.0.1:${server.client.port + 1}` }, false],
      [{ origin: `https://127.0.0.1:${server.client.port}` }, false],
      [{ origin: ownOrigin(), 'sec-fetch-site': 'same-site' }, false],
      [{ origin: ownOrigin() }, true],
      [{ 'sec-fetch-site': 'same-origin' }, true],
      [{ origin: ownOrigin(), 'sec-fetch-site': 'same-origin' }, true],
    ];
    const judged: string[] = [];
    for (const [route] of server.server.routeScopes()) {
      const [method = '', url = ''] = route.split(' ');
      // What signs out would end the session that the others are asked with.
      if (['GET', 'HEAD'].includes(method) || route === 'DELETE /v1/session') continue;
      for (const [proof, isGood] of proofs) {
        const answer = await server.client.request(url.replace(/:\w+/g, 'abcdefgh'), {
          method,
          headers: { cookie, ...JSON_TYPE, ...proof },
          body: method === 'POST' ? '{"nothing":"to do"}' : undefined,
        });
        const refused = answer.status === 403 && errorCode(answer) === 'forbidden_origin';
        expect(refused, `${route} ${JSON.stringify(proof)} ${answer.status}`).toBe(!isGood);
        judged.push(route);
      }
    }
    expect(new Set(judged).size).toBeGreaterThan(6);
    const signOut = await server.client.request('/v1/session', { method: 'DELETE', headers: { cookie } });
    expect(errorCode(signOut)).toBe('forbidden_origin');
    expect((await server.client.request('/v1/devices', { headers: { cookie } })).status).toBe(200);
  });

  it('what is refused is counted, and a key in the header needs no proof', async () => {
    const { cookie, key } = await sessionOf('admin');
    const headers = { cookie, ...JSON_TYPE };
    const before = await server.metrics.value('http_auth_failures_total', { reason: 'cross_site' });
    const body = JSON.stringify({ ids: ['abcdef'] });
    const refused = await server.client.request('/v1/dead-letters/purge', { method: 'POST', headers, body });
    expect(errorCode(refused)).toBe('forbidden_origin');
    expect(await server.metrics.value('http_auth_failures_total', { reason: 'cross_site' })).toBe(before + 1);
    expect((await server.ask(key, '/v1/dead-letters/purge', { ids: ['abcdef'] })).status).toBe(404);
  });
});

it('the key and the token stand neither in the log nor in an answer', async () => {
  const { cookie, key } = await sessionOf('read');
  await server.client.request('/v1/devices', { headers: { cookie } });
  await signIn(`${key}x`);
  const log = server.log.join('\n');
  expect(log).not.toContain(key.split('_').slice(2).join('_'));
  expect(log).not.toContain(cookie.split('=')[1] as string);
});
