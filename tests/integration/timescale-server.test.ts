/** From the queue to the public views, with the jobs at work: on the embedded database and on a server. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { DeviceList, Series } from '../../src/console/api-schemas.js';
import type { JobDefinition } from '../../src/jobs/job.js';
import { jobDefinitions } from '../../src/jobs/job-definitions.js';
import { JobRunner } from '../../src/jobs/job-runner.js';
import type { Database } from '../../src/storage/database.js';
import { storageStatistics } from '../../src/storage/statistics.js';
import { startPipeline, type RunningPipeline } from '../support/pipeline.js';
import { recordEvents } from '../support/record-events.js';
import { settled, startService, type Service } from '../support/service.js';
import { openMigratedTarget } from '../support/storage-targets.js';
import { insertRows, randomRow, seededRandom } from '../support/telemetry-rows.js';
import {
  createTemporaryDirectory,
  temporaryDirectory,
  type TemporaryDirectory,
} from '../support/temporary-directory.js';
import {
  createScratchDatabase,
  timescaleServerUrl,
  timescaleTargets,
  type OpenedTarget,
} from '../support/timescale-targets.js';

const MINUTE = 60_000;
const DAY = 86_400_000;

/** A record every half minute of that hour: temperature 80 in the first half of a minute and 82 in the second. */
const hourOf = (deviceId: string, startMs: number): Record<string, unknown>[] =>
  Array.from({ length: 120 }, (_, index) => ({
    device_id: deviceId,
    timestamp: new Date(startMs + index * 30_000).toISOString(),
    temperature: 80 + 2 * (index % 2),
  }));

describe.each(timescaleTargets())('what is published, $name', (target) => {
  const midnightMs = Math.floor(Date.now() / DAY) * DAY;
  const recentMs = midnightMs - 2 * DAY + 10 * 60 * MINUTE;
  const oldMs = midnightMs - 20 * DAY + 10 * 60 * MINUTE;
  let opened: OpenedTarget;
  let database: Database;
  let runner: JobRunner;
  let directory: TemporaryDirectory;
  let pipeline: RunningPipeline;

  beforeAll(async () => {
    opened = await openMigratedTarget(target);
    database = opened.database;
    runner = new JobRunner({ database, events: recordEvents(), jobs: jobDefinitions(database.capabilities.timescale) });
    directory = createTemporaryDirectory('published');
    pipeline = await startPipeline(database, directory.path);
  });
  afterAll(async () => {
    await pipeline?.stop();
    await runner?.stop();
    await opened?.remove();
    await directory?.remove();
  });

  const run = async (...names: string[]): Promise<void> => {
    for (const name of names) {
      expect(await runner.runNow(name)).toMatchObject({ job: name, result: 'succeeded', detail: { more: false } });
    }
  };
  const hours = (): Promise<unknown[]> =>
    database.query(
      `SELECT device_id, (extract(epoch FROM bucket) * 1000)::bigint AS ms, sample_count, temp_avg, temp_min, temp_max, rpm_n
       FROM telemetry_1hour ORDER BY bucket`,
    );
  const hour = (deviceId: string, ms: number, more = {}): Record<string, unknown> => ({
    device_id: deviceId,
    ms,
    sample_count: 120,
    temp_avg: 81,
    temp_min: 80,
    temp_max: 82,
    rpm_n: 0,
    ...more,
  });

  it('is in the public views, old and new, before and after refresh and compression', async () => {
    await pipeline.publish(hourOf('esp-1', recentMs));
    await pipeline.publish(hourOf('esp-2', oldMs));
    await pipeline.drained();
    const expected = [hour('esp-2', oldMs), hour('esp-1', recentMs)];
    expect(await hours()).toEqual(expected);
    await run('refresh-1min', 'refresh-1hour', 'refresh-daily', 'refresh-late', 'compress');
    const { telemetry, aggregates } = await storageStatistics(database);
    expect(telemetry).toMatchObject({ chunks: 2, compressedChunks: 1 });
    expect(aggregates.every(({ watermarkSeconds }) => watermarkSeconds !== null)).toBe(true);
    expect(await hours()).toEqual(expected);
  });

  it('reaches compressed chunks and stored hours, whatever it is: new, the same, more, or a contradiction', async () => {
    const [first, second, ...others] = hourOf('esp-2', oldMs);
    await pipeline.publish([
      { ...first, temperature: 40 },
      { ...second, rpm: 2900 },
      ...others,
      { ...first, timestamp: new Date(oldMs + 1).toISOString(), temperature: 83 },
      { ...first, timestamp: '2999-01-01T00:00:00Z' },
    ]);
    await pipeline.drained();
    await run('refresh-late');
    expect(await hours()).toEqual([
      hour('esp-2', oldMs, {
        sample_count: 121,
        temp_avg: (81 * 120 + 83) / 121,
        temp_max: 83,
        rpm_n: 1,
      }),
      hour('esp-1', recentMs),
    ]);
    expect(await database.query('SELECT code FROM dead_letters ORDER BY code')).toEqual([
      { code: 'conflict' },
      { code: 'future_timestamp' },
    ]);
    const { came, went } = await pipeline.books();
    expect(went).toBe(came);
  });
});

