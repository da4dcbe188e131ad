/** The quality monitor: every figure against the same computed from the rows, and the way from a figure to its records. */
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Gaps,
  GapsSchema,
  type ProblemRecords,
  ProblemRecordsSchema,
  type Problems,
  ProblemsSchema,
  type QualityFigures,
  type QualityList,
  QualityListSchema,
  type QualitySummary,
  QualitySummarySchema,
} from '../../src/quality/quality-schemas.js';
import { readGaps } from '../../src/quality/read-gaps.js';
import { qualityLowRule } from '../../src/alerts/rules/quality-low.js';
import { loadConfig } from '../../src/config/load-config.js';
import { readQuality, readQualityList } from '../../src/quality/read-quality.js';
import { CHANNEL_BITS, QualityFlag, splitFlags } from '../../src/telemetry/quality-flags.js';
import { DeviceScope } from '../../src/ingest/device-scope.js';
import { isCoherent, type TestRow } from '../support/brute-force.js';
import { type ConsoleServer, refreshAggregates, startConsoleServer } from '../support/console-server.js';
import { insertRows, randomRow, seededRandom } from '../support/telemetry-rows.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const RETENTION = { rawDays: 30, minuteDays: 90, hourDays: 365 };
const SITES: Readonly<Record<string, string>> = { 'A-1': 'North', 'A-2': 'North', 'B-1': 'South' };

const random = seededRandom(77);
const nowMs = Date.now();
const rows: TestRow[] = [];
const ajv = new Ajv({ strict: false });
let server: ConsoleServer;

async function get<T>(path: string): Promise<{ status: number; body: T }> {
  const response = await fetch(server.url + path);
  return { status: response.status, body: (await response.json()) as T };
}

beforeAll(async () => {
  server = await startConsoleServer();
  const { database } = server;
  for (const [device, site] of Object.entries(SITES)) {
    await database.execute(
      `INSERT INTO devices (device_id, site, display_name, expected_interval_seconds) VALUES ($1, $2, 'Well ' || $1, 600)`,
      [device, site],
    );
    for (let at = nowMs - 4 * DAY_MS; at < nowMs - 5 * MINUTE_MS; at += 10 * MINUTE_MS)
      if (random() < 0.8) rows.push(randomRow(random, device, at + Math.floor(random() * 10 * MINUTE_MS)));
  }
  await insertRows(database, rows);
  const at = (ms: number): string => new Date(ms).toISOString();
  await refreshAggregates(database, at(nowMs - 6 * DAY_MS), at(nowMs - 2 * DAY_MS));
}, 120_000);
afterAll(() => server.close());

function expectedFigures(some: readonly TestRow[]): QualityFigures {
  const share = (part: readonly TestRow[], whole: readonly TestRow[]): number | null =>
    whole.length === 0 ? null : part.length / whole.length;
  const assessed = some.filter((row) => row.quality_flags !== null);
  const scores = some.flatMap((row) => row.data_quality_score ?? []);
  const low = (row: TestRow): number => splitFlags(row.quality_flags ?? 0).low;
  const validity = scores.length === 0 ? null : scores.reduce((sum, score) => sum + score, 0) / scores.length;
  const completeness = share(
    assessed.filter((row) => (low(row) & CHANNEL_BITS) === 0),
    assessed,
  );
  const timeliness = share(
    assessed.filter((row) => (low(row) & QualityFlag.lateArrival) === 0),
    assessed,
  );
  const consistency = share(
    some.filter((row) => !row.is_anomaly),
    some,
  );
  const overall =
    completeness === null || validity === null || consistency === null || timeliness === null
      ? null
      : 0.3 * completeness + 0.3 * validity + 0.25 * consistency + 0.15 * timeliness;
  const accuracy = share(assessed.filter(isCoherent), assessed);
  const anomalies = some.filter((row) => row.is_anomaly).length;
  return {
    records: some.length,
    anomalies,
    avg_quality: validity,
    completeness,
    validity,
    consistency,
    timeliness,
    accuracy,
    overall,
  };
}

function expectFigures(found: QualityFigures, some: readonly TestRow[]): void {
  const expected = expectedFigures(some);
  for (const [name, value] of Object.entries(expected)) {
    const shown = found[name as keyof QualityFigures];
    if (value === null) expect(shown, name).toBeNull();
    else expect(shown, name).toBeCloseTo(value, 5);
  }
}

const within = (fromUs: number, toUs: number) => (row: TestRow) =>
  row.timestampMs * 1000 >= fromUs && row.timestampMs * 1000 < toUs;
const microsOf = (text: string): number => Date.parse(text) * 1000;

