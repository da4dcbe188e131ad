import { gzipSync } from 'node:zlib';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { HttpError } from '../../src/ingest/http-error.js';
import { isRejection, type RecordContext } from '../../src/pipeline/read-record.js';
import { readBody } from '../../src/pipeline/read-body.js';
import type { Delivery, MessageHeaders } from '../../src/queue/queue.js';
import { CHANNELS } from '../../src/telemetry/channels.js';
import { OperationalError } from '../../src/telemetry/operational-error.js';
import { zeroOutcomes } from '../../src/telemetry/outcome.js';
import { startIngestServer, type IngestServer } from '../support/ingest-server.js';

interface AcceptedAnswer {
  accepted: number;
  rejected: { index: number; field: string; code: string; message: string }[];
  rejected_total?: number;
}

const record = (second = 0, device = 'ESP-1'): Record<string, unknown> => ({
  device_id: device,
  timestamp: new Date(1_732_000_000_000 + second * 1000).toISOString(),
  temperature: 80 + (second % 10),
});

const CONTEXT: RecordContext = { receivedUs: 0, sourceSystem: 'scada' };

/** The records of a message as the pipeline will read them. */
function recordsOf({ body, headers }: Pick<Delivery, 'body' | 'headers'>): readonly unknown[] {
  const parsed = readBody(body, headers.contentType, CONTEXT);
  if (isRejection(parsed)) throw new Error(`published what cannot be read: ${parsed.message}`);
  return parsed.records;
}

let ingest: IngestServer;
const imported: { body: Uint8Array; headers: MessageHeaders }[] = [];

beforeAll(async () => {
  ingest = await startIngestServer({
    pipeline: {
      ingestNow: (body, headers) => {
        imported.push({ body, headers });
        return Promise.resolve({ outcomes: { ...zeroOutcomes(), stored: recordsOf({ body, headers }).length } });
      },
    },
    routes: [
      async (server) => {
        server.get('/v1/refused', () => Promise.reject(new HttpError(409, 'busy', 'not now', 'x')));
        server.get('/v1/defect', () => Promise.reject(new Error('postgres://ada:hunter2@db/x went away')));
        server.get('/v1/away', () => Promise.reject(new OperationalError('away', 'come back', { retryable: true })));
        server.get(
          '/v1/typed',
          {
            schema: {
              querystring: {
                type: 'object',
                additionalProperties: false,
                properties: { points: { type: 'integer', maximum: 9 } },
              },
            },
          },
          async (request) => ({ query: request.query, extra: 1 }),
        );
        server.get('/v1/devices/:id/series', async (request) => request.params);
      },
    ],
  });
});
afterAll(() => ingest.close());
beforeEach(async () => {
  await ingest.drain();
  ingest.events.length = 0;
});