describe.each(timescaleTargets())('two job runners on one database, $name', (target) => {
  let opened: OpenedTarget;
  beforeAll(async () => {
    opened = await openMigratedTarget(target);
  });
  afterAll(() => opened?.remove());

  it('never run jobs of a lane at the same time, and both get on while rows come in', async () => {
    const { database } = opened;
    const random = seededRandom(11);
    const nowMs = Date.now();
    const running = new Map<string, number>();
    let most = 0;
    let runs = 0;
    /** The real jobs, as often as they can. */
    const counted = (definition: JobDefinition): JobDefinition => ({
      ...definition,
      intervalSeconds: 0.01,
      initialDelaySeconds: 0,
      async run(context) {
        const { lane } = definition;
        running.set(lane, (running.get(lane) ?? 0) + 1);
        most = Math.max(most, ...running.values());
        try {
          return await definition.run(context);
        } finally {
          running.set(lane, (running.get(lane) ?? 0) - 1);
          runs++;
        }
      },
    });
    const events = recordEvents();
    const runners = await Promise.all(
      [0, 1].map(
        async () =>
          new JobRunner({ database: await opened.connect(), events, jobs: jobDefinitions('community').map(counted) }),
      ),
    );
    for (const runner of runners) runner.start();
    const rows = [];
    for (let step = 0; step < 40 || runs < 40; step++) {
      const ageMs = [0, 3, 12, 45][step % 4] as number;
      const added = [1, 2, 3].map((device) => randomRow(random, `esp-${device}`, nowMs - ageMs * DAY - step * MINUTE));
      const day = new Date(nowMs - ageMs * DAY - step * MINUTE).toISOString().slice(0, 10);
      await insertRows(database, added, ageMs > 6 ? [day] : []);
      rows.push(...added);
    }
    await Promise.all(runners.map((runner) => runner.stop()));
    expect(events.named('job_failed')).toEqual([]);
    expect(most).toBe(1);
    // What came in last may have come after the last run.
    const last = new JobRunner({ database, events, jobs: jobDefinitions('community') });
    for (const name of ['refresh-1min', 'refresh-1hour', 'refresh-daily', 'refresh-late']) {
      expect(await last.runNow(name)).toMatchObject({ result: 'succeeded', detail: { more: false } });
    }
    const stored = await database.query(
      `SELECT sum(sample_count)::int AS daily, (SELECT count(*)::int FROM telemetry) AS there,
         (SELECT count(*)::int FROM job_runs WHERE result <> 'succeeded') AS unsuccessful FROM telemetry_daily`,
    );
    expect(stored).toEqual([{ daily: rows.length, there: rows.length, unsuccessful: 0 }]);
  });
});

const get = async <T>(service: Service, path: string): Promise<T> =>
  (await (await fetch(service.url + path)).json()) as T;

const serverUrl = timescaleServerUrl();
// Not a skip: without the server there is nothing to run it on, and the test script lists this file as not run in part.
if (serverUrl !== undefined) {
  describe('downhole up on a server', () => {
    it('stores there what is posted, shows it, and finds it again after a restart', async () => {
      const scratch = await createScratchDatabase(serverUrl);
      try {
        const dataDir = temporaryDirectory('up');
        const startMs = Math.floor(Date.now() / MINUTE) * MINUTE - 90 * MINUTE;
        const records = hourOf('esp-1', startMs);
        for (const outcome of ['stored', 'duplicate']) {
          const service = await startService(dataDir, { DOWNHOLE_DATABASE_URL: scratch.url });
          try {
            const response = await fetch(`${service.url}/v1/telemetry`, {
              method: 'POST',
              headers: { 'content-type': 'application/json' },
              body: JSON.stringify(records),
            });
            expect(response.status).toBe(202);
            expect(await settled(service)).toMatchObject({ came: 120, went: 120 });
            const metrics = await (await fetch(`${service.url}/metrics`)).text();
            expect(metrics).toMatch(new RegExp(`^telemetry_records_total{.*outcome="${outcome}".*} 120$`, 'm'));
            // Last values follow the records within seconds.
            await vi.waitFor(
              async () =>
                expect(await get<DeviceList>(service, '/v1/devices')).toMatchObject({
                  total: 1,
                  devices: [{ device_id: 'esp-1', values: { temperature: { value: 82 } } }],
                }),
              { timeout: 30_000, interval: 200 },
            );
            const range = new URLSearchParams({
              from: new Date(startMs).toISOString(),
              to: new Date(startMs + 60 * MINUTE).toISOString(),
              channels: 'temperature',
            });
            const series = await get<Series>(service, `/v1/devices/esp-1/series?${range.toString()}`);
            expect(series.timestamps).toHaveLength(120);
            expect(series.channels['temperature']?.avg).toEqual(records.map((record) => record['temperature']));
            expect(await service.stop()).toBe(0);
          } finally {
            await service.kill();
          }
        }
      } finally {
        await scratch.remove();
      }
    }, 90_000);
  });
}
