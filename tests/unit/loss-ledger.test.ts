import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LossLedger } from '../../src/pipeline/loss-ledger.js';
import type { RefusedRecord } from '../../src/pipeline/prepared-batch.js';
import type { LedgerEntries } from '../../src/storage/ledger-store.js';
import { NOTHING_WRITTEN, type WriteResult } from '../../src/storage/telemetry-sink.js';
import { reject } from '../../src/telemetry/rejection.js';
import { batchOf } from '../support/readings.js';

const HOUR_US = 3600 * 1e6;
const NOW_HOUR = 500_000;
const nowUs = (): number => (NOW_HOUR + 0.5) * HOUR_US;
const rejection = reject('conflict', 'temperature', '');

interface Counts {
  stored: number;
  merged: number;
  duplicate: number;
  deadLettered: number;
  rejected: number;
  written: number;
  firstUs: number | null;
  lastUs: number | null;
}
const OUTCOMES = ['stored', 'merged', 'duplicate', 'deadLettered', 'rejected', 'written'] as const;
type Sums = Record<string, Counts>;

/** Counts the slow way, by device and hour. */
function count(sums: Sums, device: string, hour: number, outcome: (typeof OUTCOMES)[number], records = 1): Counts {
  const known = (sums[`${device} ${hour}`] ??= {
    stored: 0,
    merged: 0,
    duplicate: 0,
    deadLettered: 0,
    rejected: 0,
    written: 0,
    firstUs: null,
    lastUs: null,
  });
  known[outcome] += records;
  return known;
}

function span(counts: Counts, firstUs: number | null, lastUs: number | null): void {
  if (firstUs !== null) counts.firstUs = Math.min(counts.firstUs ?? firstUs, firstUs);
  if (lastUs !== null) counts.lastUs = Math.max(counts.lastUs ?? lastUs, lastUs);
}

function add(sums: Sums, entries: LedgerEntries): void {
  for (const [index, hour] of entries.hours.entries()) {
    const device = entries.deviceIds[index] as string;
    for (const outcome of OUTCOMES) {
      const counts = count(sums, device, hour, outcome, entries[outcome][index]);
      span(counts, entries.firstUs[index] as number | null, entries.lastUs[index] as number | null);
    }
  }
}

function takeAll(ledger: LossLedger, maxEntries: number): Sums {
  const sums: Sums = {};
  for (let entries = ledger.take(maxEntries); entries !== undefined; entries = ledger.take(maxEntries)) {
    expect(entries.hours.length).toBeLessThanOrEqual(maxEntries);
    add(sums, entries);
  }
  return sums;
}

const unread = (deviceId: string | null, receivedUs: number | null, records = 1): RefusedRecord => ({
  original: new Uint8Array(),
  rejection,
  failure: { code: 'not_an_object', deviceId },
  records,
  receivedUs,
});

const anyRow = fc.record({
  // Beyond the first capacity, too.
  device: fc.constantFrom(0, 1, 2, 1500),
  hour: fc.constantFrom(NOW_HOUR, NOW_HOUR - 1, NOW_HOUR - 30),
  timestampUs: fc.integer({ min: -1e9, max: 1e9 }),
  outcome: fc.constantFrom('stored', 'stored', 'merged', 'duplicate', 'deadLettered' as const),
});
const anyRefusal = fc.record({
  device: fc.constantFrom('esp-0', 'stranger', 'not\0one', null),
  hour: fc.option(fc.constantFrom(NOW_HOUR, NOW_HOUR - 2)),
  records: fc.integer({ min: 1, max: 5 }),
});
const anyStep = fc.oneof(
  fc.record({
    writtenHour: fc.constantFrom(NOW_HOUR, NOW_HOUR - 1),
    rows: fc.array(anyRow, { maxLength: 20 }),
    unread: fc.array(anyRefusal, { maxLength: 3 }),
  }),
  fc.record({ rejected: anyRefusal }),
  fc.record({ take: fc.integer({ min: 1, max: 7 }) }),
);

