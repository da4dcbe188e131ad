/** Who gets in with which key, over real sockets and a real database. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { FastifyPluginAsync } from 'fastify';
import { newApiKeyText } from '../../src/ingest/keys/api-key.js';
import { revokeKey } from '../../src/ingest/keys/key-table.js';
import { startIngestServer } from '../support/ingest-server.js';
import { startKeyedServer, type KeyedServer } from '../support/keyed-server.js';

const GOOD = { device_id: 'ESP-1', timestamp: '2026-01-01T00:00:00Z', temperature: 80 };

/** A route that says nothing of its scope. */
const undeclared: FastifyPluginAsync = async (app) => {
  app.get('/undeclared', { schema: { hide: true } }, async () => 'here');
};

let server: KeyedServer;
beforeAll(async () => {
  server = await startKeyedServer({ routes: [undeclared] });
});
afterAll(() => server.close());

const errorCode = (answer: { json<T>(): T }): string => answer.json<{ error: { code: string } }>().error.code;
const idOf = (key: string): string => key.split('_')[1] as string;

describe('a key', () => {
  it('lets in, and is the source of what it sends', async () => {
    const key = await server.makeKey({ scopes: ['write'] });
    expect((await server.ask(key, '/v1/telemetry', GOOD)).status).toBe(202);
    const [delivery] = await server.drain();
    expect(delivery?.headers.source).toBe(`key:${idOf(key)}`);
  });

  it('may be written with any case of the scheme, and further spaces', async () => {
    const key = await server.makeKey({ scopes: ['read'] });
    for (const authorization of [`bearer ${key}`, `BEARER   ${key}`, `Bearer ${key}  `]) {
      const answer = await server.client.request('/v1/health', { headers: { authorization } });
      expect(answer.status, authorization).toBe(200);
    }
  });

  it('is asked for: without one nobody gets in, and hears how', async () => {
    const answer = await server.ask(undefined, '/v1/telemetry', GOOD);
    expect([answer.status, errorCode(answer)]).toEqual([401, 'missing_key']);
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="downhole"');
    expect(answer.text).toContain('downhole keys create');
    expect(answer.headers['set-cookie']).toBeUndefined();
  });

  it('that is wrong, unknown, revoked or expired is refused, all in the same words', async () => {
    const good = await server.makeKey({ scopes: ['write'] });
    const revoked = await server.makeKey({ scopes: ['write'] });
    await revokeKey(server.database, idOf(revoked), 'cli:test');
    await server.keys.refreshAfterChange();
    const expiresMs = Date.now() + 3_600_000;
    const expired = await server.makeKey({ scopes: ['write'], expiresAtUs: expiresMs * 1000 });
    expect((await server.ask(expired, '/v1/telemetry', GOOD)).status).toBe(202);
    server.setNow(expiresMs);
    const [a, b] = [good.at(-1) === 'A' ? 'B' : 'A', good.slice(0, -1)];
    const texts: string[] = [];
    for (const key of [b + a, newApiKeyText().text, revoked, expired]) {
      const answer = await server.ask(key, '/v1/telemetry', GOOD);
      expect([answer.status, errorCode(answer)], key).toEqual([401, 'invalid_key']);
      expect(answer.headers['www-authenticate']).toBeDefined();
      texts.push(answer.text);
    }
    expect(new Set(texts).size).toBe(1);
    server.setNow(Date.now());
    const reasons = server.events.filter(({ name }) => name === 'auth_failed').map(({ fields }) => fields);
    expect(reasons.slice(-4)).toMatchObject([
      { reason: 'wrong_secret', keyId: idOf(good) },
      { reason: 'unknown_key' },
      { reason: 'unknown_key', keyId: idOf(revoked) },
      { reason: 'expired_key', keyId: idOf(expired) },
    ]);
  });

  it('is nothing but a key: odd Authorization headers are refused and break nothing', async () => {
    const key = await server.makeKey({ scopes: ['write', 'read', 'admin'] });
    const odd = [
      '',
      'Bearer',
      'Bearer ',
      key,
      `Basic ${Buffer.from(`user:${key}`).toString('base64')}`,
      `Token ${key}`,
      `Bearer ${key}x`,
      `Bearer ${key.slice(0, -1)}`,
      `Bearer x${key}`,
      `Bearer ${key} ${key}`,
      `Bearer ${key},${key}`,
      `Bearer\t${key}`,
      `Bearer ${key.toUpperCase()}`,
      `Bearer dh__${key}`,
      `Bearer dh_${'a'.repeat(33)}_${'b'.repeat(43)}`,
      `Bearer ${'A'.repeat(12_000)}`,
      `Bearer dh_constructor_${'b'.repeat(43)}`,
      `Bearer dh_tostring_${'b'.repeat(43)}`,
      'Bearer \u00e4\u00f6\u00fc',
    ];
    for (const authorization of odd) {
      const answer = await server.client.request('/v1/health', { headers: { authorization } });
      expect(answer.status, authorization).toBe(401);
    }
  });

  it('cannot be smuggled in: not by the URL, not by another header, not by a second Authorization', async () => {
    const key = await server.makeKey({ scopes: ['read'] });
    const { port } = server.client;
    for (const path of [`/v1/health?key=${key}`, `/v1/health?access_token=${key}`])
      expect((await server.client.get(path)).status).toBe(401);
    for (const name of ['x-api-key', 'proxy-authorization', 'x-authorization'])
      expect((await server.client.request('/v1/health', { headers: { [name]: `Bearer ${key}` } })).status).toBe(401);
    const head = `GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n`;
    const twice = await server.client.exchange(`${head}Authorization: Basic x\r\nAuthorization: Bearer ${key}\r\n\r\n`);
    expect(twice).toMatch(/^HTTP\/1\.1 401 /);
    const folded = await server.client.exchange(`${head}X: y\r\n Authorization: Bearer ${key}\r\n\r\n`);
    expect(folded).toMatch(/^HTTP\/1\.1 40[01] /);
    const bare = await server.client.exchange(`${head}X: y\rAuthorization: Bearer ${key}\r\n\r\n`);
    expect(bare).toMatch(/^HTTP\/1\.1 40[01] /);
  });

  it('is asked for before a body is looked at, and whoever is still sending one hears of it', async () => {
    const answer = await server.ask(undefined, '/v1/telemetry', ' '.repeat(16_000_000));
    expect([answer.status, errorCode(answer)]).toEqual([401, 'missing_key']);
  });

  it('works at once when it is new, although this server has not heard of it', async () => {
    const key = await server.makeKey({ scopes: ['write'] });
    const { text, id, secretHash } = newApiKeyText();
    await server.database.execute(
      `INSERT INTO api_keys (id, name, secret_hash, scopes, created_by) VALUES ($1, 'x', $2, '{write}', 'test')`,
      [id, secretHash],
    );
    // The look is shared and bounded in time, so that the first answer may still be of the last one.
    await expect.poll(async () => (await server.ask(text, '/v1/telemetry', GOOD)).status).toBe(202);
    expect((await server.ask(key, '/v1/telemetry', GOOD)).status).toBe(202);
  });

  it('leaves in the table when it was last used, and never moves that back', async () => {
    const key = await server.makeKey({ scopes: ['write'] });
    await server.ask(key, '/v1/telemetry', GOOD);
    const before = Date.now();
    await server.keys.noteUses();
    const lastUse = async (): Promise<string> => {
      const [row] = await server.database.query('SELECT last_used_at FROM api_keys WHERE id = $1', [idOf(key)]);
      return row?.['last_used_at'] as string;
    };
    const noted = await lastUse();
    expect(Math.abs(Date.parse(noted) - before)).toBeLessThan(60_000);
    await server.database.execute(`UPDATE api_keys SET last_used_at = '2100-01-01Z' WHERE id = $1`, [idOf(key)]);
    await server.ask(key, '/v1/telemetry', GOOD);
    await server.keys.noteUses();
    expect(await lastUse()).toMatch(/^2100-01-01/);
  });

  it('stands neither in the log nor in the metrics nor in the table', async () => {
    const key = await server.makeKey({ scopes: ['write', 'admin'] });
    const secret = key.split('_').slice(2).join('_');
    await server.ask(key, '/v1/telemetry', GOOD);
    await server.ask(`${key}x`, '/v1/telemetry', GOOD);
    await server.ask(key, `/v1/${key}`);
    await server.ask(key, '/v1/holds', { key });
    await server.ask(key, '/v1/telemetry', `{"device_id": "${key}`);
    const created = await server.ask(key, '/v1/keys', { name: 'other', scopes: ['read'] });
    expect(created.status).toBe(201);
    const other = created.json<{ key: string }>().key;
    await server.ask(other, '/v1/health');
    const metrics = (await server.ask(key, '/metrics')).text;
    expect(metrics).toContain('http_auth_failures_total');
    const rows = await server.database.query(
      'SELECT k::text FROM api_keys k UNION ALL SELECT a::text FROM audit_log a',
    );
    const everything = [server.log.join('\n'), metrics, JSON.stringify(rows)].join('\n');
    expect(server.log.length).toBeGreaterThan(0);
    expect(everything).not.toContain(secret);
    expect(everything).not.toContain(other.split('_').slice(2).join('_'));
  });
});

