/** The read API against an embedded database: what it answers, from which level, and what it refuses. */
import { Ajv } from 'ajv';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Device,
  type DeviceDetail,
  DeviceDetailSchema,
  type DeviceList,
  DeviceListSchema,
  PipelineSchema,
  type PipelineStatus,
  type Series,
  SeriesSchema,
  StorageSchema,
  type StorageStatus,
} from '../../src/console/api-schemas.js';
import { readLevels } from '../../src/console/series-levels.js';
import { Sparklines } from '../../src/console/sparklines.js';
import {
  ago,
  type ConsoleServer,
  insertReadings,
  refreshAggregates,
  startConsoleServer,
} from '../support/console-server.js';

const HOUR = 3600;
const DAY = 24 * HOUR;
const IMPORT = { from: '2020-03-09T10:00:00Z', to: '2020-03-09T12:00:00Z' };

let server: ConsoleServer;
const ajv = new Ajv({ strict: false });

async function get<T>(path: string): Promise<{ status: number; body: T }> {
  const response = await fetch(server.url + path);
  return { status: response.status, body: (await response.json()) as T };
}

async function series(deviceId: string, query: Record<string, string | number>): Promise<Series> {
  const parameters = new URLSearchParams(
    Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]),
  );
  const { status, body } = await get<Series>(
    `/v1/devices/${encodeURIComponent(deviceId)}/series?${parameters.toString()}`,
  );
  expect(body).not.toHaveProperty('error');
  expect(status).toBe(200);
  return body;
}

const last = (seconds: number, points = 1000) => ({ from: ago(seconds), to: ago(0), points });

beforeAll(async () => {
  server = await startConsoleServer();
  const { database } = server;
  await insertReadings(database, {
    deviceId: 'A-1',
    from: ago(9 * DAY),
    to: ago(5),
    everySeconds: 60,
    anomalyEvery: 500,
  });
  await refreshAggregates(database, ago(10 * DAY), ago(DAY));
  await insertReadings(database, { deviceId: 'A-2', from: ago(2 * HOUR), to: ago(5), everySeconds: 1, quality: 0.6 });
  await insertReadings(database, {
    deviceId: 'B 7/ä',
    from: ago(HOUR),
    to: ago(10),
    everySeconds: 30,
    state: 1,
    drive: false,
  });
  await insertReadings(database, { deviceId: 'import', ...IMPORT, everySeconds: 1, drive: false });
  await database.execute(
    `INSERT INTO devices (device_id, site, display_name) VALUES ('never', 'Sur', 'Not yet'), ('per%cent', NULL, NULL)`,
  );
  await database.execute(
    `INSERT INTO dead_letters (id, code, error, original) VALUES ('1', 'conflict', 'e', ''), ('2', 'conflict', 'e', ''), ('3', 'future_timestamp', 'e', '')`,
  );
  await database.execute(
    `INSERT INTO job_runs (job, started_at, finished_at, result, error) VALUES
       ('compress', now() - interval '2 h', now() - interval '1 h', 'succeeded', NULL),
       ('compress', now() - interval '9 min', now() - interval '8 min', 'failed', 'disk full'),
       ('refresh-1min', now() - interval '1 min', now(), 'succeeded', NULL)`,
  );
});

afterAll(() => server.close());