describe('the loss ledger', () => {
  it('counts every record once, under its device, hour and outcome, however it is taken', () => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 25 }), fc.integer({ min: 1, max: 50 }), (steps, maxEntries) => {
        const ledger = new LossLedger(nowUs);
        const expected: Sums = {};
        const found: Sums = {};
        const known = (device: string | null): string => (device === null || device.includes('\0') ? '' : device);
        for (const step of steps) {
          if ('take' in step) {
            const entries = ledger.take(step.take);
            if (entries !== undefined) add(found, entries);
          } else if ('rejected' in step) {
            const { device, hour, records } = step.rejected;
            ledger.rejected(device ?? '', records, (hour ?? NOW_HOUR) * HOUR_US + 1);
            count(expected, known(device), hour ?? NOW_HOUR, 'rejected', records);
          } else {
            const batch = batchOf(
              step.rows.map(({ device, timestampUs }) => ({
                deviceId: `esp-${device}`,
                device,
                timestampUs,
                values: {},
              })),
            );
            for (const [row, { hour }] of step.rows.entries()) batch.receivedUs[row] = (hour + 0.25) * HOUR_US;
            const rowsOf = (outcome: string): number[] =>
              step.rows.flatMap((row, index) => (row.outcome === outcome ? [index] : []));
            const written: WriteResult = {
              ...NOTHING_WRITTEN,
              ingestionUs: step.writtenHour * HOUR_US + 5,
              mergedRows: rowsOf('merged'),
              duplicateRows: rowsOf('duplicate'),
              refused: rowsOf('deadLettered').map((row) => ({ row, rejection })),
            };
            const refused = step.unread.map(({ device, hour, records }) =>
              unread(device, hour === null ? null : hour * HOUR_US, records),
            );
            ledger.settled(batch, written, refused);
            for (const { device, hour, outcome, timestampUs } of step.rows) {
              span(count(expected, `esp-${device}`, hour, outcome), timestampUs, timestampUs);
              count(expected, `esp-${device}`, step.writtenHour, 'written', outcome === 'stored' ? 1 : 0);
            }
            for (const { device, hour, records } of step.unread)
              count(expected, known(device), hour ?? NOW_HOUR, 'deadLettered', records);
          }
        }
        for (const [key, counts] of Object.entries(takeAll(ledger, maxEntries))) {
          const [device = '', hour] = key.split(' ');
          for (const outcome of OUTCOMES) count(found, device, Number(hour), outcome, counts[outcome]);
          span(found[key] as Counts, counts.firstUs, counts.lastUs);
        }
        expect(found).toEqual(expected);
        expect(ledger.take(1)).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });

  it('is bounded in the ids that strangers make up, and loses no count at the bound', () => {
    const ledger = new LossLedger(nowUs);
    for (let index = 0; index < 5000; index++) ledger.rejected(`stranger-${index}`, 2, nowUs());
    ledger.rejected('x'.repeat(200), 1, nowUs());
    const counts = takeAll(ledger, 100_000);
    expect(Object.keys(counts)).toHaveLength(1001);
    expect(counts[` ${NOW_HOUR}`]).toMatchObject({ rejected: 4000 * 2 + 1 });
    // The next ones have room again.
    ledger.rejected('stranger-4999', 1, nowUs());
    expect(takeAll(ledger, 10)).toMatchObject({ [`stranger-4999 ${NOW_HOUR}`]: { rejected: 1 } });
  });

  it('is bounded in the hours that messages claim to have arrived in, and loses no count at the bound', () => {
    const ledger = new LossLedger(nowUs);
    const batch = batchOf(
      Array.from({ length: 200 }, () => ({ deviceId: 'esp-0', device: 0, timestampUs: 0, values: {} })),
    );
    for (let row = 0; row < 200; row++) batch.receivedUs[row] = (NOW_HOUR - row) * HOUR_US;
    ledger.settled(batch, { ...NOTHING_WRITTEN, ingestionUs: nowUs() }, []);
    const counts = Object.values(takeAll(ledger, 1000));
    expect(counts.length).toBeLessThanOrEqual(48);
    expect(counts.reduce((sum, { stored }) => sum + stored, 0)).toBe(200);
  });

  it.each([Number.NaN, -1, 0, 1e300, (NOW_HOUR + 100) * HOUR_US])(
    'counts an arrival at %s as one now',
    (receivedUs) => {
      const ledger = new LossLedger(nowUs);
      const batch = batchOf([{ deviceId: 'esp-0', device: 0, timestampUs: 7, values: {} }]);
      batch.receivedUs[0] = receivedUs;
      ledger.settled(batch, NOTHING_WRITTEN, []);
      expect(takeAll(ledger, 10)).toMatchObject({ [`esp-0 ${NOW_HOUR}`]: { stored: 1, firstUs: 7, lastUs: 7 } });
    },
  );
});
