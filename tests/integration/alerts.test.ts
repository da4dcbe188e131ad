/** Alerts in the database, told by several processes through a webhook that fails in every way it can. */
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { AlertCondition, AlertRule } from '../../src/alerts/alert.js';
import { AlertKeeper } from '../../src/alerts/alert-keeper.js';
import { WebhookChannel } from '../../src/alerts/deliver-webhook.js';
import { claimMessage } from '../../src/alerts/message-outbox.js';
import { noteDamage } from '../../src/archive/part-table.js';
import { alertRules } from '../../src/commands/alert-rules.js';
import { loadConfig } from '../../src/config/load-config.js';
import type { JobDefinition } from '../../src/jobs/job.js';
import { JobRunner } from '../../src/jobs/job-runner.js';
import type { Database } from '../../src/storage/database.js';
import { OperationalError } from '../../src/telemetry/operational-error.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { recordEvents } from '../support/record-events.js';
import { openPlainTarget, type PlainTarget } from '../support/storage-targets.js';
import { startReceiver, type WebhookReceiver } from '../support/webhook-receiver.js';

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
  database.script(
    'TRUNCATE alerts, alert_messages, alert_groups, alert_silences, dead_letters, devices, job_runs, episodes CASCADE',
  ),
);

const silent = (device: string, more: Partial<AlertCondition> = {}): AlertCondition => ({
  labels: { device, site: 'North' },
  summary: `${device} is silent`,
  detail: {},
  ...more,
});

/** What is the case, for every process that looks. */
interface World {
  conditions: AlertCondition[];
  isAway?: boolean;
}

function ruleOf(world: World, more: Partial<AlertRule> = {}): AlertRule {
  return {
    name: 'device_silent',
    severity: 'warning',
    forSeconds: 0,
    resolveSeconds: 0,
    groupBy: ['site'],
    find: () =>
      world.isAway === true ? Promise.reject(new OperationalError('test', 'away')) : Promise.resolve(world.conditions),
    ...more,
  };
}

const AT_ONCE = { groupWaitUs: 0, groupIntervalUs: 0, repeatUs: 0 };

interface Process {
  readonly keeper: AlertKeeper;
  readonly events: ReturnType<typeof recordEvents>;
  /** Looks, tells and delivers. */
  turn(): Promise<void>;
}

function processOn(
  on: Database,
  world: World,
  receiver?: WebhookReceiver,
  more: { rule?: Partial<AlertRule>; claimSeconds?: number } = {},
): Process {
  const events = recordEvents();
  const keeper = new AlertKeeper({
    database: on,
    rules: [ruleOf(world, more.rule)],
    channels:
      receiver === undefined ? [] : [new WebhookChannel({ url: receiver.url, secret: 'geheim', timeoutMs: 300 })],
    times: AT_ONCE,
    events,
    retrySeconds: [0, 0],
    claimSeconds: more.claimSeconds ?? 60,
  });
  const turn = async (): Promise<void> => {
    await keeper.look();
    await keeper.tell();
    await keeper.deliver();
  };
  return { keeper, events, turn };
}

async function receiverThat(...answers: (number | 'hang')[]): Promise<WebhookReceiver> {
  const receiver = await startReceiver(...answers);
  onTestFinished(() => receiver.close());
  return receiver;
}

/** `firing W-1, resolved W-2` for each post. */
const toldBy = (receiver: WebhookReceiver): string[] =>
  receiver.bodies().map(({ alerts }) => alerts.map(({ status, labels }) => `${status} ${labels['device']}`).join(', '));