describe('scopes', () => {
  const ALLOWED: Record<string, readonly string[]> = {
    public: ['none', 'write', 'read', 'admin'],
    write: ['write'],
    read: ['read', 'admin'],
    admin: ['admin'],
  };

  it('are declared by every route', () => {
    const scopes = new Map(server.server.routeScopes());
    for (const method of ['GET', 'HEAD']) {
      expect(scopes.has(`${method} /undeclared`)).toBe(true);
      scopes.delete(`${method} /undeclared`);
    }
    expect(scopes.size).toBeGreaterThan(25);
    expect([...scopes].filter(([, scope]) => scope === undefined)).toEqual([]);
  });

  it('decide on every route and method', async () => {
    const keys: Record<string, string | undefined> = {
      none: undefined,
      write: await server.makeKey({ scopes: ['write'] }),
      read: await server.makeKey({ scopes: ['read'] }),
      admin: await server.makeKey({ scopes: ['admin'] }),
    };
    const judged: string[] = [];
    for (const [route, scope = 'admin'] of server.server.routeScopes()) {
      const [method = '', url = ''] = route.split(' ');
      const path = url.replace(/:\w+|\*/g, 'x');
      for (const [name, key] of Object.entries(keys)) {
        const body = method === 'POST' ? GOOD : undefined;
        const { status } = await server.ask(key, path, body, method);
        const expected = ALLOWED[scope]?.includes(name) === true ? 'in' : name === 'none' ? 401 : 403;
        expect([401, 403].includes(status) ? status : 'in', `${route} with ${name} (${status})`).toBe(expected);
        judged.push(`${route} ${name}`);
      }
    }
    expect(judged.length).toBeGreaterThan(100);
  });

  it('say what is missing, and the refusal is counted', async () => {
    const key = await server.makeKey({ scopes: ['write'] });
    const answer = await server.ask(key, '/v1/devices');
    expect([answer.status, errorCode(answer)]).toEqual([403, 'forbidden_scope']);
    expect(answer.text).toContain('scope read');
    expect(await server.metrics.value('http_auth_failures_total', { reason: 'scope' })).toBeGreaterThan(0);
  });

  it('hide the details of readiness from those who may not read', async () => {
    const key = await server.makeKey({ scopes: ['read'] });
    expect((await server.ask(undefined, '/v1/health/ready')).json()).toEqual({ status: 'ready' });
    expect((await server.ask('nonsense', '/v1/health/ready')).json()).toEqual({ status: 'ready' });
    expect((await server.ask(key, '/v1/health/ready')).json()).toHaveProperty('checks');
    expect((await server.ask(undefined, '/v1/health/live')).status).toBe(200);
  });

  it('leave paths that do not exist to everybody', async () => {
    expect((await server.ask(undefined, '/nowhere')).status).toBe(404);
    expect((await server.ask(undefined, '/v1/holds', undefined, 'PATCH')).status).toBe(405);
  });
});

