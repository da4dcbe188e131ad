/** Rate limits as senders meet them. The rates are so low that nothing comes back while a test runs. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startIngestServer } from '../support/ingest-server.js';
import { startKeyedServer, type KeyedServer } from '../support/keyed-server.js';
import type { Answer } from '../support/client.js';

let server: KeyedServer;
beforeAll(async () => {
  server = await startKeyedServer();
});
afterAll(() => server.close());

const SLOW = 0.001;
const records = (count: number): object[] =>
  Array.from({ length: count }, (_, index) => ({
    device_id: `ESP-${index}`,
    timestamp: '2026-01-01T00:00:00Z',
    temperature: 80,
  }));

function expectLimited(answer: Answer): void {
  expect([answer.status, answer.json()]).toMatchObject([429, { error: { code: 'rate_limited' } }]);
  expect(answer.headers['retry-after']).toMatch(/^[1-9]\d*$/);
}

describe('records per second', () => {
  it('are charged before they are published; what is too many is refused as a whole and counted nowhere else', async () => {
    const key = await server.makeKey({ recordsPerSecond: SLOW });
    const received = (): Promise<number> => server.metrics.value('telemetry_records_received_total');
    // More than fits passes once, when the bucket is full: it could never pass otherwise.
    expect((await server.ask(key, '/v1/telemetry', records(5))).status).toBe(202);
    const before = await received();
    const limited = await server.metrics.value('http_rate_limited_total', { limit: 'records' });
    const refused = await server.ask(key, '/v1/telemetry', records(1));
    expectLimited(refused);
    // Five are owed, and one has to be there: six at a thousandth a second.
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(4000);
    expect(await server.drain()).toHaveLength(1);
    expect(await received()).toBe(before);
    expect(await server.metrics.value('http_rate_limited_total', { limit: 'records' })).toBe(limited + 1);
  });

  it('of one key are not those of another', async () => {
    const [one, other] = [
      await server.makeKey({ recordsPerSecond: SLOW }),
      await server.makeKey({ recordsPerSecond: SLOW }),
    ];
    expect((await server.ask(one, '/v1/telemetry', records(1))).status).toBe(202);
    expectLimited(await server.ask(one, '/v1/telemetry', records(1)));
    expect((await server.ask(other, '/v1/telemetry', records(1))).status).toBe(202);
  });

  it('refuse a body before it is read when not one record would pass, and its sender hears of it', async () => {
    const key = await server.makeKey({ recordsPerSecond: SLOW });
    expect((await server.ask(key, '/v1/telemetry', records(1))).status).toBe(202);
    expectLimited(await server.ask(key, '/v1/telemetry', `[${' '.repeat(16_000_000)}`));
  });

  it('count what is accepted, and nothing of what is refused', async () => {
    const key = await server.makeKey({ recordsPerSecond: SLOW });
    for (let count = 0; count < 3; count++) expect((await server.ask(key, '/v1/telemetry', [{}, {}])).status).toBe(400);
    expect((await server.ask(key, '/v1/telemetry', records(1))).status).toBe(202);
  });

  it('hold for imports', async () => {
    const key = await server.makeKey({ recordsPerSecond: SLOW });
    expect((await server.ask(key, '/v1/import', records(3))).status).toBe(200);
    expectLimited(await server.ask(key, '/v1/import', records(1)));
  });
});

describe('requests per second', () => {
  it('hold for every route of the key', async () => {
    const key = await server.makeKey({ scopes: ['read'], requestsPerSecond: SLOW });
    expect((await server.ask(key, '/v1/health')).status).toBe(200);
    expectLimited(await server.ask(key, '/v1/health'));
    expectLimited(await server.ask(key, '/v1/devices'));
    // What is for everybody needs no key, and its caller has no limit.
    expect((await server.ask(undefined, '/v1/health/live')).status).toBe(200);
  });

  it('do not tell a stranger anything: without a key it is 401 all the time', async () => {
    for (let count = 0; count < 5; count++) expect((await server.ask(undefined, '/v1/health')).status).toBe(401);
  });

  it('hold by address where keys are not required', async () => {
    const open = await startIngestServer({ settings: { 'http.maxRequestsPerSecond': SLOW } });
    try {
      expect((await open.client.get('/v1/health')).status).toBe(200);
      expectLimited(await open.client.get('/v1/health'));
      expect((await open.client.get('/v1/health/live')).status).toBe(200);
    } finally {
      await open.close();
    }
  });
});
