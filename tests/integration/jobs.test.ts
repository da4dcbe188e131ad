import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { JobDefinition } from '../../src/jobs/job.js';
import { jobDefinitions } from '../../src/jobs/job-definitions.js';
import { JobRunLog } from '../../src/jobs/job-run-log.js';
import { JobRunner } from '../../src/jobs/job-runner.js';
import { refreshLateJob } from '../../src/jobs/refresh-late-job.js';
import type { Database } from '../../src/storage/database.js';
import { migrate } from '../../src/storage/migrator.js';
import { openDatabase } from '../../src/storage/open-database.js';
import { OperationalError } from '../../src/telemetry/operational-error.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { recordEvents, type RecordedEvents } from '../support/record-events.js';
import { insertRows, randomRow, seededRandom } from '../support/telemetry-rows.js';
import { timescaleTargets, type OpenedTarget } from '../support/timescale-targets.js';

/** A job that does nothing in particular, once a millisecond. */
const job = (name: string, changes: Partial<JobDefinition> = {}): JobDefinition => ({
  name,
  description: name,
  lane: 'housekeeping',
  intervalSeconds: 0.001,
  initialDelaySeconds: 0,
  run: () => Promise.resolve({ detail: {}, more: false }),
  findFault: () => Promise.resolve(null),
  ...changes,
});