describe('POST /v1/telemetry', () => {
  it.each([
    ['a record', record(), 'application/json', 1],
    ['an array', [record(1), record(2)], 'application/json', 2],
    ['an envelope', { records: [record(1), record(2)], units: { temperature: 'F' } }, 'application/json', 2],
    ['NDJSON', `${JSON.stringify(record(1))}\n\n${JSON.stringify(record(2))}\n`, 'application/x-ndjson', 2],
    [
      'NDJSON that says it is JSON',
      `${JSON.stringify(record(1))}\r\n${JSON.stringify(record(2))}`,
      'application/json',
      2,
    ],
    ['a byte order mark', `\ufeff${JSON.stringify(record(1))}`, 'application/json', 1],
    ['a record written over several lines', JSON.stringify(record(1), null, 2), 'application/json', 1],
  ])('takes %s as it is', async (_name, body, type, count) => {
    const answer = await ingest.client.post('/v1/telemetry', body, { 'content-type': `${type}; charset=utf-8` });
    expect(answer.json()).toEqual({ accepted: count, rejected: [] });
    expect(answer.status).toBe(202);
    const [message, ...others] = await ingest.drain();
    expect(others).toEqual([]);
    expect(Buffer.from(message?.body ?? []).toString()).toBe(typeof body === 'string' ? body : JSON.stringify(body));
    expect(message?.headers).toMatchObject({ records: count, schemaVersion: 1, source: 'http:127.0.0.1' });
    expect(recordsOf(message as Delivery)).toHaveLength(count);
    expect(ingest.events.filter(({ name }) => name === 'records_received')).toEqual([
      { name: 'records_received', fields: { accepted: count, rejected: 0, codes: {}, source: 'http:127.0.0.1' } },
    ]);
  });

  it('takes gzip, and publishes what was in it', async () => {
    const body = JSON.stringify([record(1)]);
    const answer = await ingest.client.post('/v1/telemetry', gzipSync(body), { 'content-encoding': 'gzip' });
    expect(answer.status).toBe(202);
    expect(Buffer.from((await ingest.drain())[0]?.body ?? []).toString()).toBe(body);
  });

  it('stores the good records of a request and says what is wrong with the others', async () => {
    const good =
      '{"device_id":"A","timestamp":"2026-01-01T00:00:00.1234567Z","temperature":81.50,"serial":12345678901234567890}';
    const body = `{ "units": {"pressure": "bar"}, "records": [ ${good}, {"device_id":"A"}, 7, ${good} ], "device_id": "B" }`;
    const answer = await ingest.client.post('/v1/telemetry', body);
    expect(answer.status).toBe(202);
    expect(answer.json<AcceptedAnswer>()).toMatchObject({
      accepted: 2,
      rejected: [
        { index: 1, field: 'timestamp', code: 'missing_field' },
        { index: 2, field: '', code: 'not_an_object' },
      ],
    });
    const [message] = await ingest.drain();
    // The bytes of a record stay the sender's: 81.50, and a serial number beyond 2^53.
    expect(Buffer.from(message?.body ?? []).toString()).toBe(
      `{"records":[ ${good}, ${good} ],"units":{"pressure":"bar"},"device_id":"B"}`,
    );
    expect(message?.headers.records).toBe(2);
  });

  it('leaves a timestamp in the future to the pipeline, which keeps the record', async () => {
    const future = { ...record(), timestamp: '2999-01-01T00:00:00Z' };
    const answer = await ingest.client.post('/v1/telemetry', [future]);
    expect(answer.json()).toEqual({ accepted: 1, rejected: [] });
  });

  it('cuts a large request into messages of bounded size, in order', async () => {
    const sent = Array.from({ length: 2500 }, (_, second) => ({ ...record(second), note: 'x'.repeat(700) }));
    for (const body of [
      sent,
      { records: sent, source_system: 'dcs' },
      sent.map((one) => JSON.stringify(one)).join('\n'),
    ]) {
      const answer = await ingest.client.post('/v1/telemetry', body);
      expect(answer.json()).toEqual({ accepted: 2500, rejected: [] });
      const messages = await ingest.drain();
      for (const message of messages) {
        expect(message.headers.records).toBe(recordsOf(message).length);
        expect(message.headers.records).toBeLessThanOrEqual(1000);
        expect(message.body.length).toBeLessThan(1_100_000);
      }
      expect(messages.flatMap(recordsOf)).toEqual(sent);
    }
  });

  it.each(['[]', '{"records":[]}'])('finds nothing to accept in %s', async (body) => {
    const answer = await ingest.client.post('/v1/telemetry', body);
    expect([answer.status, answer.json()]).toMatchObject([
      400,
      { accepted: 0, rejected: [], error: { code: 'no_records' } },
    ]);
    expect(ingest.broker.telemetry.depth().messages).toBe(0);
  });

  it('cuts off a long list of rejections and says how many there are', async () => {
    const answer = await ingest.client.post('/v1/telemetry', [...Array.from({ length: 1500 }, () => 0), record()]);
    const { accepted, rejected, rejected_total: total } = answer.json<AcceptedAnswer>();
    expect([accepted, rejected.length, total]).toEqual([1, 1000, 1500]);
    expect(await ingest.metrics.value('telemetry_rejections_total', { code: 'not_an_object' })).toBeGreaterThanOrEqual(
      1500,
    );
  });

  it('accounts for every record, whatever the mix of good and bad ones and the form they come in', async () => {
    const good = fc.record({
      device_id: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((id) => !/\p{Cc}/u.test(id)),
      timestamp: fc
        .date({ min: new Date(0), max: new Date('2099-01-01'), noInvalidDate: true })
        .map((at) => at.toISOString()),
      temperature: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })),
      'note "]}, {[': fc.oneof(fc.string(), fc.constant('\\"]},{\\'), fc.array(fc.integer(), { maxLength: 3 })),
    });
    const bad = fc.oneof(
      fc.constantFrom<unknown>(null, 7, 'text', [], [[]], {}, { device_id: 'x' }),
      fc.record({
        device_id: fc.constant('x'),
        timestamp: fc.constantFrom('yesterday', '2026-01-01T00:00:00', 5, true),
      }),
      good.map((one) => ({ ...one, temperature: 'hot' })),
      good.map((one) => ({ ...one, pressure_unit: 'furlong' })),
    );
    const entry = fc.oneof(
      good.map((value) => ({ value: value as unknown, isGood: true })),
      bad.map((value) => ({ value, isGood: false })),
    );
    const form = fc.constantFrom('array', 'envelope', 'lines');
    await fc.assert(
      fc.asyncProperty(
        fc.array(entry, { minLength: 1, maxLength: 12 }),
        form,
        fc.boolean(),
        async (entries, shape, pretty) => {
          const values = entries.map(({ value }) => value);
          const space = pretty ? 2 : undefined;
          const body =
            shape === 'lines'
              ? values.map((value) => JSON.stringify(value)).join('\n')
              : JSON.stringify(
                  shape === 'array' ? values : { time_zone: undefined, records: values, units: {} },
                  null,
                  space,
                );
          const type = shape === 'lines' ? 'application/x-ndjson' : 'application/json';
          const answer = await ingest.client.post('/v1/telemetry', body, { 'content-type': type });
          const { accepted, rejected } = answer.json<AcceptedAnswer>();
          const goodOnes = entries.filter(({ isGood }) => isGood).map(({ value }) => value);
          expect(accepted + rejected.length).toBe(entries.length);
          expect(rejected.map(({ index }) => index)).toEqual(
            entries.flatMap(({ isGood }, index) => (isGood ? [] : [index])),
          );
          expect(answer.status).toBe(goodOnes.length > 0 ? 202 : 400);
          const published = (await ingest.drain()).flatMap(recordsOf);
          expect(published).toEqual(JSON.parse(JSON.stringify(goodOnes)));
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('a queue at its bound', () => {
  it('answers 503 with Retry-After, counts nothing as received, and takes the same records later', async () => {
    const small = await startIngestServer({ queueMaxBytes: 1_048_576 });
    try {
      const body = Array.from({ length: 900 }, (_, second) => ({ ...record(second), note: 'x'.repeat(400) }));
      const statuses: number[] = [];
      let refused = await small.client.post('/v1/telemetry', body);
      for (; refused.status === 202; refused = await small.client.post('/v1/telemetry', body)) statuses.push(202);
      expect(statuses.length).toBeGreaterThan(0);
      expect(refused.status).toBe(503);
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
      expect(refused.json()).toMatchObject({ error: { code: 'queue_full' } });
      expect(await small.metrics.value('telemetry_records_received_total')).toBe(900 * statuses.length);
      await small.drain();
      expect((await small.client.post('/v1/telemetry', body)).status).toBe(202);
    } finally {
      await small.close();
    }
  });
});

describe('POST /v1/import', () => {
  it('hands the bytes to the pipeline and answers with what became of the records', async () => {
    imported.length = 0;
    const body = `${JSON.stringify(record(1))}\n${JSON.stringify(record(2))}`;
    const answer = await ingest.client.post('/v1/import', gzipSync(body), {
      'content-type': 'application/x-ndjson',
      'content-encoding': 'gzip',
    });
    expect([answer.status, answer.json()]).toEqual([200, { ...zeroOutcomes(), stored: 2 }]);
    expect(imported[0]?.headers).toMatchObject({
      contentType: 'application/x-ndjson',
      records: null,
      schemaVersion: 1,
    });
    expect(Buffer.from(imported[0]?.body ?? []).toString()).toBe(body);
  });

  it('refuses what is too deep', async () => {
    const answer = await ingest.client.post('/v1/import', '['.repeat(200_000));
    expect([answer.status, answer.json()]).toMatchObject([400, { error: { code: 'too_deep' } }]);
  });
});

describe('health and metrics', () => {
  it('tells alive from ready, dependency by dependency', async () => {
    const since = '2026-11-23T18:22:08.000Z';
    const checks = {
      database: { ok: false, detail: 'no answer', since, required: true },
      queue: { ok: true, detail: 'open', since, required: true },
    };
    const status = 'not_ready' as const;
    const sick = await startIngestServer({ readiness: () => Promise.resolve({ status, checks }) });
    try {
      expect((await sick.client.get('/v1/health/live')).status).toBe(200);
      const ready = await sick.client.get('/v1/health/ready');
      expect([ready.status, ready.json()]).toEqual([503, { status, checks }]);
      const both = await sick.client.get('/v1/health');
      expect([both.status, both.json()]).toEqual([
        503,
        { version: '0.0.0-test', live: true, ready: false, status, checks },
      ]);
    } finally {
      await sick.close();
    }
    expect((await ingest.client.get('/v1/health/ready')).status).toBe(200);
  });

  it('gives metrics in the text format', async () => {
    await ingest.client.post('/v1/telemetry', [record()]);
    const answer = await ingest.client.get('/metrics');
    expect(answer.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(answer.text).toMatch(/^telemetry_records_received_total [1-9]/m);
    expect(answer.text).toMatch(/^http_requests_total\{method="POST",route="\/v1\/telemetry",status="202"\} [1-9]/m);
  });
});

describe('errors', () => {
  it('gives every error the same shape and never a stack trace', async () => {
    expect((await ingest.client.get('/v1/refused')).json()).toEqual({
      error: { code: 'busy', message: 'not now', field: 'x' },
    });
    const away = await ingest.client.get('/v1/away');
    expect([away.status, away.json()]).toEqual([503, { error: { code: 'away', message: 'come back' } }]);
    const defect = await ingest.client.get('/v1/defect');
    expect(defect.status).toBe(500);
    expect(defect.json()).toMatchObject({ error: { code: 'internal_error' } });
    expect(defect.text).not.toMatch(/hunter2|went away|\.ts/);
    const line = ingest.log.find((one) => one.includes('request_failed')) ?? '';
    expect(line).toContain(defect.headers['x-request-id']);
    expect(line).toContain('went away');
    expect(line).not.toContain('hunter2');
  });

  it('tells a wrong method from a wrong path', async () => {
    const wrongMethod = await ingest.client.get('/v1/telemetry');
    expect([wrongMethod.status, wrongMethod.headers.allow]).toEqual([405, 'POST']);
    expect(wrongMethod.json()).toMatchObject({ error: { code: 'method_not_allowed' } });
    const wrongPath = await ingest.client.post('/v1/telemetri', '{}');
    expect([wrongPath.status, wrongPath.json()]).toMatchObject([404, { error: { code: 'not_found' } }]);
  });

  it('converts query parameters, refuses unknown ones, and takes ids of 128 characters of any script', async () => {
    expect((await ingest.client.get('/v1/typed?points=5')).json()).toEqual({ query: { points: 5 }, extra: 1 });
    expect((await ingest.client.get('/v1/typed?points=50')).json()).toMatchObject({
      error: { code: 'invalid_request', field: 'points' },
    });
    expect((await ingest.client.get('/v1/typed?point=5')).json()).toMatchObject({ error: { field: 'point' } });
    const id = '井'.repeat(128);
    expect((await ingest.client.get(`/v1/devices/${encodeURIComponent(id)}/series`)).json()).toEqual({ id });
  });
});

describe('the OpenAPI document', () => {
  interface Document {
    openapi: string;
    paths: Record<string, Record<string, Operation>>;
  }
  interface Operation {
    summary?: string;
    requestBody?: { content: Record<string, { schema: { anyOf: object[] } }> };
    responses: Record<string, { description: string; content?: Record<string, { schema: object }> }>;
  }

  it('describes every route with its errors, and every channel with unit and range', async () => {
    const answer = await ingest.client.get('/v1/openapi.json');
    const document = answer.json<Document>();
    expect(document.openapi).toBe('3.1.0');
    for (const path of [
      '/v1/telemetry',
      '/v1/import',
      '/v1/health/live',
      '/v1/health/ready',
      '/v1/health',
      '/metrics',
    ]) {
      for (const operation of Object.values(document.paths[path] ?? {})) {
        expect(operation.summary, path).toBeTruthy();
        expect(Object.keys(operation.responses), path).toContain('403');
        for (const response of Object.values(operation.responses)) expect(response.description, path).toBeTruthy();
      }
    }
    for (const channel of CHANNELS) {
      expect(answer.text).toContain(`${channel.label} in ${channel.unit}`);
      expect(answer.text).toContain(`"${channel.name}_unit"`);
    }
  });

  it('is true: requests and answers match its schemas', async () => {
    const document = (await ingest.client.get('/v1/openapi.json')).json<Document>();
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    const operation = document.paths['/v1/telemetry']?.['post'] as Operation;
    const body = operation.requestBody?.content['application/json']?.schema as object;
    for (const sent of [record(), [record()], { records: [record()], units: { pressure: 'bar' } }]) {
      expect(ajv.validate(body, sent), ajv.errorsText()).toBe(true);
    }
    for (const sent of [[record(), 7, {}], [7], [record()]]) {
      const answer = await ingest.client.post('/v1/telemetry', sent);
      const schema = operation.responses[String(answer.status)]?.content?.['application/json']?.schema as object;
      expect(ajv.validate(schema, answer.json()), ajv.errorsText()).toBe(true);
    }
  });
});
