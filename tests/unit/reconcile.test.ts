import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CHANNEL_COUNT, CHANNEL_NAMES } from '../../src/telemetry/channels.js';
import { CHANNEL_BITS, QualityFlag } from '../../src/telemetry/quality-flags.js';
import { scoreOfFlags } from '../../src/telemetry/quality-score.js';
import { describeConflict, overwrite, reconcile, type RowValues } from '../../src/storage/reconcile.js';

const EXPECTED_MASK = 0b1111;
const temperature = CHANNEL_NAMES.indexOf('temperature');
const vibration = CHANNEL_NAMES.indexOf('vibration');

/** A report as the pipeline judges it: expected channels that are neither there nor impossible are missing. */
function report(values: Partial<Record<number, number>>, impossible = 0, more: Partial<RowValues> = {}): RowValues {
  const channels = new Float32Array(CHANNEL_COUNT).fill(Number.NaN);
  let present = 0;
  for (const [channel, value] of Object.entries(values)) {
    channels[Number(channel)] = value as number;
    present |= 1 << Number(channel);
  }
  return {
    values: channels,
    flagsLow: EXPECTED_MASK & ~present & ~impossible,
    flagsHigh: impossible,
    isAnomaly: false,
    anomalyScore: Number.NaN,
    anomalyCause: -1,
    operatingState: 0,
    rawValues: undefined,
    ...more,
  };
}

function merged(existing: RowValues, incoming: RowValues): RowValues {
  const outcome = reconcile(existing, incoming);
  if (outcome.kind !== 'merged') throw new Error(`expected a merge, got ${outcome.kind}`);
  return outcome.row;
}

/** Reports one after the other, as the writer does it. */
function foldReports(reports: readonly RowValues[]): RowValues {
  return reports.slice(1).reduce((row, next) => {
    const outcome = reconcile(row, next);
    if (outcome.kind === 'conflict') throw new Error(describeConflict(outcome));
    return outcome.kind === 'merged' ? outcome.row : row;
  }, reports[0] as RowValues);
}

/** What must not depend on order, split and repetition. */
function essence(row: RowValues): unknown {
  return {
    values: [...row.values].map(String),
    missing: row.flagsLow & CHANNEL_BITS,
    impossible: row.flagsHigh,
    score: scoreOfFlags(row.flagsLow, row.flagsHigh),
  };
}

const anyChannelMask = fc.integer({ min: 0, max: (1 << CHANNEL_COUNT) - 1 });

/** Reports that all tell parts of one truth; a channel may be impossible in one and good in another. */
const consistentReports = fc
  .record({
    truth: fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), {
      minLength: CHANNEL_COUNT,
      maxLength: CHANNEL_COUNT,
    }),
    late: fc.boolean(),
    masks: fc.array(fc.record({ present: anyChannelMask, impossible: anyChannelMask }), {
      minLength: 1,
      maxLength: 6,
    }),
  })
  .map(({ truth, late, masks }) =>
    masks.map(({ present, impossible }) => {
      const values = Object.fromEntries(
        truth
          .map((value, channel) => [channel, value] as const)
          .filter(([channel]) => (present & (1 << channel)) !== 0),
      );
      const row = report(values, impossible & ~present);
      return late ? { ...row, flagsLow: row.flagsLow | QualityFlag.lateArrival } : row;
    }),
  );

