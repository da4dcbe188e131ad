/** Keys that are for some sites or devices: what they may send, and what they see. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acceptRecords } from '../../src/ingest/accept-records.js';
import { DeviceScope } from '../../src/ingest/device-scope.js';
import { isRejection } from '../../src/pipeline/read-record.js';
import { readBody } from '../../src/pipeline/read-body.js';
import { reject } from '../../src/telemetry/rejection.js';
import { startKeyedServer, type KeyedServer } from '../support/keyed-server.js';

let server: KeyedServer;
beforeAll(async () => {
  server = await startKeyedServer();
  await server.database.execute(
    `INSERT INTO devices (device_id, site) VALUES ('N-1', 'North'), ('N-2', 'North'), ('S-1', 'South'), ('lost', NULL)`,
  );
});
afterAll(() => server.close());

interface Answer {
  accepted: number;
  rejected: { index: number; code: string; field: string }[];
}

const record = (deviceId: string): object => ({
  device_id: deviceId,
  timestamp: '2026-01-01T00:00:00Z',
  temperature: 80,
});
const send = (key: string, ...deviceIds: string[]) => server.ask(key, '/v1/telemetry', deviceIds.map(record));

/** Which of the devices were taken, by the answer and by what is in the queue. */
async function taken(key: string, ...deviceIds: string[]): Promise<string[]> {
  const answer = await send(key, ...deviceIds);
  const { accepted, rejected } = answer.json<Answer>();
  const refused = new Set(rejected.map(({ index }) => index));
  for (const { code } of rejected) expect(code).toBe('forbidden_device');
  const byAnswer = deviceIds.filter((_, index) => !refused.has(index));
  const published = (await server.drain()).flatMap(
    ({ body }) => JSON.parse(Buffer.from(body).toString()) as { device_id: string }[],
  );
  expect(published.map(({ device_id: id }) => id)).toEqual(byAnswer);
  expect([answer.status, accepted]).toEqual([byAnswer.length === 0 ? 400 : 202, byAnswer.length]);
  return byAnswer;
}

const siteOf = async (deviceId: string): Promise<unknown> => {
  const [row] = await server.database.query('SELECT site FROM devices WHERE device_id = $1', [deviceId]);
  return row === undefined ? undefined : row['site'];
};

