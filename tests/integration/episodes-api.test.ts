/** `/v1/episodes`: who sees which, what can be asked, and what people do to one. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { EpisodeDetail, EpisodeList } from '../../src/episodes/episode-schemas.js';
import { CONDITIONS } from '../../src/telemetry/conditions.js';
import { startKeyedServer, type KeyedServer } from '../support/keyed-server.js';

let server: KeyedServer;
let admin: string;
let reader: string;
beforeAll(async () => {
  server = await startKeyedServer();
  await server.database.script(`
    INSERT INTO devices (device_id, site, display_name) VALUES ('N-1', 'North', 'Nina'), ('N-2', 'North', NULL), ('S-1', 'South', NULL);
    INSERT INTO episodes (device_id, started_at, found_at, last_at, ended_at, peak_score, peak_at, cause, anomalous_records, diagnosis,
      confidence, evidence, alternatives, detector)
    VALUES
      ('N-1', '2026-03-01T00:00:00Z', '2026-03-01T00:01:00Z', '2026-03-01T01:00:00Z', '2026-03-01T01:00:00Z', 4.5, '2026-03-01T00:10:00Z', 0,
        40, 'gas_lock', .82, '{"for":["current falls"],"against":["flow is steady"],"missing":[]}', '[{"diagnosis":"pump_off","confidence":0.3}]', 'z-score'),
      ('N-2', '2026-03-02T00:00:00Z', '2026-03-02T00:01:00Z', '2026-03-02T00:30:00Z', NULL, NULL, NULL, NULL, 0, NULL, 0, '{}', '[]', 'z-score'),
      ('S-1', '2026-03-02T00:00:00.123456Z', '2026-03-02T00:01:00Z', '2026-03-02T02:00:00Z', NULL, NULL, NULL, NULL, 0, 'deadhead', .9, '{}', '[]', 'z-score'),
      ('gone', '2026-03-03T00:00:00Z', '2026-03-03T00:01:00Z', '2026-03-03T02:00:00Z', NULL, NULL, NULL, NULL, 0, 'deadhead', .9, '{}', '[]', 'z-score');
  `);
  admin = await server.makeKey({ name: 'boss', scopes: ['admin'] });
  reader = await server.makeKey({ name: 'reader', scopes: ['read'] });
});
afterAll(() => server.close());

const list = async (query: string, key = reader): Promise<EpisodeList> => {
  const answer = await server.ask(key, `/v1/episodes${query}`);
  expect([answer.status, answer.text]).toEqual([200, answer.text]);
  return answer.json<EpisodeList>();
};
const devicesOf = async (query: string, key = reader): Promise<string[]> =>
  (await list(query, key)).episodes.map(({ device_id: id }) => id);
const act = (key: string, id: number, what: string, body: object) =>
  server.ask(key, `/v1/episodes/${id}/${what}`, body);
const shown = async (id: number): Promise<EpisodeDetail['episode']> =>
  (await server.ask(reader, `/v1/episodes/${id}`)).json<EpisodeDetail>().episode;

it('lists the latest first, by what is asked for', async () => {
  expect(await devicesOf('')).toEqual(['gone', 'S-1', 'N-2', 'N-1']);
  expect(await devicesOf('?site=North')).toEqual(['N-2', 'N-1']);
  expect(await devicesOf('?device=S-1')).toEqual(['S-1']);
  expect(await devicesOf('?state=open')).toEqual(['gone', 'S-1', 'N-2']);
  expect(await devicesOf('?state=ended')).toEqual(['N-1']);
  expect(await devicesOf('?diagnosis=none')).toEqual(['N-2']);
  expect(await devicesOf('?diagnosis=deadhead')).toEqual(['gone', 'S-1']);
  // What goes on is seen at any time after its beginning.
  expect(await devicesOf('?since=2026-03-01T00:59:00Z&until=2026-03-02T00:00:00.1Z')).toEqual(['N-2', 'N-1']);
  expect(await devicesOf('?since=2026-03-01T01:00:01Z&until=2026-03-02T00:00:00Z')).toEqual([]);
});

it('gives page after page, each episode once', async () => {
  const seen: string[] = [];
  let after = '';
  for (let page = 0; page < 4; page++) {
    const answer = await list(`?limit=1${after}`);
    seen.push(...answer.episodes.map(({ device_id: id }) => id));
    expect(answer.next === null).toBe(page === 3);
    after = `&after=${encodeURIComponent(answer.next ?? '')}`;
  }
  expect(seen).toEqual(['gone', 'S-1', 'N-2', 'N-1']);
});

it('shows why it is what it is said to be', async () => {
  const [episode] = (await list('?device=N-1')).episodes;
  expect(episode).toMatchObject({
    display_name: 'Nina',
    site: 'North',
    state: 'ended',
    start: '2026-03-01T00:00:00Z',
    end: '2026-03-01T01:00:00Z',
    seconds: 3600,
    peak_score: 4.5,
    cause: 'temperature',
    diagnosis_label: 'gas lock',
    confidence: 0.82,
  });
  expect(await shown(episode?.id ?? 0)).toMatchObject({
    evidence: { for: ['current falls'], against: ['flow is steady'], missing: [] },
    alternatives: [{ diagnosis: 'pump_off', label: 'pump-off', confidence: 0.3 }],
    advice: CONDITIONS.gas_lock.advice,
    history: [],
  });
});

it('refuses what makes no sense, and says what does', async () => {
  const refusals: [string, number, string | undefined][] = [
    ['?since=yesterday', 400, 'since'],
    ['?since=2026-03-02T00:00:00Z&until=2026-03-01T00:00:00Z', 400, 'until'],
    ['?after=nowhere', 400, 'after'],
    ['?state=resolved', 400, undefined],
    ['?colour=red', 400, undefined],
    ['/4711', 404, undefined],
    ['/first', 400, undefined],
  ];
  for (const [path, status, field] of refusals) {
    const answer = await server.ask(reader, `/v1/episodes${path}`);
    const { error } = answer.json<{ error: { field?: string; message: string } }>();
    expect([path, answer.status]).toEqual([path, status]);
    if (field !== undefined) expect(error.field).toBe(field);
    expect(error.message.length).toBeGreaterThan(10);
  }
  expect((await act(admin, 1, 'notes', { text: '   ' })).status).toBe(400);
  expect((await act(admin, 1, 'notes', {})).status).toBe(400);
  expect((await act(admin, 4711, 'close', {})).status).toBe(404);
  expect((await act(reader, 1, 'close', {})).status).toBe(403);
  expect((await shown(1)).state).toBe('ended');
});

it('is acknowledged, annotated and closed, by whom is kept, and who was first stays', async () => {
  const second = await server.makeKey({ name: 'second', scopes: ['admin'] });
  expect((await act(admin, 2, 'acknowledge', { note: 'crew is on its way' })).status).toBe(200);
  const acknowledged = await shown(2);
  expect(acknowledged).toMatchObject({ state: 'open', notes: 1 });
  expect(acknowledged.acknowledged_by).toMatch(/^key:/);
  expect(await devicesOf('?acknowledged=true')).toEqual(['N-2']);
  await act(second, 2, 'acknowledge', {});
  expect((await shown(2)).acknowledged_by).toBe(acknowledged.acknowledged_by);
  await act(second, 2, 'notes', { text: ' a valve ' });
  expect((await act(second, 2, 'close', {})).json<EpisodeDetail>().episode).toMatchObject({
    state: 'closed',
    end: null,
    history: [{ text: 'crew is on its way' }, { text: 'a valve' }],
  });
  const closed = await shown(2);
  expect(closed.closed_by).not.toBe(acknowledged.acknowledged_by);
  await act(admin, 2, 'close', {});
  expect(await shown(2)).toEqual(closed);
  const acts = await server.database.query(`SELECT action FROM audit_log WHERE target = 'episode 2' ORDER BY id`);
  expect(acts.map(({ action }) => action)).toEqual([
    'episode.acknowledge',
    'episode.note',
    'episode.note',
    'episode.close',
  ]);
  await act(admin, 1, 'close', {});
  const both = await shown(1);
  expect([both.state, both.acknowledged_by]).toEqual(['closed', both.closed_by]);
});

it('keeps to the part of the fleet that a key is for', async () => {
  const north = await server.makeKey({ name: 'north', scopes: ['admin'], sites: ['North'] });
  const south = await server.makeKey({ name: 'south', scopes: ['admin'], devices: ['S-*'] });
  expect(await devicesOf('', north)).toEqual(['N-2', 'N-1']);
  expect(await devicesOf('', south)).toEqual(['S-1']);
  expect((await server.ask(north, '/v1/episodes/3')).status).toBe(404);
  expect((await act(north, 3, 'close', {})).status).toBe(404);
  expect((await shown(3)).state).toBe('open');
  expect((await act(south, 3, 'close', { note: 'dealt with' })).status).toBe(200);
  expect((await shown(3)).state).toBe('closed');
});
