/** `/v1/dead-letters` over HTTP: what it answers, what it refuses, and who is written down. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startConsoleServer, type ConsoleServer } from '../support/console-server.js';

let server: ConsoleServer;

beforeAll(async () => {
  server = await startConsoleServer();
}, 60_000);
afterAll(() => server.close());

async function call(method: string, path: string, body?: object) {
  const response = await fetch(server.url + path, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

it('lists, groups, shows, replays and purges', async () => {
  const at = new Date(Date.now() - 60_000).toISOString();
  for (const [index, original] of [`{"device_id":"esp-1","timestamp":"${at}","temperature":80}`, 'garbage'].entries())
    await server.database.execute(
      `INSERT INTO dead_letters (id, code, error, original) VALUES (repeat($1, 64), 'future_timestamp', 'why', convert_to($2, 'UTF8'))`,
      [String(index), original],
    );
  const list = await call('GET', '/v1/dead-letters?limit=1');
  expect(list).toMatchObject({
    status: 200,
    body: { letters: [{ id: '1'.repeat(64) }], next: expect.any(String) as string },
  });
  const next = await call('GET', `/v1/dead-letters?limit=1&after=${String(list.body['next'])}`);
  expect(next.body).toMatchObject({ letters: [{ id: '0'.repeat(64) }], next: null });
  expect((await call('GET', '/v1/dead-letters/groups')).body).toMatchObject({ groups: [{ letters: 2 }] });
  expect((await call('GET', '/v1/dead-letters/111111')).body).toMatchObject({
    letter: { original: { data: 'garbage' } },
  });
  const replayed = await call('POST', '/v1/dead-letters/replay', { all: true });
  expect(replayed.body).toMatchObject({ letters: [{ outcome: { stored: 1 } }, { result: 'refused' }], next: null });
  expect((await call('POST', '/v1/dead-letters/purge', { ids: ['111111'] })).body).toMatchObject({
    purged: ['1'.repeat(64)],
  });
  const acts = await server.database.query('SELECT actor, action FROM audit_log ORDER BY id');
  expect(acts).toEqual(
    ['replay', 'replay', 'purge'].map((act) => ({ actor: 'http:127.0.0.1', action: `dead_letter.${act}` })),
  );
});

it.each([
  ['GET', '/v1/dead-letters?state=lost', undefined, 400, 'invalid_request'],
  ['GET', '/v1/dead-letters?since=yesterday', undefined, 400, 'invalid_parameter'],
  ['GET', '/v1/dead-letters?limit=501', undefined, 400, 'invalid_request'],
  ['GET', '/v1/dead-letters/abcdef', undefined, 404, 'not_found'],
  ['GET', '/v1/dead-letters/abc', undefined, 400, 'invalid_request'],
  ['POST', '/v1/dead-letters/replay', {}, 400, 'invalid_parameter'],
  ['POST', '/v1/dead-letters/replay', { all: true, corrections: { zone: 'UTC' } }, 400, 'invalid_request'],
  ['POST', '/v1/dead-letters/replay', { all: true, corrections: { units: { heat: 'F' } } }, 400, undefined],
  ['POST', '/v1/dead-letters/replay', { all: true, corrections: { time_zone: 'Nowhere' } }, 400, 'invalid_parameter'],
  ['POST', '/v1/dead-letters/purge', { ids: ['abcdef'] }, 404, 'not_found'],
  ['POST', '/v1/dead-letters/purge', { all: 'yes' }, 400, 'invalid_request'],
])('%s %s %j is refused', async (method, path, body, status, code) => {
  const answer = await call(method, path, body);
  expect(answer.status).toBe(status);
  if (code !== undefined) expect(answer.body).toMatchObject({ error: { code } });
});