describe('sending', () => {
  it('takes the devices of the key, and refuses the others one by one', async () => {
    const key = await server.makeKey({ devices: ['N-1', 'X-*'] });
    expect(await taken(key, 'N-1', 'N-2', 'X-7', 'X-', 'x-7', 'N-11', 'S-1')).toEqual(['N-1', 'X-7', 'X-']);
    expect(await taken(key, 'N-2')).toEqual([]);
    // Of devices alone the database is not asked, and none is registered.
    expect(await siteOf('X-7')).toBeUndefined();
  });

  it('takes the devices at the sites of the key; one without a site is at none', async () => {
    const key = await server.makeKey({ sites: ['North'] });
    expect(await taken(key, 'N-1', 'S-1', 'N-2', 'lost')).toEqual(['N-1', 'N-2']);
    const both = await server.makeKey({ sites: ['North', 'South'] });
    expect(await taken(both, 'N-1', 'S-1', 'lost')).toEqual(['N-1', 'S-1']);
  });

  it('wants both where devices and sites are given', async () => {
    const key = await server.makeKey({ sites: ['North'], devices: ['N-1', 'S-*'] });
    expect(await taken(key, 'N-1', 'N-2', 'S-1')).toEqual(['N-1']);
  });

  it('registers new devices at the only site of a key, and at none of several', async () => {
    const key = await server.makeKey({ sites: ['North'] });
    expect(await taken(key, 'N-new', 'N-1', 'N-new')).toEqual(['N-new', 'N-1', 'N-new']);
    expect(await siteOf('N-new')).toBe('North');
    const south = await server.makeKey({ sites: ['South'] });
    expect(await taken(south, 'N-new')).toEqual([]);
    const both = await server.makeKey({ sites: ['North', 'South'] });
    expect(await taken(both, 'new-too', 'N-1')).toEqual(['N-1']);
    expect(await siteOf('new-too')).toBeUndefined();
  });

  it('gives a device that two sites claim at the same moment to one of them', async () => {
    const keys = [await server.makeKey({ sites: ['North'] }), await server.makeKey({ sites: ['South'] })];
    const answers = await Promise.all(keys.map((key) => send(key, 'claimed')));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([202, 400]);
    expect(await siteOf('claimed')).toBe(answers[0]?.status === 202 ? 'North' : 'South');
    await server.drain();
  });

  it('registers nothing for a record that is refused anyway', async () => {
    const key = await server.makeKey({ sites: ['North'] });
    const answer = await server.ask(key, '/v1/telemetry', [{ ...record('never'), timestamp: 'soon' }]);
    expect(answer.status).toBe(400);
    expect(await siteOf('never')).toBeUndefined();
  });

  it('registers no more devices than there may be, and says so', async () => {
    const key = await server.makeKey({ sites: ['Full'] });
    const many = Array.from({ length: 60 }, (_, index) => `full-${index}`);
    const answer = await send(key, ...many);
    const { accepted, rejected } = answer.json<Answer>();
    const [count] = await server.database.query<{ devices: number }>('SELECT count(*)::int AS devices FROM devices');
    expect([count?.devices, accepted + rejected.length]).toEqual([50, 60]);
    expect(new Set(rejected.map(({ code }) => code))).toEqual(new Set(['too_many_devices']));
    await server.drain();
    await server.database.execute(`DELETE FROM devices WHERE site = 'Full'`);
  });

  it('notices within a minute that a device has moved, or is no longer there', async () => {
    const key = await server.makeKey({ sites: ['North'] });
    expect(await taken(key, 'N-2')).toEqual(['N-2']);
    await server.database.execute(`UPDATE devices SET site = 'South' WHERE device_id = 'N-2'`);
    await server.keys.sites.refresh();
    expect(await taken(key, 'N-2')).toEqual([]);
    await server.database.execute(`UPDATE devices SET site = 'North' WHERE device_id = 'N-2'`);
    await server.keys.sites.refresh();
    expect(await taken(key, 'N-2')).toEqual(['N-2']);
  });

  it('goes on with known devices while the database is away; of others nobody says that they are forbidden', async () => {
    const key = await server.makeKey({ sites: ['North'] });
    expect(await taken(key, 'N-1')).toEqual(['N-1']);
    await server.postgres.stop();
    try {
      // Twice: what is not asked for between two refreshes is forgotten, but not while nothing can be read.
      await server.keys.sites.refresh();
      await server.keys.sites.refresh();
      expect(await taken(key, 'N-1')).toEqual(['N-1']);
      const unknown = await send(key, 'N-1', 'N-unheard');
      expect(unknown.status).toBe(503);
      expect(await server.drain()).toEqual([]);
    } finally {
      await server.postgres.restart();
    }
    await expect.poll(async () => (await send(key, 'N-1')).status).toBe(202);
    await server.drain();
  });

  it('judges the device of an envelope and of a record whose clock is ahead, too', async () => {
    const key = await server.makeKey({ devices: ['N-1'] });
    const enveloped = (deviceId: string): object => ({
      device_id: deviceId,
      records: [{ timestamp: '2026-01-01T00:00:00Z', temperature: 1 }],
    });
    expect((await server.ask(key, '/v1/telemetry', enveloped('N-1'))).status).toBe(202);
    expect((await server.ask(key, '/v1/telemetry', enveloped('N-2'))).status).toBe(400);
    const ahead = await server.ask(key, '/v1/telemetry', { ...record('N-2'), timestamp: '2999-01-01T00:00:00Z' });
    expect(ahead.json()).toMatchObject({ rejected: [{ code: 'forbidden_device', field: 'device_id' }] });
    // Of a repeated field the last one counts, for the judgement as for the pipeline.
    const twice = '{"device_id":"N-1","device_id":"N-2","timestamp":"2026-01-01T00:00:00Z"}';
    expect((await server.ask(key, '/v1/telemetry', twice)).status).toBe(400);
    expect(await server.metrics.value('telemetry_rejections_total')).toBeGreaterThan(0);
    await server.drain();
  });

  it('publishes nothing of a forbidden device, whatever the mix and the form', () => {
    const scope = new DeviceScope(null, ['a*']);
    const devices = fc.array(fc.constantFrom('a', 'a1', 'b', 'ba', 'A', ''), { maxLength: 40 });
    fc.assert(
      fc.property(devices, fc.constantFrom('array', 'ndjson', 'envelope'), (ids, form) => {
        const records = ids.map((id, index) => ({ ...record(id), n: index }));
        const text =
          form === 'ndjson'
            ? records.map((one) => JSON.stringify(one)).join('\n')
            : JSON.stringify(form === 'array' ? records : { records });
        const type = form === 'ndjson' ? 'application/x-ndjson' : 'application/json';
        const limits = { maxRecordsPerRequest: 1000, maxDepth: 16 };
        const context = { receivedUs: 1.8e15, sourceSystem: 'scada' };
        const result = acceptRecords(Buffer.from(text), type, limits, context, (id) =>
          scope.coversId(id) ? undefined : reject('forbidden_device', 'device_id', id),
        );
        if (isRejection(result)) throw new Error(result.message);
        const published = result.messages.flatMap(({ body }) => {
          const parsed = readBody(body, type, context);
          return isRejection(parsed) ? [] : parsed.records.map((one) => (one as { n: number }).n);
        });
        const wanted = ids.flatMap((id, index) => (id.startsWith('a') ? [index] : []));
        expect(published).toEqual(wanted);
        expect([result.accepted, result.rejectedTotal]).toEqual([wanted.length, ids.length - wanted.length]);
      }),
    );
  });
});

