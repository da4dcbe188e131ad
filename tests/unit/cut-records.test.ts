import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { acceptRecords, type AcceptedRecords } from '../../src/ingest/accept-records.js';
import { sortMessage } from '../../src/ingest/telemetry-router.js';
import { readBody, type BodyType, type ParsedBody } from '../../src/pipeline/read-body.js';
import type { MessageHeaders, OutgoingMessage } from '../../src/queue/queue.js';
import { partitionOf } from '../../src/telemetry/partition.js';

const NOW_US = Date.UTC(2026, 10, 1) * 1000;
const CONTEXT = { receivedUs: NOW_US, sourceSystem: 'scada' };
const LIMITS = { maxRecordsPerRequest: 100_000, maxDepth: 16 };

interface Reading {
  readonly device_id?: string;
  readonly timestamp: string;
  readonly note: string;
}

/** Readings of few devices; each has a number of its own. */
const readings = fc
  .array(fc.record({ device: fc.constantFrom('ESP-1', 'ESP-2', 'Bohrung Süd', '井戸 7'), note: fc.string() }), {
    minLength: 1,
    maxLength: 40,
  })
  .map((list) =>
    list.map(({ device, note }, number): Reading => ({
      device_id: device,
      timestamp: new Date(NOW_US / 1000 - 1000 * number).toISOString(),
      note,
    })),
  );
const form = fc.constantFrom('array', 'envelope', 'ndjson');
const numberOfPartitions = fc.integer({ min: 1, max: 8 });

function write(list: readonly Reading[], shape: string): { bytes: Buffer; type: BodyType } {
  if (shape === 'ndjson')
    return { bytes: Buffer.from(list.map((one) => JSON.stringify(one)).join('\n')), type: 'application/x-ndjson' };
  const value = shape === 'array' ? list : { source_system: 'plc', records: list };
  return { bytes: Buffer.from(JSON.stringify(value, null, 1)), type: 'application/json' };
}

function recordsOf(body: Uint8Array, type: BodyType): readonly Reading[] {
  const parsed = readBody(body, type, CONTEXT) as ParsedBody;
  return parsed.records as Reading[];
}

/** Each message of one partition; per device everything once and in order. */
function expectSorted(
  messages: readonly Pick<OutgoingMessage, 'body' | 'partition'>[],
  type: BodyType,
  partitions: number,
  all: readonly Reading[],
): void {
  const seen = messages.flatMap(({ body, partition }) => {
    const records = recordsOf(body, type);
    for (const { device_id: device = '' } of records) expect(partitionOf(device, partitions)).toBe(partition);
    return records;
  });
  for (const device of new Set(all.map(({ device_id: id }) => id)))
    expect(seen.filter(({ device_id: id }) => id === device)).toEqual(all.filter(({ device_id: id }) => id === device));
  expect(seen.length).toBe(all.length);
}

const headers: MessageHeaders = {
  schemaVersion: 1,
  contentType: 'application/json',
  records: null,
  receivedUs: null,
  source: 'plc 7',
};

describe('a request for a queue in partitions', () => {
  it('becomes messages of one partition each, every record once, in order per device', () => {
    fc.assert(
      fc.property(readings, form, numberOfPartitions, (list, shape, partitions) => {
        const { bytes, type } = write(list, shape);
        const result = acceptRecords(bytes, type, LIMITS, CONTEXT, undefined, partitions) as AcceptedRecords;
        expect(result.accepted).toBe(list.length);
        expectSorted(result.messages, type, partitions, list);
        expect(result.messages.reduce((sum, { records }) => sum + records, 0)).toBe(list.length);
      }),
    );
  });

  it('goes on as the bytes that came where all of it is of one partition', () => {
    const { bytes, type } = write([{ device_id: 'ESP-1', timestamp: '2026-10-31T00:00:00Z', note: ' ' }], 'array');
    const result = acceptRecords(bytes, type, LIMITS, CONTEXT, undefined, 4) as AcceptedRecords;
    expect(result.messages).toEqual([{ body: bytes, records: 1, partition: partitionOf('ESP-1', 4) }]);
  });

  it('leaves out what is refused', () => {
    const list = [
      { device_id: 'ESP-1', timestamp: '2026-10-31T00:00:00Z', note: '1' },
      { device_id: 'ESP-1', timestamp: 'yesterday', note: '2' },
      { timestamp: '2026-10-31T00:00:00Z', note: '3' },
      { device_id: 'ESP-2', timestamp: '2026-10-31T00:00:00Z', note: '4' },
    ];
    const { bytes, type } = write(list, 'array');
    const result = acceptRecords(bytes, type, LIMITS, CONTEXT, undefined, 8) as AcceptedRecords;
    expect([result.accepted, result.rejectedTotal]).toEqual([2, 2]);
    expectSorted(result.messages, type, 8, [list[0] as Reading, list[3] as Reading]);
  });
});

describe('a message of a third party for a queue in partitions', () => {
  it('is sorted in the same way, and its headers go with every part', () => {
    fc.assert(
      fc.property(readings, form, numberOfPartitions, (list, shape, partitions) => {
        const { bytes, type } = write(list, shape);
        const whole = { body: bytes, headers: { ...headers, contentType: type } };
        const { messages, uncounted } = sortMessage(whole, partitions, NOW_US);
        expectSorted(messages, type, partitions, list);
        expect(uncounted).toBe(list.length - 1);
        for (const { headers: given, body } of messages)
          expect(given).toEqual({
            ...whole.headers,
            receivedUs: NOW_US,
            records: recordsOf(body, type).length,
          });
      }),
    );
  });

  it('is put into the first partition as it is where nobody can tell its devices', () => {
    for (const text of ['not JSON', '[]', '', '42', '[{"timestamp":1},"text"]', '{"records":7}']) {
      const body = Buffer.from(text);
      const { messages } = sortMessage({ body, headers: { ...headers, receivedUs: 5 } }, 4, NOW_US);
      expect(messages.map((part) => [part.partition, part.body, part.headers.receivedUs])).toEqual([[0, body, 5]]);
    }
  });

  it('is sorted however wild its bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (body) => {
        const { messages } = sortMessage({ body, headers }, 4, NOW_US);
        expect(messages.length).toBeGreaterThan(0);
      }),
    );
  });
});