describe('the job runner, on two connections of a server', () => {
  let server: PostgresServer;
  let databases: [Database, Database];
  let events: RecordedEvents;

  beforeAll(async () => {
    server = await startPostgres();
    const url = await server.createDatabase();
    const open = (): Promise<Database> =>
      openDatabase({ dataDir: '', database: { url, poolSize: 4, statementTimeoutMs: 20_000 } }, recordEvents());
    databases = [await open(), await open()];
    await migrate(databases[0], { events: recordEvents(), subset: 'plain' });
  });
  afterAll(async () => {
    await Promise.all(databases.map((database) => database.close()));
    await server.remove();
  });
  beforeEach(async () => {
    events = recordEvents();
    await databases[0].execute('DELETE FROM job_runs');
  });

  const runnerOf = (database: Database, jobs: JobDefinition[], runBudgetMs?: number): JobRunner =>
    new JobRunner({ database, events, jobs, ...(runBudgetMs === undefined ? {} : { runBudgetMs }) });

  it('never runs jobs of a lane at the same time, in one process or in two', async () => {
    let running = 0;
    let most = 0;
    let runs = 0;
    let enough: () => void;
    const done = new Promise<void>((resolve) => (enough = resolve));
    const counting = (name: string): JobDefinition =>
      job(name, {
        async run({ database }) {
          most = Math.max(most, ++running);
          await database.query('SELECT pg_sleep(0.005)');
          running--;
          if (++runs === 20) enough();
          return { detail: {}, more: true };
        },
      });
    const runners = databases.map((database) => runnerOf(database, [counting('one'), counting('two')]));
    for (const runner of runners) runner.start();
    await done;
    await Promise.all(runners.map((runner) => runner.stop()));
    expect(most).toBe(1);
    expect(running).toBe(0);
    expect(await databases[0].query(`SELECT DISTINCT result FROM job_runs`)).toEqual([{ result: 'succeeded' }]);
  });

  it('goes on with the others when one fails, and tells why it failed', async () => {
    let enough: () => void;
    const done = new Promise<void>((resolve) => (enough = resolve));
    let runs = 0;
    const runner = runnerOf(databases[0], [
      job('broken', { run: () => Promise.reject(new OperationalError('test', 'it broke')) }),
      job('sound', {
        run() {
          if (++runs === 3) enough();
          return Promise.resolve({ detail: {}, more: true });
        },
      }),
    ]);
    runner.start();
    await done;
    await runner.stop();
    const [broken, sound] = await runner.list();
    expect(broken?.lastRun).toMatchObject({ result: 'failed', error: 'it broke' });
    expect(sound?.lastRun).toMatchObject({ result: 'succeeded', error: null });
    expect(events.named('job_failed')).toContainEqual({
      job: 'broken',
      attempt: 1,
      dueInSeconds: 0,
      error: expect.any(OperationalError) as unknown,
    });
    expect(events.named('job_finished').every((event) => event.job === 'sound')).toBe(true);
  });

  it('counts the failures in a row over processes, and says once that a job is failing and that it has recovered', async () => {
    let isBroken = true;
    const fragile = job('fragile', {
      run: () => (isBroken ? Promise.reject(new Error('it broke')) : Promise.resolve({ detail: {}, more: false })),
    });
    const runners = databases.map((database) => runnerOf(database, [fragile]));
    const attempts: number[] = [];
    for (let turn = 0; turn < 5; turn++) {
      const run = await (runners[turn % 2] as JobRunner).runNow('fragile');
      attempts.push(run.attempt);
      // As scheduled with its pause, and never beyond the regular time.
      expect(Date.parse(run.dueAt ?? '')).toBeLessThanOrEqual(Date.parse(run.finishedAt ?? '') + 1);
    }
    expect(attempts).toEqual([1, 2, 3, 4, 5]);
    expect(events.named('job_failing')).toEqual([{ job: 'fragile', attempts: 3, error: expect.any(Error) as unknown }]);
    isBroken = false;
    expect(await (runners[1] as JobRunner).runNow('fragile')).toMatchObject({ attempt: 6, result: 'succeeded' });
    expect(await (runners[1] as JobRunner).runNow('fragile')).toMatchObject({ attempt: 1, result: 'succeeded' });
    expect(events.named('job_recovered')).toEqual([{ job: 'fragile', attempts: 5 }]);
  });

  it('tries again after a failure before the regular time, and runs at the regular time afterwards', async () => {
    let runs = 0;
    const rare = job('rare', {
      intervalSeconds: 86_400,
      run: () =>
        ++runs < 2
          ? Promise.reject(new OperationalError('test', 'once'))
          : Promise.resolve({ detail: {}, more: false }),
    });
    const runner = runnerOf(databases[0], [rare]);
    runner.start();
    const nextOf = async (): Promise<number> => ((await runner.list())[0]?.nextRunSeconds ?? 0) - Date.now() / 1000;
    await expect.poll(() => events.named('job_finished').length, { timeout: 30_000 }).toBe(1);
    await expect.poll(nextOf).toBeGreaterThan(80_000);
    await runner.stop();
    expect(events.named('job_failed')).toHaveLength(1);
    expect(await databases[0].query(`SELECT result, attempt FROM job_runs WHERE job = 'rare' ORDER BY id`)).toEqual([
      { result: 'failed', attempt: 1 },
      { result: 'succeeded', attempt: 2 },
    ]);
  });

  it('counts what fails while the database is away, and tries again', async () => {
    const closed = await openDatabase(
      { dataDir: '', database: { url: await server.createDatabase(), poolSize: 2, statementTimeoutMs: 20_000 } },
      recordEvents(),
    );
    await closed.close();
    const runner = runnerOf(closed, [job('away')]);
    runner.start();
    await expect.poll(() => events.named('job_failing').length, { timeout: 30_000 }).toBe(1);
    await runner.stop();
  });

  it('marks a run that a killed process left behind', async () => {
    await databases[0].execute(`INSERT INTO job_runs (job) VALUES ('killed')`);
    await runnerOf(databases[0], [job('killed')]).runNow('killed');
    expect(await databases[0].query('SELECT result, error FROM job_runs ORDER BY id')).toEqual([
      { result: 'failed', error: 'interrupted: the process ended during the run' },
      { result: 'succeeded', error: null },
    ]);
  });

  it('runs on after a clock that went ahead was set back', async () => {
    await databases[0].execute(
      `INSERT INTO job_runs (job, started_at, finished_at, result, detail)
       VALUES ('tidy', now() + interval '1 year', now() + interval '1 year', 'succeeded', '{"more": false}')`,
    );
    const log = new JobRunLog(databases[0]);
    expect(await log.finishedWithin('tidy', 60)).toBe(false);
    await databases[0].execute(`UPDATE job_runs SET started_at = now() - interval '1 second'`);
    expect(await log.finishedWithin('tidy', 60)).toBe(true);
  });

  it.each([-86_400_000, 86_400_000])(
    'keeps its schedule when the clock is set by %d ms during a run',
    async (jumpMs) => {
      vi.useFakeTimers({ toFake: ['Date'] });
      onTestFinished(() => void vi.useRealTimers());
      let runs = 0;
      const jumping = job('jumping', {
        async run() {
          if (++runs === 2) vi.setSystemTime(Date.now() + jumpMs);
          return { detail: {}, more: false };
        },
      });
      const runner = runnerOf(databases[0], [jumping]);
      runner.start();
      await expect.poll(() => runs, { timeout: 10_000 }).toBeGreaterThan(5);
      const [status] = await runner.list();
      expect(Math.abs((status?.nextRunSeconds ?? Date.now() / 1000) - Date.now() / 1000)).toBeLessThan(60);
      await runner.stop();
    },
  );

  it('asks a long run to hand back, and comes again at once', async () => {
    let done = 0;
    const stepwise = job('stepwise', {
      async run({ shouldYield, slice }) {
        do done = await slice(() => Promise.resolve(done + 1));
        while (done < 3 && !shouldYield());
        return { detail: { done }, more: done < 3 };
      },
    });
    const runner = runnerOf(databases[0], [stepwise], -1);
    expect((await runner.runNow('stepwise')).detail).toEqual({ done: 1, more: true });
    expect((await runner.runNow('stepwise')).detail).toEqual({ done: 2, more: true });
    expect((await runner.runNow('stepwise')).detail).toEqual({ done: 3, more: false });
  });

  it('stops between two slices', async () => {
    let slices = 0;
    let first: () => void;
    const begun = new Promise<void>((resolve) => (first = resolve));
    const endless = job('endless', {
      async run({ database, shouldYield, slice }) {
        while (!shouldYield()) {
          await slice(() => database.query('SELECT pg_sleep(0.01)'));
          slices++;
          first();
        }
        return { detail: { slices }, more: true };
      },
    });
    const runner = runnerOf(databases[0], [endless]);
    runner.start();
    await begun;
    await runner.stop();
    const slicesThen = slices;
    expect(await databases[0].query('SELECT result FROM job_runs')).toEqual([{ result: 'succeeded' }]);
    expect((await runner.list())[0]).toMatchObject({ nextRunSeconds: null });
    expect(slices).toBe(slicesThen);
  });

  it('judges health by effect, and takes a shrinking backlog for healthy', async () => {
    let more = false;
    const behind = job('behind', {
      run: () => Promise.resolve({ detail: {}, more }),
      findFault: () => Promise.resolve('an hour behind'),
    });
    const runner = runnerOf(databases[0], [behind]);
    await runner.runNow('behind');
    expect((await runner.list())[0]).toMatchObject({ fault: 'an hour behind', lastRun: { result: 'succeeded' } });
    more = true;
    await runner.runNow('behind');
    expect((await runner.list())[0]).toMatchObject({ fault: null });
  });

  it('says which jobs there are when asked for another', async () => {
    const runner = runnerOf(databases[0], jobDefinitions('none'));
    await expect(runner.runNow('polish')).rejects.toThrow(
      /no job "polish".*prune-run-log, prune-dead-letters, prune-ledger, roll-up-ledger, prune-alerts, vacuum/,
    );
  });

  it('keeps the run log within its bounds', async () => {
    await databases[0].execute(
      `INSERT INTO job_runs (job, started_at, finished_at, result)
       SELECT 'old', now() - INTERVAL '40 days', now() - INTERVAL '40 days', 'succeeded' FROM generate_series(1, 10)
       UNION ALL SELECT 'busy', now() - n * INTERVAL '1 s', now(), 'succeeded' FROM generate_series(1, 20010) n`,
    );
    expect((await runnerOf(databases[0], jobDefinitions('none')).runNow('prune-run-log')).detail).toMatchObject({
      deleted: 20,
    });
  });

  it('removes dead letters that were settled long ago, and never one that waits', async () => {
    await databases[0].execute(
      `INSERT INTO dead_letters (id, received_at, code, error, original, state, state_changed_at)
       SELECT state || n, now() - INTERVAL '5 years', 'conflict', '', '', state, now() - n * INTERVAL '1 day'
       FROM unnest(ARRAY['new', 'replayed', 'purged']) state, generate_series(80, 100) n`,
    );
    await runnerOf(databases[0], jobDefinitions('none')).runNow('prune-dead-letters');
    expect(
      await databases[0].query('SELECT state, count(*) AS n FROM dead_letters GROUP BY state ORDER BY state'),
    ).toEqual([
      { state: 'new', n: 21 },
      { state: 'purged', n: 10 },
      { state: 'replayed', n: 10 },
    ]);
  });
});