const anyQuestion = fc.record({
  fromMinutes: fc.integer({ min: 1, max: 5 * 1440 }),
  minutes: fc.integer({ min: 1, max: 5 * 1440 }),
  who: fc.constantFrom<{ deviceId?: string; site?: string }>(
    {},
    { deviceId: 'A-2' },
    { site: 'North' },
    { site: 'none' },
  ),
});

describe('the figures of any window', () => {
  it('are those of its records, of the fleet, a site or a device', async () => {
    await fc.assert(
      fc.asyncProperty(anyQuestion, async ({ fromMinutes, minutes, who }) => {
        const fromUs = (nowMs - fromMinutes * MINUTE_MS) * 1000;
        const question = {
          window: { fromUs, toUs: fromUs + minutes * 60e6 },
          nowUs: nowMs * 1000,
          retention: RETENTION,
          ...who,
        };
        const found = await readQuality(server.database, question);
        const [foundFromUs, foundToUs] = [microsOf(found.from), microsOf(found.to)];
        expect(fromUs - foundFromUs).toBeLessThan(60e6);
        const some = rows
          .filter(within(foundFromUs, foundToUs))
          .filter((row) => who.deviceId === undefined || row.device_id === who.deviceId)
          .filter((row) => who.site === undefined || SITES[row.device_id] === who.site);
        expectFigures(found, some);
        expect(found.devices).toBe(new Set(some.map((row) => row.device_id)).size);
      }),
      { numRuns: 40 },
    );
  });

  it.each(['device', 'site', 'hour', 'day', 'fleet'] as const)('are those of its records by %s too', async (by) => {
    const window = { fromUs: (nowMs - 70 * HOUR_MS) * 1000, toUs: nowMs * 1000 };
    const base = { window, nowUs: nowMs * 1000, retention: RETENTION };
    const list = await readQualityList(server.database, { ...base, by, limit: 1000, offset: 0 });
    const unit = by === 'hour' ? HOUR_MS : DAY_MS;
    const keyOf = (row: TestRow): string | null => {
      if (by === 'fleet') return null;
      if (by === 'device') return row.device_id;
      if (by === 'site') return SITES[row.device_id] ?? null;
      return new Date(Math.floor(row.timestampMs / unit) * unit).toISOString().replace('.000Z', 'Z');
    };
    const some = rows.filter(within(microsOf(list.from), microsOf(list.to)));
    const keys = [...new Set(some.map(keyOf))];
    const simple = (key: string | null): string | null => key?.replace(/\.0+Z$/, 'Z') ?? null;
    expect(new Set(list.rows.map(({ key }) => simple(key)))).toEqual(new Set(keys));
    expect(list.total).toBe(keys.length);
    for (const row of list.rows)
      expectFigures(
        row,
        some.filter((each) => keyOf(each) === simple(row.key)),
      );
    if (by === 'hour' || by === 'day')
      expect(list.rows.map(({ key }) => key)).toEqual(
        list.rows.map(({ key }) => key ?? '').sort((one, other) => (one < other ? -1 : 1)),
      );
    else {
      const scores = list.rows.map((row) => row.avg_quality ?? 1);
      expect(scores).toEqual([...scores].sort((one, other) => one - other));
    }
  });
});

it.each([
  ['sites', new DeviceScope(['South'], null), ['B-1']],
  ['devices', new DeviceScope(null, ['A-*']), ['A-1', 'A-2']],
  ['both', new DeviceScope(['North'], ['A-1', 'B-1']), ['A-1']],
])('show of a restricted key (%s) its part of the fleet alone', async (_name, fleet, devices) => {
  const window = { fromUs: (nowMs - DAY_MS) * 1000, toUs: nowMs * 1000 };
  const question = { window, nowUs: nowMs * 1000, retention: RETENTION, fleet };
  const list = await readQualityList(server.database, { ...question, by: 'device', limit: 10, offset: 0 });
  expect(new Set(list.rows.map(({ key }) => key))).toEqual(new Set(devices));
  const summary = await readQuality(server.database, question);
  expect(summary.devices).toBe(devices.length);
  expect(summary.records).toBe(list.rows.reduce((sum, { records }) => sum + records, 0));
});

