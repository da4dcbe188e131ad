/** Alerts: what comes up and what passes, and their way to a webhook that fails in every way it can. */
import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Alert, AlertCondition } from '../../src/alerts/alert.js';
import { AlertKeeper } from '../../src/alerts/alert-keeper.js';
import { WebhookHook } from '../../src/alerts/deliver-webhook.js';
import { noteDamage } from '../../src/archive/part-table.js';
import { alertSources } from '../../src/commands/alert-sources.js';
import type { JobDefinition } from '../../src/jobs/job.js';
import { JobRunner } from '../../src/jobs/job-runner.js';
import { OperationalError } from '../../src/telemetry/operational-error.js';
import { startPostgres } from '../support/postgres.js';
import { recordEvents } from '../support/record-events.js';
import { openPlainTarget } from '../support/storage-targets.js';

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
});

/** Answers with these, one after another, the last one for ever; `hang` never answers. */
async function startReceiver(...answers: (number | 'hang')[]): Promise<{ url: string; received: Received[] }> {
  const received: Received[] = [];
  const started = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const answer = answers[Math.min(received.length, answers.length - 1)] as number | 'hang';
      received.push({ headers: request.headers, body });
      if (answer !== 'hang') response.writeHead(answer, answer === 302 ? { location: '/elsewhere' } : {}).end('noted');
    });
  });
  server = started;
  started.listen(0, '127.0.0.1');
  await once(started, 'listening');
  return { url: `http://127.0.0.1:${(started.address() as AddressInfo).port}/hook?token=geheim`, received };
}

const condition = (key: string): AlertCondition => ({
  key,
  kind: 'job_failing',
  severity: 'critical',
  summary: `${key} fails`,
  detail: { attempts: 3 },
});
const alert = (key: string): Alert => ({
  ...condition(key),
  state: 'firing',
  since: '2026-11-01T00:00:00.000Z',
  at: '2026-11-01T00:01:00.000Z',
});

describe('a webhook', () => {
  const hookTo = (url: string, pausesMs = [1, 1]) => {
    const events = recordEvents();
    return { events, hook: new WebhookHook({ url, secret: 'geheim', events, timeoutMs: 300, pausesMs }) };
  };

  it('gets each alert once, in order, signed over time and body', async () => {
    const { url, received } = await startReceiver(204);
    const { hook, events } = hookTo(url);
    for (const key of ['a', 'b', 'c']) hook.send(alert(key));
    await expect.poll(() => events.named('alert_delivered').length).toBe(3);
    expect(received.map(({ body }) => JSON.parse(body) as Alert)).toEqual(['a', 'b', 'c'].map(alert));
    for (const { headers, body } of received) {
      const [, seconds, mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['downhole-signature'])) ?? [];
      expect(mac).toBe(createHmac('sha256', 'geheim').update(`${seconds}.${body}`).digest('hex'));
      expect(Math.abs(Number(seconds) - Date.now() / 1000)).toBeLessThan(300);
    }
    await hook.stop();
  });

  it.each([
    ['500s', [500, 503, 200]],
    ['a hanging answer', ['hang', 200]],
    ['being asked to come later', [429, 200]],
  ] as [string, (number | 'hang')[]][])('is tried again after %s', async (_, answers) => {
    const { url, received } = await startReceiver(...answers);
    const { hook, events } = hookTo(url);
    hook.send(alert('a'));
    await expect
      .poll(() => events.named('alert_delivered'), { timeout: 10_000 })
      .toEqual([{ key: 'a', attempt: answers.length }]);
    expect(received).toHaveLength(answers.length);
    await hook.stop();
  });

  it('is given up after so many attempts, and the next alert has its turn; the log has no secret', async () => {
    const { url } = await startReceiver(500, 500, 500, 200);
    const { hook, events } = hookTo(url);
    hook.send(alert('a'));
    hook.send(alert('b'));
    await expect.poll(() => events.named('alert_delivered')).toEqual([{ key: 'b', attempt: 1 }]);
    expect(events.named('alert_undelivered')).toEqual([
      { key: 'a', state: 'firing', attempts: 3, reason: 'it answered 500' },
    ]);
    expect(JSON.stringify(events.all)).not.toContain('geheim');
    await hook.stop();
  });

  it('is given up at once where it refuses or sends elsewhere: the same would come again', async () => {
    const { url, received } = await startReceiver(401, 302);
    const { hook, events } = hookTo(url);
    hook.send(alert('a'));
    hook.send(alert('b'));
    await expect
      .poll(() => events.named('alert_undelivered').map(({ reason, attempts }) => [reason, attempts]))
      .toEqual([
        ['it answered 401', 1],
        ['it answered 302', 1],
      ]);
    expect(received).toHaveLength(2);
    await hook.stop();
  });

  it('that nobody listens on keeps nobody waiting, and what waits is bounded', async () => {
    const { hook, events } = hookTo('http://127.0.0.1:1/', [60_000]);
    for (let n = 0; n < 150; n++) hook.send(alert(String(n)));
    // One is being delivered, a hundred wait; a stop ends the pause.
    expect(events.named('alert_undelivered')).toHaveLength(49);
    await hook.stop();
    const undelivered = events.named('alert_undelivered');
    expect(undelivered).toHaveLength(150);
    expect(new Set(undelivered.map(({ key }) => key)).size).toBe(150);
  });
});