describe.each(timescaleTargets())('the jobs, $name', (target) => {
  const random = seededRandom(7);
  const DAY = 86_400_000;
  const midnightMs = Math.floor(Date.now() / DAY) * DAY;
  const dayName = (day: number): string => new Date(day).toISOString().slice(0, 10);
  const events = recordEvents();
  let opened: OpenedTarget | undefined;
  let database: Database;
  const runnerWith = (runBudgetMs: number): JobRunner =>
    new JobRunner({ database, events, jobs: jobDefinitions('community'), runBudgetMs });

  beforeAll(async () => {
    opened = await target.open();
    database = opened.database;
    await migrate(database, { events });
  });
  afterAll(() => opened?.remove());

  it('run on an empty database, and find no fault', async () => {
    const runner = runnerWith(60_000);
    for (const { name } of jobDefinitions('community')) {
      expect(await runner.runNow(name)).toMatchObject({ job: name, result: 'succeeded', detail: { more: false } });
    }
    for (const { name, fault, lastRun } of await runner.list()) {
      expect({ name, fault, result: lastRun?.result }).toEqual({ name, fault: null, result: 'succeeded' });
    }
  });

  it('report a level that falls behind its readings', async () => {
    const twoHoursAgo = Date.now() - 2 * 3_600_000;
    await insertRows(database, [
      randomRow(random, 'live', twoHoursAgo),
      randomRow(random, 'live', twoHoursAgo + 3_000_000),
    ]);
    await database.execute(
      `INSERT INTO devices (device_id, last_seen) SELECT 'live', max("timestamp") FROM telemetry WHERE device_id = 'live'`,
    );
    const runner = runnerWith(60_000);
    const faultOf = async (name: string): Promise<string | null | undefined> =>
      (await runner.list()).find((status) => status.name === name)?.fault;
    expect(await faultOf('refresh-1min')).toMatch(/level 1min is \d+ minutes behind/);
    await runner.runNow('refresh-1min');
    expect(await faultOf('refresh-1min')).toBeNull();
  });

  it('work off many late days in slices, and let writes in between', async () => {
    const days = Array.from({ length: 12 }, (_, index) => midnightMs - (40 + index) * DAY);
    const rows = days.flatMap((day) =>
      Array.from({ length: 24 }, (_, hour) => randomRow(random, 'late', day + hour * 3_600_000)),
    );
    await insertRows(database, rows, days.map(dayName));
    // The budget is used up at once: each run does nothing but begin, hands back, and leaves the notes.
    expect((await runnerWith(-1).runNow('refresh-late')).detail).toEqual({ days: 0, waiting: 12, more: true });
    const runner = runnerWith(600_000);
    let finished = false;
    const refreshed = runner.runNow('refresh-late').finally(() => (finished = true));
    let writes = 0;
    while (!finished) {
      await insertRows(database, [randomRow(random, 'writer', midnightMs - 60_000 * ++writes)]);
      // A server would otherwise be kept busier by the writer than by the job.
      await sleep(5);
    }
    expect((await refreshed).detail).toMatchObject({ days: 12, more: false });
    expect(writes).toBeGreaterThan(12);
    expect(
      await database.query(`SELECT sum(sample_count)::int AS n FROM telemetry_daily WHERE device_id = 'late'`),
    ).toEqual([{ n: rows.length }]);
  }, 600_000);

  it('come to the end of a day that takes many runs, also where it has to be computed anew', async () => {
    const day = midnightMs - 120 * DAY;
    const rows = Array.from({ length: 24 }, (_, hour) => randomRow(random, 'anew', day + hour * 3_600_000));
    await insertRows(database, rows, [dayName(day)]);
    const { run } = refreshLateJob();
    let more = true;
    for (let runs = 0; more && runs < 300; runs++) {
      let slices = 0;
      const slice = <T>(work: () => Promise<T>): Promise<T> => {
        slices++;
        return work();
      };
      const nowSeconds = Date.now() / 1000;
      ({ more } = await run({ database, events, nowSeconds, shouldYield: () => slices > 0, slice }));
    }
    expect(await database.query('SELECT FROM late_days')).toEqual([]);
    expect(
      await database.query(`SELECT sum(sample_count)::int AS n FROM telemetry_daily WHERE device_id = 'anew'`),
    ).toEqual([{ n: rows.length }]);
  });

  it('keep a note that moved while its day was being refreshed', async () => {
    const day = midnightMs - 60 * DAY;
    await insertRows(database, [randomRow(random, 'moved', day + 1000)], [dayName(day)]);
    const runner = runnerWith(60_000);
    // A writer that is at work all the time the job is: its note is newer than the one that the job began with.
    let finished = false;
    const refreshed = runner.runNow('refresh-late').finally(() => (finished = true));
    let second = 2;
    while (!finished) await insertRows(database, [randomRow(random, 'moved', day + ++second * 1000)], [dayName(day)]);
    await refreshed;
    expect(await database.query('SELECT day::text AS day FROM late_days')).toEqual([{ day: dayName(day) }]);
    await runner.runNow('refresh-late');
    expect(await database.query('SELECT FROM late_days')).toEqual([]);
    const [row] = await database.query(
      `SELECT sum(sample_count)::int AS stored, (SELECT count(*)::int FROM telemetry WHERE device_id = 'moved') AS there
       FROM telemetry_daily WHERE device_id = 'moved'`,
    );
    expect(row?.['stored']).toBe(row?.['there']);
  });
});