describe('the API', () => {
  it('answers in the shape of its schemas', async () => {
    const { body: summary } = await get<QualitySummary>('/v1/quality?hours=72&site=North');
    expect(ajv.validate(QualitySummarySchema, summary), ajv.errorsText()).toBe(true);
    expect(summary).toMatchObject({ devices: 2, sources: ['1min', '1hour', 'daily'] });
    const { body: list } = await get<QualityList>('/v1/quality/groups?by=device&hours=72&limit=2&offset=1');
    expect(ajv.validate(QualityListSchema, list), ajv.errorsText()).toBe(true);
    expect(list).toMatchObject({ by: 'device', total: 3, limit: 2, offset: 1 });
    expect(list.rows).toHaveLength(2);
    for (const row of list.rows) {
      expect(row.coverage).toBeGreaterThan(0.7);
      expect(row.coverage).toBeLessThan(0.9);
    }
  });

  it('leads from a figure to the records behind it', async () => {
    const since = new Date(nowMs - 2 * DAY_MS).toISOString();
    const until = new Date(nowMs).toISOString();
    const mine = rows.filter(
      (row) => row.device_id === 'A-1' && row.timestampMs >= nowMs - 2 * DAY_MS && row.timestampMs < nowMs,
    );
    const range = `since=${since}&until=${until}`;
    const { body: problems } = await get<Problems>(`/v1/devices/A-1/quality/problems?${range}`);
    expect(ajv.validate(ProblemsSchema, problems), ajv.errorsText()).toBe(true);
    expect(problems.records).toBe(mine.length);
    const countOf = (name: string): number => problems.problems.find(({ problem }) => problem === name)?.records ?? 0;
    const missing = mine.filter((row) => (splitFlags(row.quality_flags ?? 0).low & 1) !== 0);
    expect(countOf('missing:temperature')).toBe(missing.length);
    expect(countOf('anomaly')).toBe(mine.filter((row) => row.is_anomaly).length);
    expect(countOf('impossible:vibration')).toBe(
      mine.filter((row) => (splitFlags(row.quality_flags ?? 0).high & 2) !== 0).length,
    );
    for (const { problem, records } of problems.problems) {
      const { body } = await get<ProblemRecords>(
        `/v1/devices/A-1/quality/records?${range}&limit=1000&problem=${encodeURIComponent(problem)}`,
      );
      expect(ajv.validate(ProblemRecordsSchema, body), ajv.errorsText()).toBe(true);
      expect(body.records).toHaveLength(records);
      expect(body.records.every((record) => record.problems.includes(problem))).toBe(true);
    }
    const inaccurate = await get<ProblemRecords>(
      `/v1/devices/A-1/quality/records?${range}&limit=1000&problem=inaccurate`,
    );
    expect(inaccurate.body.records).toHaveLength(mine.filter((row) => !isCoherent(row)).length);
  });

  it('gives all records page by page, each once', async () => {
    const since = new Date(nowMs - DAY_MS).toISOString();
    const seen: string[] = [];
    let until: string | null = new Date(nowMs).toISOString();
    while (until !== null) {
      const { body }: { body: ProblemRecords } = await get(
        `/v1/devices/B-1/quality/records?since=${since}&until=${encodeURIComponent(until)}&limit=7`,
      );
      seen.push(...body.records.map(({ timestamp }) => timestamp));
      until = body.next;
    }
    const mine = rows.filter(
      (row) => row.device_id === 'B-1' && row.timestampMs >= nowMs - DAY_MS && row.timestampMs < nowMs,
    );
    expect(seen.map((text) => Date.parse(text))).toEqual(
      mine.map(({ timestampMs }) => timestampMs).sort((one, other) => other - one),
    );
  });

  it.each([
    ['/v1/quality?hours=0', 400],
    ['/v1/quality?since=yesterday', 400],
    ['/v1/quality?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z', 400],
    ['/v1/quality/groups?by=colour', 400],
    ['/v1/devices/A-1/quality/records?problem=ugly', 400],
    ['/v1/devices/A-1/quality/problems?hours=2000', 400],
    ['/v1/devices/nobody/quality/problems', 404],
    ['/v1/devices/nobody/gaps', 404],
  ])('refuses %s', async (path, status) => {
    const answer = await get<{ error: { message: string } }>(path);
    expect(answer.status).toBe(status);
    expect(answer.body.error.message.length).toBeGreaterThan(10);
  });
});