describe('reports with the same device and time', () => {
  it('end in the same row in any order and with any repetition', () => {
    fc.assert(
      fc.property(consistentReports, fc.array(fc.nat()), fc.infiniteStream(fc.nat()), (reports, repeats, random) => {
        const repeated = [...reports, ...repeats.map((pick) => reports[pick % reports.length] as RowValues)];
        const shuffled = repeated
          .map((entry) => ({ entry, key: random.next().value as number }))
          .sort((a, b) => a.key - b.key)
          .map(({ entry }) => entry);
        expect(essence(foldReports(shuffled))).toEqual(essence(foldReports(reports)));
      }),
    );
  });

  it('end in the same row however a report is split', () => {
    fc.assert(
      fc.property(consistentReports, anyChannelMask, (reports, cut) => {
        const whole = foldReports(reports);
        const parts = [cut, ~cut].map((mask) => {
          const values = Object.fromEntries(
            [...whole.values]
              .map((value, channel) => [channel, value] as const)
              .filter(([channel, value]) => !Number.isNaN(value) && (mask & (1 << channel)) !== 0),
          );
          return report(values, whole.flagsHigh & mask);
        });
        const late = whole.flagsLow & QualityFlag.lateArrival;
        const rejoined = foldReports(parts.map((part) => ({ ...part, flagsLow: part.flagsLow | late })));
        expect(essence(rejoined)).toEqual(essence(whole));
      }),
    );
  });

  it('are duplicates when the second says nothing new, whatever its arrival was judged', () => {
    const existing = report({ [temperature]: 80, [vibration]: 0.5 });
    const late = { flagsLow: existing.flagsLow | QualityFlag.lateArrival | QualityFlag.notEvaluated };
    expect(reconcile(existing, { ...existing, ...late }).kind).toBe('duplicate');
    expect(reconcile(existing, report({ [vibration]: 0.5 })).kind).toBe('duplicate');
    expect(reconcile(existing, report({})).kind).toBe('duplicate');
  });

  it('lose what the rules said of the values before, where values are overwritten', () => {
    const judged = QualityFlag.rateOfChange | QualityFlag.frozenReading | QualityFlag.gaugeLoss;
    const existing = report({ [temperature]: 150 });
    const { row } = overwrite(
      { ...existing, flagsLow: existing.flagsLow | judged | QualityFlag.lateArrival },
      report({ [temperature]: 80 }),
    );
    expect(row.flagsLow & (judged | QualityFlag.lateArrival)).toBe(QualityFlag.lateArrival);
    expect(row).toMatchObject({ isAnomaly: false, anomalyCause: -1 });
  });

  it('merge disjoint channels and count the score anew', () => {
    const row = merged(report({ [temperature]: 80 }), report({ [vibration]: 0.5 }));
    expect(row.values[temperature]).toBe(80);
    expect(row.values[vibration]).toBe(0.5);
    expect(row.flagsLow & QualityFlag.merged).not.toBe(0);
    expect(scoreOfFlags(row.flagsLow, row.flagsHigh)).toBe(0.7);
  });

  it('conflict when a channel differs, and the message names it with both values', () => {
    const outcome = reconcile(
      report({ [temperature]: Math.fround(21.3), [vibration]: 1 }),
      report({ [temperature]: Math.fround(21.4) }),
    );
    if (outcome.kind !== 'conflict') throw new Error(outcome.kind);
    expect(describeConflict(outcome)).toContain('temperature is 21.3 C');
    expect(describeConflict(outcome)).toContain('21.4 C in this record');
  });

  it('keep the flag of an impossible value that a good one fills, and the other way round', () => {
    const bit = 1 << temperature;
    for (const [first, second] of [
      [report({}, bit), report({ [temperature]: 80 })],
      [report({ [temperature]: 80 }), report({}, bit)],
    ] as const) {
      const row = merged(first, second);
      expect(row.values[temperature]).toBe(80);
      expect(row.flagsHigh).toBe(bit);
      expect(row.flagsLow & bit).toBe(0);
    }
  });

  it('take the anomaly with the greater score, and the first operating state that is known', () => {
    const calm = report({ [vibration]: 1 }, 0, { anomalyScore: 1.5, anomalyCause: -1 });
    const alarmed = report({ [temperature]: 1 }, 0, {
      isAnomaly: true,
      anomalyScore: 4,
      anomalyCause: temperature,
      operatingState: 3,
    });
    for (const row of [merged(calm, alarmed), merged(alarmed, calm)]) {
      expect(row).toMatchObject({ isAnomaly: true, anomalyScore: 4, anomalyCause: temperature, operatingState: 3 });
    }
  });

  it('join raw values, the existing ones first, and a new one is something new', () => {
    const existing = report({ [temperature]: 1 }, 0, { rawValues: '{"a":1,"__proto__":2}' });
    const row = merged(existing, report({}, 0, { rawValues: '{"a":9,"b":"ä"}' }));
    expect(JSON.parse(row.rawValues as string)).toEqual(JSON.parse('{"a":1,"b":"ä","__proto__":2}'));
    expect(reconcile(existing, report({}, 0, { rawValues: '{"a":9}' })).kind).toBe('duplicate');
  });
});
