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
