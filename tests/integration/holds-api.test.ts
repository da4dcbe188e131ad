import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startIngestServer, type IngestServer } from '../support/ingest-server.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { openPlainTarget, type StorageTarget } from '../support/storage-targets.js';

let postgres: PostgresServer;
let target: StorageTarget;
let ingest: IngestServer;
beforeAll(async () => {
  postgres = await startPostgres();
  target = await openPlainTarget(postgres);
  ingest = await startIngestServer({ database: target.database });
});
afterAll(async () => {
  await ingest.close();
  await target.remove();
  await postgres.remove();
});

const hold = { from: '2026-11-01T00:00:00+01:00', to: '2026-11-08T00:00:00.5Z', reason: 'dispute with the operator' };

describe('/v1/holds', () => {
  it('keeps a hold and lists it, newest first, instants in UTC', async () => {
    const created = await ingest.client.post('/v1/holds', hold);
    expect(created.status).toBe(201);
    expect(created.json()).toMatchObject({
      device_id: null,
      from: '2026-10-31T23:00:00Z',
      to: '2026-11-08T00:00:00.500000Z',
      reason: hold.reason,
      created_by: 'http:127.0.0.1',
      expires_at: null,
      released_at: null,
    });
    const second = { ...hold, device_id: 'ESP-1', expires_at: '2027-01-01T00:00:00Z' };
    await ingest.client.post('/v1/holds', second);
    const { holds } = (await ingest.client.get('/v1/holds')).json<{ holds: object[] }>();
    expect(holds).toHaveLength(2);
    expect(holds[0]).toMatchObject({ device_id: 'ESP-1', expires_at: '2027-01-01T00:00:00Z' });
    expect(holds[1]).toEqual(created.json());
    const log = await target.database.query('SELECT actor, action, target, detail FROM audit_log ORDER BY id');
    expect(log).toMatchObject([
      { actor: 'http:127.0.0.1', action: 'hold.create', detail: { reason: hold.reason } },
      { target: String((holds[0] as { id: number }).id) },
    ]);
  });

  it.each([
    ['no reason', { from: hold.from, to: hold.to }, 'invalid_request', undefined],
    ['an unknown field', { ...hold, device: 'x' }, 'invalid_request', 'device'],
    ['a number for the device', { ...hold, device_id: 5 }, 'invalid_request', 'device_id'],
    ['a naive time', { ...hold, from: '2026-11-01T00:00:00' }, 'naive_timestamp', 'from'],
    ['no time', { ...hold, to: 'soon' }, 'invalid_timestamp', 'to'],
    ['a range that ends before it begins', { ...hold, to: hold.from }, 'empty_range', 'to'],
    ['not an object', [], 'invalid_request', undefined],
    ['not JSON', '{', 'malformed_json', undefined],
    ['a tower', `${'['.repeat(100)}${']'.repeat(100)}`, 'too_deep', undefined],
    ['control characters', { ...hold, device_id: 'a\u0000' }, 'invalid_device_id', 'device_id'],
  ])('refuses %s', async (_name, body, code, field) => {
    const answer = await ingest.client.post('/v1/holds', body);
    expect([answer.status, answer.json<{ error: { code: string } }>().error.code]).toEqual([400, code]);
    if (field !== undefined) expect(answer.json()).toMatchObject({ error: { field } });
  });
});