describe('reading', () => {
  const ids = async (key: string, query = ''): Promise<{ total: number; ids: string[] }> => {
    const answer = await server.ask(key, `/v1/devices${query}`);
    const { total, devices } = answer.json<{ total: number; devices: { device_id: string }[] }>();
    return { total, ids: devices.map(({ device_id: id }) => id) };
  };

  it('shows the devices of the key in the list, and denies that there are others', async () => {
    const north = await server.makeKey({ scopes: ['read'], sites: ['North'] });
    const some = await server.makeKey({ scopes: ['read'], devices: ['S-*', 'lost'] });
    const both = await server.makeKey({ scopes: ['read'], sites: ['North'], devices: ['N-1', 'S-1'] });
    const all = await server.makeKey({ scopes: ['read'] });
    const seen = await ids(north);
    expect(seen.ids).toEqual(expect.arrayContaining(['N-1', 'N-2']));
    expect(seen.ids).not.toContain('S-1');
    expect(seen.ids).not.toContain('lost');
    expect(seen.total).toBe(seen.ids.length);
    expect(await ids(some)).toEqual({ total: 2, ids: ['S-1', 'lost'] });
    expect(await ids(both)).toEqual({ total: 1, ids: ['N-1'] });
    expect((await ids(all)).ids).toEqual(expect.arrayContaining(['N-1', 'S-1', 'lost']));
    // Beyond the last page as well, and a search does not widen it.
    expect(await ids(both, '?offset=50')).toEqual({ total: 1, ids: [] });
    expect(await ids(both, '?search=S')).toEqual({ total: 0, ids: [] });
  });

  it('shows a device and its series, or none', async () => {
    const north = await server.makeKey({ scopes: ['read'], sites: ['North'] });
    for (const path of ['', '/series', '/gaps', '/quality/problems', '/quality/records']) {
      const status = async (id: string): Promise<number> =>
        (await server.ask(north, `/v1/devices/${id}${path}`)).status;
      expect([await status('S-1'), await status('lost'), await status('nobody')], path).toEqual([404, 404, 404]);
      const own = await server.ask(north, `/v1/devices/N-1${path}`);
      expect(own.text, path).not.toContain('not_found');
    }
    const foreign = await server.ask(north, '/v1/devices/S-1');
    const nobody = await server.ask(north, '/v1/devices/S-9');
    expect(foreign.text.replace('S-1', '')).toBe(nobody.text.replace('S-9', ''));
  });

  it('shows the alerts of its sites and devices, and not those of the fleet', async () => {
    await server.database.execute(
      `INSERT INTO alerts (fingerprint, rule, group_key, labels, severity, summary, state, seen_at, raised_at)
       SELECT name, 'r', 'r', labels::jsonb, 'warning', name, 'firing', now(), now() FROM (VALUES
         ('N-1 silent', '{"device":"N-1","site":"North"}'), ('N-2 silent', '{"device":"N-2","site":"North"}'),
         ('S-1 silent', '{"device":"S-1","site":"South"}'), ('lost silent', '{"device":"lost","site":""}'),
         ('North low', '{"site":"North"}'), ('disk', '{"place":"data"}'), ('job', '{}')) AS alert (name, labels)`,
    );
    const seen = async (wanted: Parameters<typeof server.makeKey>[0], path: string): Promise<string[]> => {
      const answer = await server.ask(await server.makeKey({ scopes: ['read'], ...wanted }), path);
      return answer
        .json<{ alerts: { summary: string }[] }>()
        .alerts.map(({ summary }) => summary)
        .toSorted();
    };
    for (const path of ['/v1/alerts', '/v1/alerts/history']) {
      expect(await seen({}, path), path).toHaveLength(7);
      expect(await seen({ sites: ['North'] }, path), path).toEqual(['N-1 silent', 'N-2 silent', 'North low']);
      expect(await seen({ devices: ['S-*', 'lost'] }, path), path).toEqual(['S-1 silent', 'lost silent']);
      expect(await seen({ sites: ['North'], devices: ['N-1', 'S-1'] }, path), path).toEqual(['N-1 silent']);
    }
    const north = await server.makeKey({ scopes: ['read'], sites: ['North'] });
    const silences = await server.ask(north, '/v1/alerts/silences');
    expect([silences.status, silences.text.includes('restricted')]).toEqual([403, true]);
    const silence = { to: '2100-01-01T00:00:00Z', reason: 'quiet' };
    expect((await server.ask(north, '/v1/alerts/silences', silence)).status).toBe(403);
    expect((await server.ask(north, '/v1/alerts/test', {})).status).toBe(403);
    expect((await server.ask(north, '/v1/alerts/silences/1', undefined, 'DELETE')).status).toBe(403);
  });

  it('is refused where the whole fleet is shown', async () => {
    const key = await server.makeKey({ scopes: ['read', 'write'], sites: ['North'] });
    for (const path of ['/v1/pipeline', '/v1/storage', '/metrics']) {
      const answer = await server.ask(key, path);
      expect(answer.status, path).toBe(403);
      expect(answer.text).toContain('restricted');
    }
    const imported = await server.ask(key, '/v1/import', [record('N-1')]);
    expect(imported.status).toBe(403);
    for (const path of ['/v1/health', '/v1/openapi.json']) expect((await server.ask(key, path)).status, path).toBe(200);
  });
});