describe('GET /v1/devices', () => {
  const list = async (query = ''): Promise<DeviceList> => (await get<DeviceList>(`/v1/devices${query}`)).body;
  const device = async (deviceId: string): Promise<Device | undefined> =>
    (await list()).devices.find((candidate) => candidate.device_id === deviceId);

  test('lists the fleet in the shape of its schema', async () => {
    const answer = await list();
    expect(ajv.validate(DeviceListSchema, answer), ajv.errorsText()).toBe(true);
    expect(answer).toMatchObject({ total: 6, limit: 1000, offset: 0 });
    expect(answer.devices.map((entry) => entry.device_id)).toEqual([
      'A-1',
      'A-2',
      'B 7/ä',
      'import',
      'never',
      'per%cent',
    ]);
  });

  test('gives each well its state, score and last values', async () => {
    expect(await device('A-2')).toMatchObject({ operating_state: 'running', is_anomaly: false });
    expect((await device('A-2'))?.quality_score).toBeCloseTo(0.6, 5);
    const off = await device('B 7/ä');
    expect(off).toMatchObject({ operating_state: 'off', expected_interval_seconds: 30 });
    expect(off?.values['flow_rate']?.value).toBe(0);
    expect(off?.values).not.toHaveProperty('drive_frequency');
    expect(off?.last_seen).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(off?.values['temperature']?.timestamp).toBe(off?.last_seen);
  });

  test('takes what the newest row says from beside the last values, unless that is about another row', async () => {
    const { database } = server;
    const say = (newestAt: string, state: string): Promise<number> =>
      database.execute(
        `UPDATE device_latest SET newest_at = ${newestAt}, quality_score = 0.25, is_anomaly = true, anomaly_cause = 1,
           operating_state = ${state}
         FROM devices d WHERE d.device_id = device_latest.device_id AND d.device_id = 'A-2'`,
      );
    // Each with a page of its own: answers are shared for a second.
    const shown = async (limit: number): Promise<Device | undefined> =>
      (await list(`?search=A-2&limit=${limit}`)).devices[0];
    await say('d.last_seen', '2');
    const said = { quality_score: 0.25, is_anomaly: true, anomaly_cause: 'vibration', operating_state: 'starting' };
    expect(await shown(501)).toMatchObject(said);
    const stored = { is_anomaly: false, anomaly_cause: null, operating_state: 'running' };
    await say(`d.last_seen - interval '1 second'`, '2');
    expect(await shown(502)).toMatchObject(stored);
    await say('d.last_seen', 'NULL');
    expect(await shown(503)).toMatchObject(stored);
    await say('NULL', 'NULL');
    expect(await shown(504)).toMatchObject(stored);
  });

  test('shows a well that never reported', async () => {
    expect(await device('never')).toMatchObject({
      operating_state: 'unknown',
      last_seen: null,
      quality_score: null,
      is_anomaly: null,
      values: {},
    });
  });

  test('pages and searches, signs of patterns taken literally', async () => {
    expect(await list('?limit=2&offset=1')).toMatchObject({
      total: 6,
      devices: [{ device_id: 'A-2' }, { device_id: 'B 7/ä' }],
    });
    expect(await list('?offset=100')).toMatchObject({ total: 6, devices: [] });
    expect(await list('?search=SUR')).toMatchObject({ total: 1, devices: [{ device_id: 'never' }] });
    expect(await list('?search=%25')).toMatchObject({ total: 1, devices: [{ device_id: 'per%cent' }] });
  });

  test('adds a small curve of the last hours', async () => {
    const { devices } = await list('?sparkline=temperature&hours=6');
    const curve = devices.find((entry) => entry.device_id === 'A-1')?.sparkline;
    expect(curve?.channel).toBe('temperature');
    expect(curve?.timestamps.length).toBeGreaterThan(30);
    expect(curve?.timestamps.length).toBe(curve?.values.length);
    expect(devices.find((entry) => entry.device_id === 'import')).not.toHaveProperty('sparkline');
  });

  test('reads of the curves only what is new, and arrives at what reading all of it gives', async () => {
    const levels = await readLevels(server.database);
    const now = Date.now() / 1000;
    const kept = new Sparklines(server.database, 'temperature', 6);
    await kept.read(levels, now - 800);
    const fresh = await new Sparklines(server.database, 'temperature', 6).read(levels, now);
    expect(await kept.read(levels, now)).toEqual(fresh);
    expect(fresh.size).toBe(3);
  });

  test.each([1, 5, 6, 24])(
    'takes the mean of whole bins, whatever the length of the curve: %i hours',
    async (hours) => {
      const levels = await readLevels(server.database);
      const now = Date.now() / 1000;
      const curve = (await new Sparklines(server.database, 'temperature', hours).read(levels, now)).get('A-1');
      const [first = 0, second = 0] = curve?.timestamps ?? [];
      const bins = await server.database.query<{ slot: number; mean: number }>(
        `SELECT extract(epoch FROM date_bin(make_interval(secs => $1), bucket, 'epoch'))::float8 AS slot,
         avg(temp_avg)::real AS mean
       FROM telemetry_1min WHERE device_id = 'A-1' AND bucket >= to_timestamp($2) AND bucket <= to_timestamp($3)
       GROUP BY slot ORDER BY slot`,
        [second - first, first, now],
      );
      const means = new Map(bins.map(({ slot, mean }) => [slot, mean]));
      // The bin that is open gets rows all the time.
      expect(curve?.values.slice(0, -1)).toEqual(curve?.timestamps.slice(0, -1).map((slot) => means.get(slot) ?? null));
    },
  );

  test('tells of one device from when to when it has data', async () => {
    const { body } = await get<DeviceDetail>('/v1/devices/import');
    expect(ajv.validate(DeviceDetailSchema, body), ajv.errorsText()).toBe(true);
    expect(body).toMatchObject({ data_from: IMPORT.from, data_to: IMPORT.to });
    expect((await get<DeviceDetail>('/v1/devices/never')).body).toMatchObject({ data_from: null, data_to: null });
  });
});