describe('a message', () => {
  it('has the form of Alertmanager, its id, and a signature over time and body', async () => {
    const receiver = await receiverThat(204);
    const { turn, events } = processOn(
      database,
      { conditions: [silent('W-1', { detail: { interval: 60 } }), silent('W-2')] },
      receiver,
    );
    await turn();
    const [{ headers, body } = { headers: {}, body: '' }] = receiver.received;
    const [, seconds, mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['downhole-signature'])) ?? [];
    expect(mac).toBe(createHmac('sha256', 'geheim').update(`${seconds}.${body}`).digest('hex'));
    const [message] = events.named('alert_delivered');
    expect(headers['downhole-delivery']).toBe(message?.id);
    const startsAt = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string;
    expect(receiver.bodies()).toEqual([
      {
        version: '4',
        groupKey: 'device_silent site=North',
        truncatedAlerts: 0,
        status: 'firing',
        receiver: 'downhole',
        groupLabels: { alertname: 'device_silent' },
        commonLabels: { alertname: 'device_silent', severity: 'warning', site: 'North' },
        commonAnnotations: {},
        externalURL: '',
        alerts: ['W-1', 'W-2'].map((device) => ({
          status: 'firing',
          labels: { alertname: 'device_silent', severity: 'warning', site: 'North', device },
          annotations: { summary: `${device} is silent`, ...(device === 'W-1' ? { interval: '60' } : {}) },
          startsAt,
          endsAt: '0001-01-01T00:00:00Z',
          generatorURL: '',
          fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
        })),
      },
    ]);
  });

  it.each([
    ['500s', [500, 503, 200]],
    ['a hanging answer', ['hang', 200]],
    ['being asked to come later', [429, 200]],
  ] as [string, (number | 'hang')[]][])('is tried again after %s, with the same id', async (_, answers) => {
    const receiver = await receiverThat(...answers);
    const { turn, events } = processOn(database, { conditions: [silent('W-1')] }, receiver);
    await turn();
    expect(events.named('alert_delivered')).toMatchObject([{ attempt: answers.length }]);
    expect(new Set(receiver.received.map(({ headers }) => headers['downhole-delivery'])).size).toBe(1);
    expect(receiver.received).toHaveLength(answers.length);
  });

  it('is given up after so many attempts, and at once where it is refused or sent elsewhere; the log has no secret', async () => {
    const receiver = await receiverThat(500, 500, 500, 401, 302);
    const world: World = { conditions: [silent('W-1')] };
    const { turn, events } = processOn(database, world, receiver);
    await turn();
    world.conditions = [];
    await turn();
    world.conditions = [silent('W-1')];
    await turn();
    expect(events.named('alert_undelivered').map(({ attempts, reason }) => [attempts, reason])).toEqual([
      [3, 'it answered 500'],
      [1, 'it answered 401'],
      [1, 'it answered 302'],
    ]);
    expect(JSON.stringify(events.all)).not.toContain('geheim');
    const rows = await database.query('SELECT state, attempts FROM alert_messages ORDER BY seq');
    expect(rows).toEqual([3, 1, 1].map((attempts) => ({ state: 'given_up', attempts })));
  });

  it('of a group does not overtake an earlier one that waits', async () => {
    const receiver = await receiverThat(500, 500, 200);
    const world: World = { conditions: [silent('W-1')] };
    const { keeper } = processOn(database, world, receiver);
    await keeper.look();
    await keeper.tell();
    world.conditions = [];
    await keeper.look();
    await keeper.tell();
    await keeper.deliver();
    expect(toldBy(receiver)).toEqual(['firing W-1', 'firing W-1', 'firing W-1', 'resolved W-1']);
  });
});

