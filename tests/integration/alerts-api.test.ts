/** `/v1/alerts`: what is the case and what was, maintenance windows, and a test of the channels. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AlertCondition } from '../../src/alerts/alert.js';
import type { AlertList, Silence, TestAnswers } from '../../src/alerts/alert-schemas.js';
import { AlertKeeper } from '../../src/alerts/alert-keeper.js';
import { WebhookChannel } from '../../src/alerts/deliver-webhook.js';
import { type ConsoleServer, startConsoleServer } from '../support/console-server.js';
import { recordEvents } from '../support/record-events.js';
import { startReceiver, type WebhookReceiver } from '../support/webhook-receiver.js';

let server: ConsoleServer;
let receiver: WebhookReceiver;
beforeAll(async () => {
  receiver = await startReceiver(200, 500, 200);
  server = await startConsoleServer({ alertChannels: [new WebhookChannel({ url: receiver.url, secret: 'geheim' })] });
}, 120_000);
afterAll(async () => {
  await server.close();
  receiver.close();
});

async function call<T>(method: string, path: string, body?: object): Promise<{ status: number; body: T }> {
  const response = await fetch(server.url + path, {
    method,
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as T };
}

it('a test goes through every channel once, and says what was answered', async () => {
  const first = await call<TestAnswers>('POST', '/v1/alerts/test');
  expect(first).toEqual({
    status: 200,
    body: { channels: [{ channel: 'webhook', taken: true, answer: 'it was taken' }] },
  });
  const second = await call<TestAnswers>('POST', '/v1/alerts/test');
  expect(second.body.channels).toEqual([{ channel: 'webhook', taken: false, answer: 'it answered 500' }]);
  expect(receiver.bodies().map(({ groupKey, status }) => [groupKey, status])).toEqual([
    ['test', 'resolved'],
    ['test', 'resolved'],
  ]);
  const log = await server.database.query(
    `SELECT actor, detail FROM audit_log WHERE action = 'alert.test' ORDER BY id`,
  );
  expect(log).toEqual([
    { actor: 'http:127.0.0.1', detail: { webhook: 'it was taken' } },
    { actor: 'http:127.0.0.1', detail: { webhook: 'it answered 500' } },
  ]);
});

describe('maintenance windows', () => {
  const wanted = { site: 'North', to: '2100-01-01T00:00:00Z', reason: 'workover' };

  it('are made, listed and ended, and all that is in the audit log', async () => {
    const made = await call<Silence>('POST', '/v1/alerts/silences', wanted);
    expect(made).toMatchObject({
      status: 201,
      body: { ...wanted, device: null, rule: null, created_by: 'http:127.0.0.1', lifted_at: null },
    });
    const { id } = made.body;
    expect((await call<object>('GET', '/v1/alerts/silences')).body).toEqual({ silences: [made.body] });
    const lifted = await call<Silence>('DELETE', `/v1/alerts/silences/${id}`);
    expect(lifted.body.lifted_at).toEqual(expect.any(String));
    // Once more changes nothing.
    expect((await call<Silence>('DELETE', `/v1/alerts/silences/${id}`)).body).toEqual(lifted.body);
    expect((await call('DELETE', '/v1/alerts/silences/777')).status).toBe(404);
    const log = await server.database.query(
      `SELECT action, target, detail ->> 'reason' AS reason FROM audit_log WHERE action LIKE 'alert.%silence' ORDER BY id`,
    );
    expect(log).toEqual(
      ['alert.silence', 'alert.unsilence'].map((action) => ({ action, target: String(id), reason: 'workover' })),
    );
  });

  it.each([
    ['that is over before it begins', { ...wanted, to: '2020-01-01T00:00:00Z' }],
    ['without a reason', { site: 'North', to: wanted.to }],
    ['of a rule that there is not', { ...wanted, rule: 'device_loud' }],
    ['with a device that cannot be', { ...wanted, device: 'a\u0000b' }],
    ['until some time', { ...wanted, to: 'tomorrow' }],
  ])('one %s is refused', async (_, body) => {
    expect((await call('POST', '/v1/alerts/silences', body)).status).toBe(400);
  });
});

it('what fires is listed and stays in the history, with how it was told', async () => {
  let conditions: AlertCondition[] = ['W-1', 'W-2'].map((device) => ({
    labels: { device, site: 'South' },
    summary: `${device} is silent`,
    detail: { expectedIntervalSeconds: 60 },
  }));
  const keeper = new AlertKeeper({
    database: server.database,
    rules: [
      {
        name: 'device_silent',
        severity: 'warning',
        forSeconds: 0,
        resolveSeconds: 0,
        groupBy: ['site'],
        find: () => Promise.resolve(conditions),
      },
    ],
    channels: [new WebhookChannel({ url: receiver.url, secret: '' })],
    times: { groupWaitUs: 0, groupIntervalUs: 0, repeatUs: 0 },
    events: recordEvents(),
  });
  const turn = async (): Promise<void> => {
    await keeper.look();
    await keeper.tell();
    await keeper.deliver();
  };
  await turn();
  conditions = conditions.slice(1);
  await turn();
  const open = (await call<AlertList>('GET', '/v1/alerts')).body.alerts;
  expect(open).toMatchObject([
    {
      rule: 'device_silent',
      state: 'firing',
      labels: { device: 'W-2' },
      told: 'firing',
      attempts: 2,
      delivered: 2,
      ended_at: null,
    },
  ]);
  const history = (await call<AlertList>('GET', '/v1/alerts/history?limit=10')).body.alerts;
  expect(history.map(({ summary, state, ended_at: ended }) => [summary, state, ended !== null])).toEqual([
    ['W-2 is silent', 'firing', false],
    ['W-1 is silent', 'resolved', true],
  ]);
  expect((await call<AlertList>('GET', '/v1/alerts/history?since=2100-01-01T00:00:00Z')).body.alerts).toEqual([]);
});