describe('GET /v1/devices/:id/series', () => {
  test('gives the readings themselves where they are few', async () => {
    const answer = await series('A-2', last(300));
    expect(ajv.validate(SeriesSchema, answer), ajv.errorsText()).toBe(true);
    expect(answer).toMatchObject({ source: 'raw', bucket_seconds: null, truncated: false });
    expect(Object.keys(answer.channels['temperature'] ?? {})).toEqual(['avg']);
    expect(new Set(answer.samples)).toEqual(new Set([1]));
  });

  test.each([
    { range: 2 * HOUR, source: 'raw' },
    { range: 15 * DAY, source: '1hour' },
  ])('picks $source for $range s', async ({ range, source }) => {
    expect((await series('A-2', last(range))).source).toBe(source);
  });

  test('takes the one-minute level where the readings are too many and minutes are not', async () => {
    const answer = await series('A-2', last(2 * HOUR, 120));
    expect(answer).toMatchObject({ source: '1min', bucket_seconds: 120 });
  });

  test('takes the daily level for a range of years', async () => {
    const answer = await series('A-1', { from: '2015-01-01T00:00:00Z', to: ago(0) });
    expect(answer.source).toBe('daily');
    expect(answer.timestamps.length).toBeGreaterThanOrEqual(1);
  });

  test.each([3, 10, 100, 777, 5000])('answers with at most %i points, and counts every record once', async (points) => {
    const [row] = await server.database.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM telemetry WHERE device_id = 'import'`,
    );
    const answer = await series('import', { from: IMPORT.from, to: IMPORT.to, points });
    expect(answer.timestamps.length).toBeLessThanOrEqual(points);
    expect(answer.samples.reduce((sum, count) => sum + count, 0)).toBe(row?.n);
    expect([...answer.timestamps].sort((a, b) => a - b)).toEqual(answer.timestamps);
  });

  test('keeps every peak when it thins', async () => {
    await server.database.execute(
      `UPDATE telemetry SET vibration = 17 WHERE device_id = 'import' AND "timestamp" = '2020-03-09T11:11:11Z'`,
    );
    const answer = await series('import', { ...IMPORT, points: 50 });
    expect(Math.max(...(answer.channels['vibration']?.max ?? []).map(Number))).toBe(17);
    const { avg = [], min = [], max = [] } = answer.channels['temperature'] ?? {};
    avg.forEach((value, at) => {
      expect(Number(min[at])).toBeLessThanOrEqual(Number(value));
      expect(Number(max[at])).toBeGreaterThanOrEqual(Number(value));
    });
  });

  test('gives the mean that SQL gives, from any level', async () => {
    const [row] = await server.database.query<{ mean: number }>(
      `SELECT avg(temperature::float8) AS mean FROM telemetry WHERE device_id = 'A-1' AND "timestamp" BETWEEN $1 AND $2`,
      [ago(8 * DAY), ago(2 * DAY)],
    );
    const answer = await series('A-1', { from: ago(8 * DAY), to: ago(2 * DAY), points: 100 });
    expect(answer.source).toBe('1hour');
    const weighted = answer.samples.reduce(
      (sum, n, at) => sum + n * Number(answer.channels['temperature']?.avg[at]),
      0,
    );
    expect(weighted / answer.samples.reduce((sum, n) => sum + n, 0)).toBeCloseTo(row?.mean ?? 0, 1);
    expect(answer.anomalies.reduce((sum, n) => sum + n, 0)).toBeGreaterThan(0);
  });

  test('falls back to the readings where an old import has no aggregates yet', async () => {
    const answer = await series('import', { from: '2019-01-01T00:00:00Z', to: '2021-01-01T00:00:00Z' });
    expect(answer.source).toBe('raw');
    expect(answer.timestamps.length).toBeGreaterThan(0);
  });

  test('falls back to the aggregate where the readings have been dropped', async () => {
    await server.database.execute(
      `DELETE FROM telemetry WHERE device_id = 'A-1' AND "timestamp" < now() - interval '8 days'`,
    );
    const answer = await series('A-1', { from: ago(8.5 * DAY), to: ago(8.4 * DAY) });
    expect(answer.source).toBe('1min');
    expect(answer.timestamps.length).toBeGreaterThan(100);
    const half = await series('A-1', { from: ago(8.1 * DAY), to: ago(7.9 * DAY) });
    expect(half.source).toBe('1min');
  });

  test('does not take a bucket made of what lies outside the range for data in it', async () => {
    await insertReadings(server.database, {
      deviceId: 'gap',
      from: '2021-01-10T10:00:00Z',
      to: '2021-01-10T10:05:00Z',
      everySeconds: 1,
    });
    await refreshAggregates(server.database, '2021-01-10T00:00:00Z', '2021-01-11T00:00:00Z');
    const silent = await series('gap', { from: '2021-01-10T10:20:00Z', to: '2021-01-10T10:40:00Z' });
    expect([silent.source, silent.timestamps]).toEqual(['raw', []]);
  });

  test('goes back to the first of all years', async () => {
    const answer = await series('A-1', { from: '0000-01-01T00:00:00Z', to: ago(0) });
    expect(answer.timestamps.length).toBeGreaterThan(0);
    expect((await series('A-1', { from: '0001-01-01T00:00:00Z', to: '0001-01-02T00:00:00Z' })).timestamps).toEqual([]);
  });

  test('answers an empty range with empty arrays', async () => {
    expect(await series('A-1', { from: '1999-01-01T00:00:00Z', to: '1999-01-02T00:00:00Z' })).toMatchObject({
      timestamps: [],
      channels: {},
    });
  });

  test('takes epoch milliseconds, an unescaped plus, chosen channels, and ids with signs in them', async () => {
    const fromMs = Date.parse(IMPORT.from);
    const wanted = await series('import', { from: fromMs, to: fromMs + 60_000, channels: 'pressure,temperature' });
    expect(Object.keys(wanted.channels).sort()).toEqual(['pressure', 'temperature']);
    expect(wanted.timestamps[0]).toBe(fromMs / 1000);
    const { status } = await get(
      '/v1/devices/import/series?from=2020-03-09T11:00:00+01:00&to=2020-03-09T11:30:00+00:00',
    );
    expect(status).toBe(200);
    expect((await series('B 7/ä', {})).timestamps.length).toBeGreaterThan(100);
  });

  test.each([
    ['from=yesterday', 'from'],
    ['from=2020-01-01T00:00:00', 'from'],
    ['to=2020-13-01T00:00:00Z', 'to'],
    [`from=${encodeURIComponent(IMPORT.to)}&to=${encodeURIComponent(IMPORT.from)}`, 'from'],
    ['points=0', 'points'],
    ['points=5001', 'points'],
    ['points=many', 'points'],
    ['channels=temperature,nonsense', 'channels'],
    ['unknown=1', 'unknown'],
  ])('refuses %s and names the field', async (query, field) => {
    const { status, body } = await get<{ error: { field: string; message: string } }>(
      `/v1/devices/A-1/series?${query}`,
    );
    expect(status).toBe(400);
    expect(body.error.field).toBe(field);
    expect(body.error.message.length).toBeGreaterThan(20);
  });

  test.each(['/v1/devices/nobody', '/v1/devices/nobody/series'])('does not know %s', async (path) => {
    const { status, body } = await get<{ error: { code: string } }>(path);
    expect(status).toBe(404);
    expect(body.error.code).toBe('not_found');
  });
});

test('the pipeline accounts for every record and groups what was refused', async () => {
  server.metrics.add('telemetry_records_received_total', 10);
  server.metrics.add('telemetry_records_total', 7, { outcome: 'stored' });
  server.metrics.add('telemetry_records_total', 2, { outcome: 'rejected' });
  const { body } = await get<PipelineStatus>('/v1/pipeline');
  expect(ajv.validate(PipelineSchema, body), ajv.errorsText()).toBe(true);
  expect(body.conservation).toMatchObject({ received: 10, stored: 7, rejected: 2, in_flight: 0, difference: 1 });
  expect(body.dead_letters.map(({ code, count }) => [code, count])).toEqual([
    ['conflict', 2],
    ['future_timestamp', 1],
  ]);
});

test('storage tells sizes, chunks, and of each job the last run and the last success', async () => {
  const { body } = await get<StorageStatus>('/v1/storage');
  expect(ajv.validate(StorageSchema, body), ajv.errorsText()).toBe(true);
  expect(body.database.timescale).toBe('community');
  expect(body.tables[0]).toMatchObject({ name: 'telemetry' });
  expect(body.tables[0]?.chunks).toBeGreaterThan(5);
  expect(body.jobs.map(({ job, result, error }) => [job, result, error])).toEqual([
    ['compress', 'failed', 'disk full'],
    ['refresh-1min', 'succeeded', null],
  ]);
  expect(body.jobs[0]?.last_success).not.toBeNull();
});

test('every route of the read API is in the OpenAPI document', async () => {
  const { body } = await get<{ paths: Record<string, unknown> }>('/v1/openapi.json');
  for (const path of [
    '/v1/devices',
    '/v1/devices/{id}',
    '/v1/devices/{id}/series',
    '/v1/quality',
    '/v1/quality/groups',
    '/v1/devices/{id}/gaps',
    '/v1/devices/{id}/quality/problems',
    '/v1/devices/{id}/quality/records',
    '/v1/pipeline',
    '/v1/storage',
  ])
    expect(Object.keys(body.paths)).toContain(path);
});