describe('the keeper of alerts', () => {
  const keeperOf = (...finds: (() => Promise<AlertCondition[]>)[]) => {
    const told: string[] = [];
    const events = recordEvents();
    const hook = { send: ({ state, key }: Alert) => void told.push(`${state} ${key}`), stop: () => Promise.resolve() };
    const sources = finds.map((find, index) => ({ name: `source ${index}`, find }));
    return { told, events, keeper: new AlertKeeper({ sources, hook, events }) };
  };

  it('tells once what comes up and once what has passed', async () => {
    let present = ['a', 'b'];
    const { told, events, keeper } = keeperOf(
      () => Promise.resolve(present.map(condition)),
      () => Promise.resolve([condition('other')]),
    );
    await keeper.look();
    await keeper.look();
    expect(told).toEqual(['firing a', 'firing b', 'firing other']);
    present = ['b', 'c'];
    await keeper.look();
    expect(told.slice(3)).toEqual(['firing c', 'resolved a']);
    present = ['a'];
    await keeper.look();
    expect(told.slice(5)).toEqual(['firing a', 'resolved b', 'resolved c']);
    expect(events.named('alert_raised')).toHaveLength(5);
    expect(events.named('alert_resolved')).toHaveLength(3);
  });

  it('takes nothing for passed while a source cannot tell', async () => {
    let isAway = false;
    const { told, events, keeper } = keeperOf(() =>
      isAway ? Promise.reject(new OperationalError('test', 'away')) : Promise.resolve([condition('a')]),
    );
    await keeper.look();
    isAway = true;
    await keeper.look();
    expect(told).toEqual(['firing a']);
    expect(events.named('alert_source_failed')).toMatchObject([{ source: 'source 0' }]);
  });
});

describe('what the role jobs looks at', () => {
  it('is jobs that fail or are behind, a disk that fills, and damaged parts of the archive', async () => {
    const postgres = await startPostgres();
    onTestFinished(() => postgres.remove());
    const target = await openPlainTarget(postgres);
    onTestFinished(() => target.remove());
    const { database } = target;
    const broken: JobDefinition = {
      name: 'broken',
      description: '',
      lane: 'housekeeping',
      intervalSeconds: 60,
      initialDelaySeconds: 0,
      run: () => Promise.reject(new Error('it broke')),
      findFault: () => Promise.resolve('2 chunks wait'),
    };
    const runner = new JobRunner({ database, events: recordEvents(), jobs: [broken], failingAfter: 2 });
    const find = async (): Promise<AlertCondition[]> =>
      (await Promise.all(alertSources(database, runner, 7).map((source) => source.find()))).flat();
    expect((await find()).map(({ key }) => key)).toEqual(['job_overdue:broken']);

    await runner.runNow('broken');
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
    const found = await find();
    expect(found.map(({ kind }) => kind)).toEqual(['job_failing', 'job_overdue', 'disk_filling', 'archive_damaged']);
    expect(found.map(({ summary }) => summary).join('\n')).toBe(
      [
        'The job broken has failed 2 times in a row: it broke',
        'The job broken is behind: 2 chunks wait.',
        'The disk of the database is full in 3 days, from the sizes of 10 days within 10.',
        'The part of the archive from 2026-01-01T00:00:00Z, revision 1, is damaged: a bit is not what it was',
      ].join('\n'),
    );
    // Whole again, or in another part by now: no trouble any more.
    await noteDamage(database, part?.id ?? 0, null);
    expect((await find()).map(({ kind }) => kind)).not.toContain('archive_damaged');
  });
});