describe('gaps', () => {
  const gapsOf = async (deviceId: string, fromMs: number, toMs: number): Promise<Gaps> =>
    (await readGaps(server.database, {
      deviceId,
      window: { fromUs: fromMs * 1000, toUs: toMs * 1000 },
      nowUs: nowMs * 1000,
      retention: RETENTION,
      limit: 100,
    })) as Gaps;

  const insertAt = async (
    deviceId: string,
    intervalSeconds: number,
    instantsMs: readonly number[],
    mode = 'periodic',
  ) => {
    await server.database.execute(
      `INSERT INTO devices (device_id, expected_interval_seconds, reporting_mode, first_seen) VALUES ($1, $2, $3, $4::timestamptz)`,
      [deviceId, intervalSeconds, mode, new Date(Math.min(...instantsMs)).toISOString()],
    );
    await server.database.execute(
      `INSERT INTO telemetry ("timestamp", device_id, temperature) SELECT at, $1, 1 FROM unnest($2::timestamptz[]) at`,
      [deviceId, instantsMs.map((ms) => new Date(ms).toISOString())],
    );
  };
  const every = (fromMs: number, toMs: number, seconds: number): number[] =>
    Array.from({ length: Math.ceil((toMs - fromMs) / 1000 / seconds) }, (_, index) => fromMs + index * seconds * 1000);

  it('are what lies between readings, from the beginning and until now', async () => {
    const startMs = nowMs - 10 * HOUR_MS;
    await insertAt('gappy', 30, [
      ...every(startMs, startMs + HOUR_MS, 30),
      ...every(startMs + 2 * HOUR_MS, nowMs - HOUR_MS, 30),
    ]);
    const found = await gapsOf('gappy', nowMs - DAY_MS, nowMs);
    expect(ajv.validate(GapsSchema, found), ajv.errorsText()).toBe(true);
    expect(found).toMatchObject({ source: 'raw', total: 2, threshold_seconds: 90 });
    expect(found.gaps[0]?.seconds).toBeCloseTo(3630, 3);
    expect(found.gaps[0]?.missing_records).toBe(120);
    expect(Date.parse(found.gaps[1]?.to ?? '')).toBe(nowMs);
    // Before it was first seen there is nothing that could be missing.
    expect(Date.parse(found.from)).toBe(startMs);
    const later = await gapsOf('gappy', startMs + 90 * MINUTE_MS, startMs + 4 * HOUR_MS);
    expect(later.gaps).toMatchObject([{ seconds: 1800 }]);
  });

  it('are not told of a device that reports by exception', async () => {
    await insertAt('quiet', 60, [nowMs - 9 * HOUR_MS, nowMs - HOUR_MS], 'by_exception');
    expect(await gapsOf('quiet', nowMs - DAY_MS, nowMs)).toMatchObject({ threshold_seconds: null, total: 0, gaps: [] });
  });

  it('come from the minutes with data where there are too many readings', async () => {
    await insertAt('fast', 1, [
      ...every(nowMs - 5 * DAY_MS, nowMs - 5 * DAY_MS + HOUR_MS, 60),
      ...every(nowMs - 5 * DAY_MS + 3 * HOUR_MS, nowMs - 5 * DAY_MS + 4 * HOUR_MS, 60),
    ]);
    const found = await gapsOf('fast', nowMs - 5 * DAY_MS, nowMs - 5 * DAY_MS + 3.5 * HOUR_MS + DAY_MS);
    expect(found.source).toBe('raw');
    await refreshAggregates(
      server.database,
      new Date(nowMs - 6 * DAY_MS).toISOString(),
      new Date(nowMs - 2 * DAY_MS).toISOString(),
    );
    const long = await gapsOf('fast', nowMs - 5 * DAY_MS, nowMs);
    expect(long.source).toBe('1min');
    expect(long.total).toBe(2);
    expect(long.gaps[0]?.seconds).toBeGreaterThan(118 * 60);
    expect(long.gaps[0]?.seconds).toBeLessThanOrEqual(121 * 60);
  });
});

describe('the alert about low quality', () => {
  it('has the figures of the list, by what is asked for, and lingers between its thresholds', async () => {
    const settings = {
      ...loadConfig({ environment: {} }).alerts.qualityLow,
      by: ['fleet' as const, 'site' as const],
      dimensions: ['validity' as const],
      // All there is, whatever the clock says by now.
      windowMinutes: 7 * 24 * 60,
      leastRecords: 1,
    };
    const window = { fromUs: (nowMs - 6 * DAY_MS) * 1000, toUs: nowMs * 1000 };
    const question = { window, nowUs: nowMs * 1000, retention: RETENTION, limit: 100, offset: 0 };
    const sites = (await readQualityList(server.database, { ...question, by: 'site' })).rows.filter(
      ({ key, validity }) => key !== null && validity !== null && validity < 1,
    );
    const find = (below: number, resolveAbove: number) =>
      qualityLowRule(server.database, { ...settings, below, resolveAbove }, RETENTION).find();
    expect((await find(1, 1)).map(({ labels }) => [labels['by'], labels['site']])).toEqual([
      ['fleet', undefined],
      ...sites.map(({ key }) => ['site', key]),
    ]);
    expect((await find(0, 1)).map(({ isLingering }) => isLingering)).toEqual([true, true, true]);
    expect(await find(0, 0)).toEqual([]);
    const worst = sites[0]?.validity ?? 0;
    const [found] = (await find(worst + 1e-6, worst + 1e-6)).filter(({ labels }) => labels['site'] === sites[0]?.key);
    expect(found?.summary).toMatch(/^The quality of the data of site \w+ \(validity\) is [\d.]+ %, below [\d.]+ %\.$/);
  });
});
