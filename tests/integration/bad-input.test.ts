/** What senders get wrong, by accident or on purpose: a clear answer each, and the good records of the request stay. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startIngestServer, type IngestServer } from '../support/ingest-server.js';

interface Answer {
  accepted: number;
  rejected: { index: number; field: string; code: string; message: string }[];
  error?: { code: string; message: string };
}

const GOOD = '{"device_id":"ESP-1","timestamp":"2026-01-01T00:00:00Z","temperature":80}';
const good = (fields: string): string => `${GOOD.slice(0, -1)},${fields}}`;

let ingest: IngestServer;
beforeAll(async () => {
  ingest = await startIngestServer({
    settings: { 'http.maxBodyBytes': 4_194_304, 'http.maxRecordsPerRequest': 20_000 },
  });
});
afterAll(() => ingest.close());
beforeEach(async () => {
  await ingest.drain();
  ingest.events.length = 0;
});

const queued = async (): Promise<string[]> =>
  (await ingest.drain()).map(({ body }) => Buffer.from(body).toString('utf8'));

describe('a bad record costs only itself', () => {
  const deep = `${'['.repeat(40)}${']'.repeat(40)}`;
  const cases: [name: string, record: string, code: string, field: string][] = [
    ['no device', '{"timestamp":"2026-01-01T00:00:00Z"}', 'missing_field', 'device_id'],
    ['no time', '{"device_id":"A","temperature":1}', 'missing_field', 'timestamp'],
    ['a number for the device', '{"device_id":5,"timestamp":"2026-01-01T00:00:00Z"}', 'wrong_type', 'device_id'],
    ['a null device', '{"device_id":null,"timestamp":"2026-01-01T00:00:00Z"}', 'wrong_type', 'device_id'],
    ['an empty device id', '{"device_id":"","timestamp":"2026-01-01T00:00:00Z"}', 'invalid_device_id', 'device_id'],
    [
      'a device id of 10 000 characters',
      `{"device_id":"${'x'.repeat(10_000)}","timestamp":"2026-01-01T00:00:00Z"}`,
      'invalid_device_id',
      'device_id',
    ],
    [
      'a control character in the device id',
      '{"device_id":"A\\u0007","timestamp":"2026-01-01T00:00:00Z"}',
      'invalid_device_id',
      'device_id',
    ],
    [
      'U+0000 in the device id',
      '{"device_id":"\\u0000","timestamp":"2026-01-01T00:00:00Z"}',
      'invalid_device_id',
      'device_id',
    ],
    [
      'half a surrogate pair',
      '{"device_id":"\\ud800","timestamp":"2026-01-01T00:00:00Z"}',
      'invalid_device_id',
      'device_id',
    ],
    ['text for a number', good('"pressure":"12"'), 'wrong_type', 'pressure'],
    ['true for a number', good('"pressure":true'), 'wrong_type', 'pressure'],
    ['an object for a number', good('"pressure":{"value":3}'), 'wrong_type', 'pressure'],
    ['a number beyond the range of numbers', good('"pressure":1e999'), 'not_finite', 'pressure'],
    ['minus infinity', good('"pressure":-1e999'), 'not_finite', 'pressure'],
    ['a time without offset', '{"device_id":"A","timestamp":"2026-01-01T00:00:00"}', 'naive_timestamp', 'timestamp'],
    ['a 31st of February', '{"device_id":"A","timestamp":"2026-02-31T00:00:00Z"}', 'invalid_timestamp', 'timestamp'],
    ['a time that is none', '{"device_id":"A","timestamp":"yesterday"}', 'invalid_timestamp', 'timestamp'],
    ['an epoch without unit', '{"device_id":"A","timestamp":1767225600}', 'timestamp_unit_missing', 'timestamp'],
    [
      'an epoch beyond all calendars',
      '{"device_id":"A","timestamp":1e300,"timestamp_unit":"s"}',
      'invalid_timestamp',
      'timestamp',
    ],
    ['a unit of another quantity', good('"vibration_unit":"in/s"'), 'unknown_unit', 'vibration_unit'],
    ['a unit that is Object.prototype’s', good('"pressure_unit":"__proto__"'), 'unknown_unit', 'pressure_unit'],
    ['nesting in an unknown field', good(`"note":${deep}`), 'too_deep', ''],
    ['nesting instead of a record', deep, 'too_deep', ''],
    ['a tower in an unknown field', good(`"note":${'['.repeat(20_000)}${']'.repeat(20_000)}`), 'too_deep', ''],
    ['a string', '"device_id"', 'not_an_object', ''],
    ['an array', '[1]', 'not_an_object', ''],
    ['null', 'null', 'not_an_object', ''],
    ['unknown fields beyond all measure', good(`"note":"${'x'.repeat(100_000)}"`), 'too_large', ''],
    ['a record of more than a megabyte', good(`"pressure":1${' '.repeat(1_100_000)}`), 'too_large', ''],
  ];

  it.each(cases)('%s', async (_name, bad, code, field) => {
    const answer = await ingest.client.post('/v1/telemetry', `[${GOOD},${bad},${GOOD}]`);
    expect(answer.status).toBe(202);
    const { accepted, rejected } = answer.json<Answer>();
    expect(accepted).toBe(2);
    expect(rejected).toHaveLength(1);
    expect(rejected[0]).toMatchObject({ index: 1, code, field });
    expect(rejected[0]?.message.length).toBeGreaterThan(10);
    expect(rejected[0]?.message.length).toBeLessThan(500);
    expect(await queued()).toEqual([`[${GOOD},${GOOD}]`]);
  });

  it.each(cases)('%s, alone: 400 in the same shape', async (_name, bad, code, field) => {
    const answer = await ingest.client.post('/v1/telemetry', `[${bad}]`);
    expect(answer.status).toBe(400);
    const { accepted, rejected, error } = answer.json<Answer>();
    expect(accepted).toBe(0);
    expect(rejected).toMatchObject([{ index: 0, code, field }]);
    expect(error?.code).toBe(code);
    expect(ingest.broker.telemetry.depth().messages).toBe(0);
  });

  it('a line that is not JSON, also one cut off within a string', async () => {
    const bad = ['{"device_id":"A","timestamp"', 'NaN', '{"device_id":"\\', '}}}}', `${'['.repeat(30)}`, "{'a':1}"];
    const lines = bad.flatMap((line) => [line, GOOD]);
    const answer = await ingest.client.post('/v1/telemetry', lines.join('\n'), {
      'content-type': 'application/x-ndjson',
    });
    const { accepted, rejected } = answer.json<Answer>();
    expect(accepted).toBe(bad.length);
    expect(rejected.map(({ index }) => index)).toEqual(bad.map((_, position) => 2 * position));
    expect(new Set(rejected.map(({ code }) => code))).toEqual(new Set(['malformed_json', 'too_deep']));
    expect(await queued()).toEqual([bad.map(() => GOOD).join('\n')]);
  });
});

describe('what looks bad and is not', () => {
  it.each([
    ['an unknown field', good('"choke":12,"tags":["a"]')],
    ['a field called __proto__', good('"__proto__":{"device_id":"evil"},"constructor":{"prototype":1}')],
    ['brackets and quotes within text', good(`"note":"${'[{'.repeat(200)}\\"]"`)],
    ['a field twice: the last one counts', good('"temperature":81')],
    ['an impossible value: stored as NULL with its flag', good('"pressure":-5000,"rpm":1e300')],
    ['a null reading', good('"pressure":null')],
    ['a time in the far past', '{"device_id":"A","timestamp":"0001-01-01T00:00:00Z"}'],
    ['a time in the far future: the pipeline sets it aside', '{"device_id":"A","timestamp":"9999-12-31T23:59:59Z"}'],
    ['a lone surrogate in an unknown field', good('"note":"\\ud800"')],
    ['U+0000 in an unknown field', good('"note":"\\u0000"')],
    ['a number of a thousand digits', good(`"serial":${'9'.repeat(300)}`)],
  ])('%s', async (_name, record) => {
    const answer = await ingest.client.post('/v1/telemetry', record);
    expect(answer.json()).toEqual({ accepted: 1, rejected: [] });
    expect(await queued()).toEqual([record]);
  });

  it('a record twice, and records out of order', async () => {
    const later = GOOD.replace('00:00:00Z', '00:00:05Z');
    const answer = await ingest.client.post('/v1/telemetry', `[${later},${GOOD},${GOOD}]`);
    expect(answer.json()).toEqual({ accepted: 3, rejected: [] });
  });
});

describe('a body that cannot be read', () => {
  it.each([
    ['nothing', ''],
    ['blanks', '  \n '],
    ['half an array', `[${GOOD}`],
    ['NaN', '[{"device_id":"A","timestamp":"2026-01-01T00:00:00Z","temperature":NaN}]'],
    ['Infinity', '{"temperature":Infinity}'],
    ['single quotes', "{'device_id':'A'}"],
    ['a trailing comma', `[${GOOD},]`],
    ['two arrays', '[][]'],
    ['binary', randomBytes(1000)],
    [
      'bytes that are not UTF-8',
      Buffer.concat([Buffer.from('{"device_id":"'), Buffer.from([0xff]), Buffer.from('"}')]),
    ],
    ['half a character', Buffer.concat([Buffer.from('{"device_id":"'), Buffer.from([0xe4, 0xba]), Buffer.from('"}')])],
    ['UTF-16', Buffer.from(GOOD, 'utf16le')],
  ])('%s: 400 malformed_json, counted as one', async (_name, body) => {
    const answer = await ingest.client.post('/v1/telemetry', body);
    expect(answer.status).toBe(400);
    expect(answer.json<Answer>().error?.code).toBe('malformed_json');
    expect(ingest.events.filter(({ name }) => name === 'records_received')).toMatchObject([
      { fields: { accepted: 0, rejected: 1, codes: { malformed_json: 1 } } },
    ]);
  });

  it.each([
    ['{"records":7}', 'wrong_type', 'records'],
    [`{"records":[${GOOD}],"unit":{}}`, 'wrong_type', 'unit'],
    [`{"records":[${GOOD}],"units":{"pressure":"furlong"}}`, 'unknown_unit', 'units.pressure'],
    [`{"records":[${GOOD}],"units":{"presure":"bar"}}`, 'unknown_unit', 'units.presure'],
    [`{"records":[${GOOD}],"time_zone":"Mars/Olympus"}`, 'unknown_unit', 'time_zone'],
    [`{"records":[${GOOD}],"timestamp_unit":"h"}`, 'unknown_unit', 'timestamp_unit'],
  ])('the envelope %s', async (body, code, field) => {
    const answer = await ingest.client.post('/v1/telemetry', body);
    expect(answer.status).toBe(400);
    expect(answer.json<Answer>().rejected).toMatchObject([{ index: 0, code, field }]);
  });

  it.each([
    ['brackets', '['.repeat(1_000_000)],
    ['objects', '{"a":'.repeat(500_000)],
    ['brackets in a record', `[${GOOD},${good(`"x":${'['.repeat(200_000)}${']'.repeat(200_000)}`)}]`],
    ['brackets for the records', `{"records":{"x":${'['.repeat(200_000)}${']'.repeat(200_000)}}}`],
  ])('a tower of %s', async (_name, body) => {
    const answer = await ingest.client.post('/v1/telemetry', body);
    expect([answer.status, answer.json<Answer>().error?.code]).toEqual([400, 'too_deep']);
  });

  it('never fails on anything at all', async () => {
    const json = fc.json({ maxDepth: 4 });
    const body = fc.oneof(
      json,
      fc.uint8Array({ maxLength: 200 }),
      fc.tuple(json, json).map(([a, b]) => `${a}\n${b}`),
      fc.json({ maxDepth: 3 }).map((value) => `{"records":[${value},${GOOD}]}`),
      fc.json({ maxDepth: 3 }).map((value) => `{"records":[${GOOD}],"units":${value}}`),
      fc
        .tuple(fc.constant(`[${GOOD},${GOOD}]`), fc.nat(150), fc.string({ minLength: 1, maxLength: 1 }))
        .map(([text, at, other]) => text.slice(0, at) + other + text.slice(at + 1)),
    );
    const type = fc.constantFrom('application/json', 'application/x-ndjson');
    await fc.assert(
      fc.asyncProperty(body, type, async (bytes, contentType) => {
        const answer = await ingest.client.post('/v1/telemetry', bytes, { 'content-type': contentType });
        expect([202, 400]).toContain(answer.status);
        const { accepted, rejected } = answer.json<Answer>();
        if (answer.status === 202) expect(accepted + rejected.length).toBeGreaterThanOrEqual(0);
        else expect(accepted).toBe(answer.text.includes('"rejected"') ? 0 : undefined);
      }),
      { numRuns: 200 },
    );
  });
});

describe('a body beyond its bound', () => {
  const fifty = Buffer.alloc(50_000_000, ' ');

  it('50 MB that say so: 413 before they are read', async () => {
    const answer = await ingest.client.post('/v1/telemetry', fifty);
    expect([answer.status, answer.json()]).toMatchObject([413, { error: { code: 'too_large' } }]);
    expect(answer.json<Answer>().error?.message).toContain('4194304');
  });

  it('50 MB that do not say so: 413, and the connection goes on', async () => {
    const socket = connect(ingest.client.port, '127.0.0.1');
    const head = `POST /v1/telemetry HTTP/1.1\r\nHost: 127.0.0.1:${ingest.client.port}\r\nContent-Type: application/json\r\n`;
    socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n`);
    for (let sent = 0; sent < 50; sent++) socket.write(`f4240\r\n${'x'.repeat(1_000_000)}\r\n`);
    socket.write('0\r\n\r\n');
    socket.end(`GET /v1/health/live HTTP/1.1\r\nHost: 127.0.0.1:${ingest.client.port}\r\nConnection: close\r\n\r\n`);
    let text = '';
    for await (const chunk of socket as AsyncIterable<Buffer>) text += chunk.toString('latin1');
    expect(text).toMatch(/^HTTP\/1\.1 413 /);
    expect(text).toMatch(/HTTP\/1\.1 200 [\s\S]*"alive"/);
  });

  it('a bomb of gzip: 413, inflated no further than the bound', async () => {
    const bomb = gzipSync(Buffer.alloc(200_000_000, '['));
    expect(bomb.length).toBeLessThan(1_000_000);
    const before = process.memoryUsage().rss;
    const answer = await ingest.client.post('/v1/telemetry', bomb, { 'content-encoding': 'gzip' });
    expect([answer.status, answer.json()]).toMatchObject([413, { error: { code: 'too_large' } }]);
    expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000);
  });

  it('too many records, as array, envelope and lines', async () => {
    const many = Array.from({ length: 20_100 }, () => '{}');
    const bodies = [
      `[${many.join(',')}]`,
      `{"records":[${many.join(',')}]}`,
      many.join('\n'),
      `[${'0,'.repeat(2_000_000)}0]`,
    ];
    for (const body of bodies) {
      const answer = await ingest.client.post('/v1/telemetry', body);
      expect([answer.status, answer.json()]).toMatchObject([413, { error: { code: 'too_large' } }]);
    }
  });

  it('more bodies at a time than memory is set aside for: 503, and 202 afterwards', async () => {
    const small = await startIngestServer({
      settings: { 'http.maxPendingBytes': 1_048_576, 'http.maxBodyBytes': 1_048_576 },
    });
    try {
      // A sender that stops halfway holds what it has sent.
      const slow = connect(small.client.port, '127.0.0.1');
      const [received] = (await once(small.server.server, 'connection')) as [Socket];
      const head = `POST /v1/telemetry HTTP/1.1\r\nHost: 127.0.0.1:${small.client.port}\r\nContent-Type: application/json\r\n`;
      slow.write(`${head}Content-Length: 1000000\r\n\r\n${' '.repeat(900_000)}`);
      while (received.bytesRead < 900_000) await setImmediate();
      const body = `[${GOOD}${' '.repeat(200_000)}]`;
      const refused = await small.client.post('/v1/telemetry', body);
      expect([refused.status, refused.json()]).toMatchObject([503, { error: { code: 'overloaded' } }]);
      expect(refused.headers['retry-after']).toBeDefined();
      slow.destroy();
      let status = 503;
      while (status === 503) status = (await small.client.post('/v1/telemetry', body)).status;
      expect(status).toBe(202);
    } finally {
      await small.close();
    }
  });
});

describe('a body of another kind', () => {
  it.each([
    ['text/plain', undefined],
    ['application/x-www-form-urlencoded', undefined],
    ['multipart/form-data; boundary=x', undefined],
    ['application/jsonx', undefined],
    ['nonsense', undefined],
    ['application/json', 'br'],
    ['application/json', 'gzip, gzip'],
  ])('%s, encoding %s: 415', async (type, encoding) => {
    const headers = { 'content-type': type, ...(encoding === undefined ? {} : { 'content-encoding': encoding }) };
    const answer = await ingest.client.post('/v1/telemetry', GOOD, headers);
    expect(answer.status).toBe(415);
    expect(answer.json<Answer>().error?.code).toBe(
      encoding === undefined ? 'unsupported_media_type' : 'unsupported_encoding',
    );
  });

  it('no content type: 415', async () => {
    const answer = await ingest.client.request('/v1/telemetry', { method: 'POST', body: GOOD });
    expect(answer.status).toBe(415);
  });

  it.each([
    ['plain text called gzip', Buffer.from(GOOD)],
    ['half of a gzip', gzipSync(GOOD).subarray(0, 30)],
    ['nothing called gzip', Buffer.alloc(0)],
  ])('%s: 400', async (_name, body) => {
    const answer = await ingest.client.post('/v1/telemetry', body, { 'content-encoding': 'gzip' });
    expect(answer.status).toBe(400);
    expect(['malformed_gzip', 'malformed_json']).toContain(answer.json<Answer>().error?.code);
  });
});