describe('without http.requireKeys', () => {
  it('nobody is asked for a key, and one that is shown is not looked at', async () => {
    const open = await startIngestServer({ database: server.database });
    try {
      expect((await open.client.post('/v1/telemetry', GOOD)).status).toBe(202);
      expect((await open.client.post('/v1/telemetry', GOOD, { authorization: 'Bearer x' })).status).toBe(202);
      expect((await open.client.get('/v1/keys')).status).toBe(200);
      const created = await open.client.post('/v1/keys', { name: 'first', scopes: ['admin'] });
      expect(created.json()).toMatchObject({ created_by: 'http:127.0.0.1' });
      expect((await open.client.post('/v1/session', { key: 'x' })).status).toBe(400);
    } finally {
      await open.close();
    }
  });
});

describe('while the database is away', () => {
  it('known keys let in, and nobody says of an unknown one that it is wrong', async () => {
    const key = await server.makeKey({ scopes: ['write', 'read'] });
    await server.postgres.stop();
    try {
      await server.keys.refresh();
      expect((await server.ask(key, '/v1/telemetry', GOOD)).status).toBe(202);
      // What is not known may have been made elsewhere: the sender keeps its records and comes again.
      await expect.poll(async () => (await server.ask(newApiKeyText().text, '/v1/telemetry', GOOD)).status).toBe(503);
      const unknown = await server.ask(newApiKeyText().text, '/v1/telemetry', GOOD);
      expect([unknown.status, errorCode(unknown)]).toEqual([503, 'keys_unavailable']);
      expect(unknown.headers['retry-after']).toBeDefined();
      expect((await server.ask(`${key.slice(0, -8)}AAAAAAAA`, '/v1/telemetry', GOOD)).status).toBe(401);
      await server.keys.noteUses();
      expect(server.ringEvents.named('keys_stale').length).toBeGreaterThan(0);
    } finally {
      await server.postgres.restart();
    }
    await server.keys.refresh();
    await server.keys.noteUses();
    const [row] = await server.database.query('SELECT last_used_at FROM api_keys WHERE id = $1', [idOf(key)]);
    expect(row?.['last_used_at']).not.toBeNull();
    await expect.poll(async () => (await server.ask(newApiKeyText().text, '/v1/telemetry', GOOD)).status).toBe(401);
  });

  it('they let in for a time only: what was revoked meanwhile must not go on for ever', async () => {
    const impatient = await startKeyedServer({ trustMs: 1000 });
    onTestFinished(() => impatient.close());
    const key = await impatient.makeKey({ scopes: ['write'] });
    expect((await impatient.ask(key, '/v1/telemetry', GOOD)).status).toBe(202);
    await impatient.postgres.stop();
    await expect.poll(async () => (await impatient.ask(key, '/v1/telemetry', GOOD)).status).toBe(503);
    expect(impatient.keys.health()).toMatchObject({ ok: false });
    await impatient.postgres.restart();
    await expect.poll(async () => (await impatient.ask(key, '/v1/telemetry', GOOD)).status).toBe(202);
    expect(impatient.keys.health()).toMatchObject({ ok: true });
  });
});
