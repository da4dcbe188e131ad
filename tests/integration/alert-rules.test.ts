/** What the rules of the role jobs find in the database. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AlertCondition } from '../../src/alerts/alert.js';
import { AlertKeeper } from '../../src/alerts/alert-keeper.js';
import { noteDamage } from '../../src/archive/part-table.js';
import { alertRules } from '../../src/commands/alert-rules.js';
import { loadConfig } from '../../src/config/load-config.js';
import type { JobDefinition } from '../../src/jobs/job.js';
import { JobRunner } from '../../src/jobs/job-runner.js';
import type { Database } from '../../src/storage/database.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { recordEvents } from '../support/record-events.js';
import { openPlainTarget, type PlainTarget } from '../support/storage-targets.js';

let postgres: PostgresServer;
let target: PlainTarget;
let database: Database;
beforeAll(async () => {
  postgres = await startPostgres();
  target = await openPlainTarget(postgres);
  database = target.database;
}, 120_000);
afterAll(async () => {
  await target.remove();
  await postgres.remove();
});
beforeEach(() =>
  database.script('TRUNCATE alerts, dead_letters, devices, job_runs, episodes, storage_days, archive_parts CASCADE'),
);

describe('the rules of the role jobs', () => {
  it('that are switched off find nothing, and what they told of before passes', async () => {
    await database.execute(
      `INSERT INTO devices (device_id, site, last_seen) VALUES ('silent', 'North', now() - interval '1 hour')`,
    );
    const jobs = new JobRunner({ database, events: recordEvents(), jobs: [] });
    const stateWith = async (severity: string): Promise<unknown> => {
      const config = loadConfig({ environment: {}, overrides: { 'alerts.deviceSilent.severity': severity } });
      const rules = alertRules({ database, jobs }, config);
      await new AlertKeeper({
        database,
        rules,
        channels: [],
        times: { groupWaitUs: 0, groupIntervalUs: 0, repeatUs: 0 },
        events: recordEvents(),
      }).look();
      return (await database.query('SELECT state, severity FROM alerts')).map((row) => Object.values(row).join(' '));
    };
    expect(await stateWith('off')).toEqual([]);
    expect(await stateWith('critical')).toEqual(['firing critical']);
    expect(await stateWith('off')).toEqual(['resolved critical']);
  });

  const broken: JobDefinition = {
    name: 'broken',
    description: '',
    lane: 'housekeeping',
    intervalSeconds: 60,
    initialDelaySeconds: 0,
    run: () => Promise.reject(new Error('it broke')),
    findFault: () => Promise.resolve('2 chunks wait'),
  };

  async function findAll(
    queueDepth?: () => number,
    overrides: Record<string, unknown> = {},
  ): Promise<(AlertCondition & { rule: string })[]> {
    const jobs = new JobRunner({ database, events: recordEvents(), jobs: [broken] });
    const rules = alertRules({ database, jobs, queueDepth }, loadConfig({ environment: {}, overrides }));
    const found = await Promise.all(
      rules.map(async (rule) => (await rule.find()).map((each) => ({ ...each, rule: rule.name }))),
    );
    return found.flat();
  }
  const inWords = (found: readonly (AlertCondition & { rule: string })[]): string[] =>
    found.map(({ rule, isLingering, summary }) => `${rule}${isLingering === true ? ' (lingering)' : ''}: ${summary}`);

  it('find silent devices by their interval, and neither those that report by exception nor those long out of use', async () => {
    await database.execute(
      `INSERT INTO devices (device_id, site, expected_interval_seconds, reporting_mode, last_seen) VALUES
         ('slow', 'North', 3600, 'periodic', now() - interval '9 hours'),
         ('silent', 'North', 60, 'periodic', now() - interval '11 minutes'),
         ('fast', NULL, 1, 'periodic', now() - interval '4 minutes'),
         ('talks', 'North', 60, 'periodic', now() - interval '1 minute'),
         ('seldom', 'North', 60, 'by_exception', now() - interval '3 days'),
         ('given up', 'North', 60, 'periodic', now() - interval '30 days')`,
    );
    const found = (await findAll()).filter(({ rule }) => rule === 'device_silent');
    expect(
      found.map(({ labels, isLingering }) => `${labels['device']} ${labels['site']} ${isLingering}`).sort(),
    ).toEqual(['given up North true', 'silent North false', 'slow North true']);
    expect(await findAll(undefined, { 'alerts.deviceSilent.severity': 'off' })).toHaveLength(1);
  });

  it('find episodes that go on, and linger over those that somebody knows of, that are uncertain or long past', async () => {
    await database.execute(
      `INSERT INTO episodes (device_id, started_at, found_at, last_at, ended_at, closed_at, acknowledged_at, diagnosis, confidence, detector)
       SELECT device, now() - age, now() - age, now() - age, ended, closed, known, diagnosis, confidence, 'test' FROM (VALUES
         ('sure', interval '1 hour', NULL::timestamptz, NULL::timestamptz, NULL::timestamptz, 'gas_lock', 0.9),
         ('unknown', interval '2 hours', NULL, NULL, NULL, NULL, 0),
         ('old', interval '9 days', NULL, NULL, NULL, 'gas_lock', 0.9),
         ('known', interval '3 hours', NULL, NULL, now(), 'gas_lock', 0.9),
         ('over', interval '4 hours', now(), NULL, NULL, 'gas_lock', 0.9),
         ('closed', interval '5 hours', NULL, now(), NULL, 'gas_lock', 0.9)
       ) AS episode (device, age, ended, closed, known, diagnosis, confidence)`,
    );
    const ofEpisodes = async (overrides = {}): Promise<string[]> =>
      (await findAll(undefined, overrides))
        .filter(({ rule }) => rule === 'episode_open')
        .map(({ labels, isLingering }) => `${labels['device']} ${isLingering === true ? 'lingers' : 'is told'}`)
        .sort();
    expect(await ofEpisodes()).toEqual(['known lingers', 'old lingers', 'sure is told', 'unknown is told']);
    expect(await ofEpisodes({ 'alerts.episodeOpen.leastConfidence': 0.5 })).toContain('unknown lingers');
    const gradesOf = async (overrides = {}): Promise<string[]> =>
      (await findAll(undefined, overrides))
        .filter(({ rule }) => rule === 'episode_open')
        .map(({ labels, severity }) => `${labels['device']} ${severity}`)
        .sort();
    expect(await gradesOf()).toEqual(['known critical', 'old critical', 'sure critical', 'unknown warning']);
    expect(await gradesOf({ 'alerts.episodeOpen.criticalDiagnoses': ['scale'] })).not.toContain('sure critical');
    expect(await gradesOf({ 'alerts.episodeOpen.severity': 'critical' })).toContain('unknown critical');
    const [{ summary } = { summary: '' }] = (await findAll()).filter(({ labels }) => labels['device'] === 'sure');
    expect(summary).toMatch(/^Device "sure": gas lock \(0\.90\), since 20/);
  });

  it('find dead letters that grow and a queue that is deep, with two thresholds each', async () => {
    const letters = (from: number, to: number, age: string): Promise<unknown> =>
      database.execute(
        `INSERT INTO dead_letters (id, code, error, original, last_at) SELECT n, 'c', 'e', '', now() - $1::interval FROM generate_series($2::int, $3::int) n`,
        [age, from, to],
      );
    const overrides = { 'alerts.jobOverdue.severity': 'off' };
    await letters(1, 70, '0');
    expect(inWords(await findAll(() => 60_000, overrides))).toEqual([
      'dead_letters (lingering): 70 records became dead letters in the last hour.',
      'queue_deep (lingering): 60000 messages wait in the queue of telemetry, and more than 100000 is an alert.',
    ]);
    await letters(71, 120, '0');
    await letters(121, 1001, '2 hours');
    expect(inWords(await findAll(() => 100_001, overrides))).toEqual([
      'dead_letters: 1001 dead letters wait for a decision.',
      'dead_letters: 120 records became dead letters in the last hour.',
      'queue_deep: 100001 messages wait in the queue of telemetry, and more than 100000 is an alert.',
    ]);
    await database.execute(`UPDATE dead_letters SET state = 'purged'`);
    expect(await findAll(() => 50_000, overrides)).toEqual([]);
  });

  it('find jobs that fail or are behind, a disk that fills, and damaged parts of the archive', async () => {
    expect(inWords(await findAll())).toEqual(['job_overdue: The job broken is behind: 2 chunks wait.']);
    const runner = new JobRunner({ database, events: recordEvents(), jobs: [broken] });
    await runner.runNow('broken');
    await runner.runNow('broken');
    expect((await findAll()).map(({ rule }) => rule)).not.toContain('job_failing');
    await runner.runNow('broken');
    await database.execute(
      `INSERT INTO storage_days (day, database_bytes, archive_bytes, disk_used_bytes, disk_free_bytes)
       SELECT (now() AT TIME ZONE 'UTC')::date - n, 1e9, 0, 1e9 - n * 1e6, 3.5e6 FROM generate_series(0, 9) n`,
    );
    await database.execute(
      `INSERT INTO archive_parts (range_start, range_end, revision, state, object_key, manifest_key, schema_version, rows, fingerprint,
         columns, bytes, sha256, manifest_sha256, verified_at, checked_at)
       VALUES ('2026-01-01Z', '2026-01-02Z', 1, 'verified', 'o', 'm', 1, 5, 'f', '[]', 1, 's', 's', now(), now())`,
    );
    const [part] = await database.query<{ id: number }>('SELECT id FROM archive_parts');
    await noteDamage(database, part?.id ?? 0, 'a bit is not what it was');
    // Another process, which has run nothing itself, says the same.
    expect(inWords(await findAll())).toEqual([
      'job_failing: The job broken has failed 3 times in a row: it broke',
      'job_overdue: The job broken is behind: 2 chunks wait.',
      'disk_filling: The disk of the database is full in 3 days, from the sizes of 10 days within 10.',
      'archive_damaged: The part of the archive from 2026-01-01T00:00:00Z, revision 1, is damaged: a bit is not what it was',
    ]);
    await database.execute('UPDATE storage_days SET disk_free_bytes = 8.5e6');
    // Whole again, or in another part by now: no trouble any more.
    await noteDamage(database, part?.id ?? 0, null);
    expect((await findAll()).map(({ rule, isLingering }) => [rule, isLingering])).toEqual([
      ['job_failing', undefined],
      ['job_overdue', undefined],
      ['disk_filling', true],
    ]);
  });
});