describe('alerts', () => {
  it('are told once and taken back once by two processes that both look, and by one that starts anew', async () => {
    const receiver = await receiverThat(200);
    const world: World = { conditions: [silent('W-1'), silent('W-2')] };
    const others = await Promise.all([target.connect(), target.connect()]);
    const processes = others.map((each) => processOn(each, world, receiver));
    const all = (): Promise<unknown> => Promise.all(processes.map(({ turn }) => turn()));
    await all();
    await all();
    expect(toldBy(receiver)).toEqual(['firing W-1, firing W-2']);
    const restarted = processOn(database, world, receiver);
    await restarted.turn();
    expect(receiver.received).toHaveLength(1);
    world.conditions = [silent('W-2')];
    await Promise.all([all(), restarted.turn()]);
    await all();
    // Who still is silent is in the message, as Alertmanager does it.
    expect(toldBy(receiver).slice(1)).toEqual(['resolved W-1, firing W-2']);
    const raised = [...processes, restarted].flatMap(({ events }) => events.named('alert_raised'));
    const resolved = [...processes, restarted].flatMap(({ events }) => events.named('alert_resolved'));
    expect(raised.map(({ summary }) => summary).sort()).toEqual(['W-1 is silent', 'W-2 is silent']);
    expect(resolved.map(({ summary }) => summary)).toEqual(['W-1 is silent']);
    await restarted.turn();
    expect(restarted.events.named('alerts_counted').at(-1)?.firing).toEqual([
      { rule: 'device_silent', severity: 'warning', alerts: 1 },
    ]);
  });

  it('survive a process that is killed between noting and delivering: another one delivers, with the same id', async () => {
    const receiver = await receiverThat(200);
    const world: World = { conditions: [silent('W-1')] };
    const killed = processOn(database, world, receiver);
    await killed.keeper.look();
    await killed.keeper.tell();
    // Killed after the claim, before anything is heard of it: the claim runs out.
    const claimed = await claimMessage(database, 'webhook', 0);
    const survivor = processOn(await target.connect(), world, receiver);
    await survivor.turn();
    expect(toldBy(receiver)).toEqual(['firing W-1']);
    expect(receiver.received[0]?.headers['downhole-delivery']).toBe(claimed?.message.id);
    expect(survivor.events.named('alert_delivered')).toMatchObject([{ attempt: 2 }]);
  });

  it('survive kill -9 of a process in the middle of a delivery', async () => {
    const receiver = await receiverThat('hang', 200);
    const program = fileURLToPath(new URL('../support/alert-process.mjs', import.meta.url));
    const child = spawn(process.execPath, [program, target.url, receiver.url], { stdio: 'inherit' });
    const exited = once(child, 'exit');
    await expect.poll(() => receiver.received.length, { timeout: 30_000 }).toBe(1);
    child.kill('SIGKILL');
    await exited;
    const survivor = processOn(database, { conditions: [silent('W-1')] }, receiver);
    await expect
      .poll(() => survivor.turn().then(() => receiver.received.length), { timeout: 30_000, interval: 200 })
      .toBe(2);
    await survivor.turn();
    expect(toldBy(receiver)).toEqual(['firing W-1', 'firing W-1']);
    expect(new Set(receiver.received.map(({ headers }) => headers['downhole-delivery'])).size).toBe(1);
  }, 90_000);

  it('keep their state while a rule cannot tell, and wait for their delays by the clock of the database', async () => {
    const world: World = { conditions: [silent('W-1')] };
    const { turn, events } = processOn(database, world, undefined, { rule: { forSeconds: 300, resolveSeconds: 300 } });
    const states = async (): Promise<unknown[]> =>
      (await database.query('SELECT state FROM alerts ORDER BY id')).map(({ state }) => state);
    const later = (): Promise<unknown> =>
      database.execute(
        `UPDATE alerts SET seen_at = seen_at - interval '5 minutes', absent_since = absent_since - interval '5 minutes'`,
      );
    await turn();
    expect(await states()).toEqual(['pending']);
    await later();
    world.isAway = true;
    await turn();
    expect(await states()).toEqual(['pending']);
    expect(events.named('alert_source_failed')).toMatchObject([{ rule: 'device_silent' }]);
    world.isAway = false;
    await turn();
    expect(await states()).toEqual(['firing']);
    world.conditions = [silent('W-1', { isLingering: true })];
    await later();
    await turn();
    world.conditions = [];
    await turn();
    expect(await states()).toEqual(['firing']);
    await later();
    await turn();
    expect(await states()).toEqual(['resolved']);
    expect(events.named('alert_raised')).toHaveLength(1);
    expect(events.named('alert_resolved')).toHaveLength(1);
  });

  it('are graded anew while they fire, and told so once; what somebody knows of is not', async () => {
    const receiver = await receiverThat(200);
    const world: World = { conditions: [silent('W-1'), silent('W-2')] };
    const { turn, events } = processOn(database, world, receiver);
    const graded = (): string[] =>
      receiver
        .bodies()
        .map(({ alerts }) => alerts.map(({ labels }) => `${labels['device']} ${labels['severity']}`).join(', '));
    await turn();
    world.conditions = [
      silent('W-1', { severity: 'critical' }),
      silent('W-2', { severity: 'critical', isLingering: true }),
    ];
    await turn();
    await turn();
    expect(graded()).toEqual(['W-1 warning, W-2 warning', 'W-1 critical, W-2 warning']);
    expect(events.named('alert_regraded')).toMatchObject([{ severity: 'critical', summary: 'W-1 is silent' }]);
    expect(events.named('alert_raised')).toHaveLength(2);
    world.conditions = [silent('W-1'), silent('W-2')];
    await turn();
    world.conditions = [];
    await turn();
    await turn();
    expect(graded().slice(2)).toEqual(['W-1 warning, W-2 warning', 'W-1 warning, W-2 warning']);
    expect(events.named('alert_resolved')).toHaveLength(2);
  });

  it('of many devices are one message, which lists a hundred and counts the rest', async () => {
    const receiver = await receiverThat(200);
    const conditions = Array.from({ length: 1234 }, (_, n) => silent(`W-${n}`));
    await processOn(database, { conditions }, receiver).turn();
    expect(receiver.bodies().map(({ alerts, truncatedAlerts }) => [alerts.length, truncatedAlerts])).toEqual([
      [100, 1134],
    ]);
  });

  it('in a maintenance window are recorded and not told, and told once it is over', async () => {
    const receiver = await receiverThat(200);
    const world: World = { conditions: [silent('W-1'), silent('W-2')] };
    await database.execute(
      `INSERT INTO alert_silences (device_id, begins_at, ends_at, reason, created_by) VALUES ('W-1', now() - interval '1 hour', now() + interval '1 hour', 'workover', 'test')`,
    );
    const { turn } = processOn(database, world, receiver);
    await turn();
    expect(toldBy(receiver)).toEqual(['firing W-2']);
    expect(
      await database.query('SELECT labels, told, silence_id IS NOT NULL AS silenced FROM alerts ORDER BY id'),
    ).toMatchObject([
      { labels: { device: 'W-1' }, told: 'nothing', silenced: true },
      { labels: { device: 'W-2' }, told: 'firing', silenced: false },
    ]);
    await database.execute('UPDATE alert_silences SET lifted_at = now()');
    await turn();
    expect(toldBy(receiver).slice(1)).toEqual(['firing W-1, firing W-2']);
  });
});

describe('the rules of the role jobs', () => {
  it('that are switched off find nothing, and what they told of before passes', async () => {
    await database.execute(
      `INSERT INTO devices (device_id, site, last_seen) VALUES ('silent', 'North', now() - interval '1 hour')`,
    );
    const jobs = new JobRunner({ database, events: recordEvents(), jobs: [] });
    const stateWith = async (severity: string): Promise<unknown> => {
      const config = loadConfig({ environment: {}, overrides: { 'alerts.deviceSilent.severity': severity } });
      const rules = alertRules({ database, jobs }, config);
      await new AlertKeeper({ database, rules, channels: [], times: AT_ONCE, events: recordEvents() }).look();
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
