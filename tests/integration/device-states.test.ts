/** What devices taught the evaluator, through the whole pipeline, with Redis coming and going. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Database } from '../../src/storage/database.js';
import { QualityFlag } from '../../src/telemetry/quality-flags.js';
import { startFaultProxy } from '../support/fault-proxy.js';
import { startPipeline, type RunningPipeline } from '../support/pipeline.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { openPlainTarget, type PlainTarget } from '../support/storage-targets.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

/** Older than what a device without saved state learns again from its rows: whatever is known of it was saved. */
const LONG_AGO_MS = Date.now() - 3 * 86_400_000;

let postgres: PostgresServer;
let target: PlainTarget;
let database: Database;
let redis: RedisServer;

beforeAll(async () => {
  [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  target = await openPlainTarget(postgres);
  ({ database } = target);
}, 60_000);
afterAll(async () => {
  await target.remove();
  await Promise.all([postgres.remove(), redis.remove()]);
});
beforeEach(async () => {
  await database.script(
    'TRUNCATE telemetry, devices, episode_states, device_latest, device_state, dead_letters, late_days',
  );
  await redis.flush();
});

async function start(overrides: Record<string, unknown> = {}, through = database): Promise<RunningPipeline> {
  const pipeline = await startPipeline(through, temporaryDirectory('states'), {
    'state.url': redis.url,
    'pipeline.checkpointIntervalMs': 100,
    ...overrides,
  });
  onTestFinished(() => pipeline.stop());
  return pipeline;
}

/** Seconds `from` … `to` − 1 of a well whose temperature moves a little. */
const records = (device: string, from: number, to: number, startMs = LONG_AGO_MS): object[] =>
  Array.from({ length: to - from }, (_, index) => ({
    device_id: device,
    timestamp: new Date(startMs + (from + index) * 1000).toISOString(),
    temperature: 80 + Math.sin((from + index) / 5),
    rpm: 2900,
  }));

const hashOf = async (device: string, kind = 'stats'): Promise<Record<string, string>> =>
  (await redis.command('hgetall', `device:${device}:${kind}`)) as Record<string, string>;

const rows = async (): Promise<number> =>
  Number((await database.query('SELECT count(*) AS n FROM telemetry'))[0]?.['n']);

/** Waits until the saved state of a device has learned so many temperatures. */
async function learned(device: string, count: number): Promise<void> {
  while ((await hashOf(device))['temp_count'] !== String(count))
    await new Promise((resolve) => setTimeout(resolve, 20));
}

/** The state after so many records if Redis was there all the time. */
async function undisturbed(count: number): Promise<Record<string, string>> {
  const pipeline = await start();
  await pipeline.publish(records('undisturbed', 0, count));
  await pipeline.drained();
  await pipeline.stop();
  return hashOf('undisturbed');
}

describe('device state in Redis, through the pipeline', () => {
  it('is where the installed base looks for it, and goes on after a restart', async () => {
    const first = await start();
    await first.publish(records('w1', 0, 60));
    await first.drained();
    await first.stop();
    const { temp_mean, temp_std, temp_count } = await hashOf('w1');
    expect(Number(temp_mean)).toBeCloseTo(80, 0);
    expect(Number(temp_std)).toBeGreaterThan(0.1);
    expect(temp_count).toBe('60');
    expect(await database.query('SELECT * FROM device_state')).toEqual([]);
    const second = await start();
    await second.publish(records('w1', 60, 100));
    await second.drained();
    await learned('w1', 100);
    expect(await hashOf('w1')).toEqual(await undisturbed(100));
  });

  it('has the detector go on bit by bit where it was, after a restart and after a kill', async () => {
    const expected = async (): Promise<Record<string, string>> => {
      await undisturbed(460);
      return hashOf('undisturbed', 'det');
    };
    const first = await start();
    await first.publish(records('w1', 0, 400));
    await first.drained();
    await first.stop();
    const saved = await hashOf('w1', 'det');
    const statsAt400 = await hashOf('w1');
    expect(saved).toMatchObject({ detector: "'level-shift", version: '3' });
    const second = await start();
    await second.publish(records('w1', 400, 460));
    await second.drained();
    await second.stop();
    const after = await hashOf('w1', 'det');
    const { rules } = await hashOf('w1');
    expect(after).toEqual(await expected());
    // As after a kill: what was saved is older than the rows that are stored.
    await redis.command('del', 'device:w1:det', 'device:w1:stats');
    await redis.command('hset', 'device:w1:det', ...Object.entries(saved).flat());
    await redis.command('hset', 'device:w1:stats', ...Object.entries(statsAt400).flat());
    const third = await start();
    await third.publish(records('w1', 459, 460));
    await third.drained();
    await third.stop();
    expect(await hashOf('w1', 'det')).toEqual(after);
    expect((await hashOf('w1'))['rules']).toBe(rules);
  });

  it('has the rules that look back go on after a restart, as the profile of the device says', async () => {
    await database.execute(
      `INSERT INTO devices (device_id, reporting_mode, profile) VALUES ('exception', 'by_exception', '{}'), ('own', 'periodic', $1)`,
      [JSON.stringify({ rated: { currentA: 'forty' }, rules: { channels: { vibration: { frozenAfter: 150 } } } })],
    );
    const devices = ['plain', 'own', 'exception'];
    // Lively for a hundred seconds, frozen from then on.
    const vibrating = (from: number, to: number): object[] =>
      devices.flatMap((device) =>
        records(device, from, to).map((record, index) => ({
          ...record,
          vibration: 0.2 + ((Math.min(from + index, 99) * 7) % 11) / 1000,
        })),
      );
    const first = await start();
    await first.publish(vibrating(0, 200));
    await first.drained();
    await first.stop();
    const second = await start();
    await second.publish(vibrating(200, 300));
    await second.drained();
    await second.stop();
    const frozen = await database.query(
      `SELECT device_id, count(*)::int AS n, min(anomaly_cause) AS cause FROM telemetry
       WHERE quality_flags & ${QualityFlag.frozenReading} <> 0 GROUP BY 1 ORDER BY 1`,
    );
    expect(frozen).toEqual([
      { device_id: 'own', n: 300 - 249, cause: 301 },
      { device_id: 'plain', n: 300 - 219, cause: 301 },
    ]);
    expect(first.said.named('profile_ignored')).toEqual([
      { device: 'own', problem: expect.stringMatching(/^rated\.currentA is "forty": it has to be a number/) as string },
    ]);
  });

  it('takes over the mean and deviation that the installed base has written', async () => {
    await redis.command('hset', 'device:moved:stats', 'temp_mean', '80.5', 'temp_std', '1.5');
    const pipeline = await start({ 'detection.detector': 'z-score' });
    await pipeline.publish([
      { device_id: 'moved', timestamp: new Date().toISOString(), temperature: 90 },
      { device_id: 'unknown', timestamp: new Date().toISOString(), temperature: 90 },
    ]);
    await pipeline.drained();
    expect(await database.query('SELECT device_id, is_anomaly FROM telemetry ORDER BY device_id')).toEqual([
      { device_id: 'moved', is_anomaly: true },
      { device_id: 'unknown', is_anomaly: false },
    ]);
  });

  it('learns nothing from stored rows that the detector never saw', async () => {
    await database.execute(
      `INSERT INTO telemetry (device_id, "timestamp", temperature, rpm, quality_flags)
       SELECT 'w1', now() - n * INTERVAL '1 minute', 80, 2900, CASE WHEN n % 3 = 0 THEN $1::bigint ELSE 0 END
       FROM generate_series(1, 30) n`,
      [QualityFlag.notEvaluated],
    );
    const pipeline = await start();
    await pipeline.publish([{ device_id: 'w1', timestamp: new Date().toISOString(), temperature: 80, rpm: 2900 }]);
    await pipeline.drained();
    await learned('w1', 21);
  });

  it('Redis away at the start and back later: nothing waits, and the saved state is joined, not replaced', async () => {
    const before = await start();
    await before.publish(records('w1', 0, 100));
    await before.drained();
    await before.stop();
    await redis.stop();
    const pipeline = await start();
    await pipeline.publish(records('w1', 100, 120));
    await pipeline.publish(records('new', 0, 30));
    await pipeline.drained();
    expect(await rows()).toBe(150);
    expect(await pipeline.metrics.value('telemetry_device_state_failures_total')).toBeGreaterThan(0);
    await redis.restart();
    await learned('w1', 120);
    await learned('new', 30);
    expect(await hashOf('w1')).toEqual(await undisturbed(120));
    await pipeline.publish(records('w1', 120, 130));
    await learned('w1', 130);
  });

  it('stopping while Redis is away leaves the saved state as it is, and the next start catches up', async () => {
    const before = await start();
    await before.publish(records('w1', 0, 100));
    await before.drained();
    await before.stop();
    const saved = await hashOf('w1');
    await redis.kill();
    const during = await start();
    await during.publish(records('w1', 100, 120));
    await during.drained();
    await during.stop();
    await redis.restart();
    expect(await hashOf('w1')).toEqual(saved);
    const after = await start();
    await after.publish(records('w1', 120, 121));
    await after.drained();
    await learned('w1', 121);
    expect(await hashOf('w1')).toEqual(await undisturbed(121));
  });

  it('Redis restarted and flushed under load: memory goes on, and is written again as it is', async () => {
    const pipeline = await start();
    await pipeline.publish(records('w1', 0, 50));
    await pipeline.drained();
    await learned('w1', 50);
    await redis.kill();
    await pipeline.publish(records('w1', 50, 80));
    await pipeline.drained();
    await redis.restart();
    await learned('w1', 80);
    await redis.flush();
    await pipeline.publish(records('w1', 80, 100));
    await pipeline.drained();
    await learned('w1', 100);
    expect(await hashOf('w1')).toEqual(await undisturbed(100));
    const { came, went } = await pipeline.books();
    expect(went).toBe(came);
  });

  it('a memory that has learned more than the saved state is kept', async () => {
    const recentMs = Date.now() - 3_600_000;
    const first = await start();
    await first.publish(records('w1', 0, 100, recentMs));
    await first.drained();
    await first.stop();
    // As after Redis was restored from a copy made early on, with a gap that the rows do not fill.
    const { last_us } = await hashOf('w1');
    await redis.command('hset', 'device:w1:stats', 'temp_count', 5, 'temp_mean', 1, 'last_us', String(last_us));
    await redis.stop();
    const second = await start(); // learns the hundred again from the rows
    await second.publish(records('w1', 100, 110, recentMs));
    await second.drained();
    await redis.restart();
    await learned('w1', 110);
    expect(Number((await hashOf('w1'))['temp_mean'])).toBeCloseTo(80, 0);
  });

  it.each([
    ['a stop', 'stop'],
    ['a failure that only an operator can help', 'rename'],
  ] as const)('an import cut off by %s leaves nothing behind: repeated, its records are judged', async (_, end) => {
    const proxy = await startFaultProxy(postgres.port);
    onTestFinished(() => proxy.close());
    const flaky = await target.connect({ port: proxy.port });
    const expected = await undisturbed(200);
    let pipeline = await start({}, flaky);
    await pipeline.publish(records('w1', 0, 100));
    await learned('w1', 100);
    const body = Buffer.from(JSON.stringify(records('w1', 100, 200)));
    const headers = {
      schemaVersion: 1,
      contentType: 'application/json',
      records: 100,
      receivedUs: null,
      source: 'import',
    } as const;

    if (end === 'stop') {
      proxy.refuse();
      const cutOff = expect(pipeline.pipeline.ingestNow(body, headers)).rejects.toMatchObject({ retryable: true });
      await expect.poll(() => pipeline.metrics.value('telemetry_write_retries_total')).toBeGreaterThan(0);
      await pipeline.pipeline.stop();
      await cutOff;
      proxy.heal();
      expect((await hashOf('w1'))['temp_count']).toBe('100');
      pipeline = await start({}, flaky);
    } else {
      await database.script('ALTER TABLE telemetry RENAME TO elsewhere');
      const cutOff = pipeline.pipeline.ingestNow(body, headers);
      await expect(cutOff).rejects.toMatchObject({ code: 'statement_failed', retryable: false });
      await database.script('ALTER TABLE elsewhere RENAME TO telemetry');
    }
    expect((await pipeline.pipeline.ingestNow(body, headers)).outcomes).toMatchObject({ stored: 100 });
    await learned('w1', 200);
    expect(await hashOf('w1')).toEqual(expected);
    const unjudged = `SELECT count(*) AS n FROM telemetry WHERE quality_flags & (1 << 24) <> 0`;
    expect(await database.query(unjudged)).toEqual([{ n: 0 }]);
  });
});
