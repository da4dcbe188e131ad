/** The benchmark of the detector on labelled pump data: what it reads, and how it counts. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { perFile, replay, tallyFiles, type LabelledFile } from '../../benchmarks/detection/protocol.js';
import { readPumpFiles } from '../../benchmarks/detection/pump-files.js';
import type { Subject } from '../../benchmarks/detection/subjects.js';
import { ReadingBatch } from '../../src/telemetry/reading-batch.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const EXAMPLE = fileURLToPath(new URL('../../examples/skab', import.meta.url));
const MAPPING = join(EXAMPLE, 'mapping.yaml');
const START_US = 1_790_000_000e6;
const unexpected = (problem: string): never => {
  throw new Error(problem);
};

/** A recording at one row a second, labelled from `from` to before `to`. */
function recording(name: string, startUs: number, rows: number, from: number, to: number): LabelledFile {
  const batch = new ReadingBatch(rows);
  const labels = new Uint8Array(rows).fill(1, from, to);
  for (let row = 0; row < rows; row++) batch.timestampUs[batch.open()] = startUs + row * 1e6;
  return { name, rows: batch, labels };
}

/** Calls the rows anomalies whose time is in one of the ranges, in seconds since the start. */
const calling =
  (...ranges: readonly (readonly [number, number])[]): Subject =>
  () => ({
    evaluate(batch) {
      for (let row = 0; row < batch.length; row++) {
        const second = ((batch.timestampUs[row] as number) - START_US) / 1e6;
        batch.isAnomaly[row] = ranges.some(([from, to]) => second >= from && second < to) ? 1 : 0;
      }
      return batch.length;
    },
  });

describe('the pump files', () => {
  it('are those that are there, in the order of their numbers', async () => {
    const root = temporaryDirectory('pump');
    mkdirSync(join(root, 'other'));
    for (const [from, to] of [
      ['1', '10'],
      ['1', '9'],
    ] as const)
      cpSync(join(EXAMPLE, `data/other/${from}.csv`), join(root, `other/${to}.csv`));
    const files = await readPumpFiles(root, MAPPING, unexpected);
    expect(files.map(({ name }) => name)).toEqual(['other/9', 'other/10']);
    expect(files.map(({ rows, labels }) => [rows.length, labels?.length])).toEqual([
      [745, 745],
      [745, 745],
    ]);
  });

  it('are read without the rows that are no readings or have no label, and say so', async () => {
    const root = temporaryDirectory('pump');
    mkdirSync(join(root, 'other'));
    const lines = readFileSync(join(EXAMPLE, 'data/other/1.csv'), 'utf8').split('\n');
    const fields = (line: number): string[] => (lines[line] as string).split(';');
    lines[3] = ['no time', ...fields(3).slice(1)].join(';');
    lines[4] = [...fields(4).slice(0, -2), 'maybe', '0.0'].join(';');
    lines[5] = [...fields(5), 'more'].join(';');
    writeFileSync(join(root, 'other/1.csv'), lines.join('\n'));
    const problems: string[] = [];
    const [file] = await readPumpFiles(root, MAPPING, (problem) => problems.push(problem));
    expect([file?.rows.length, file?.labels?.length]).toEqual([742, 742]);
    expect(problems).toEqual([expect.stringMatching(/other\/1\.csv: 3 rows are left out, the first because line \d/)]);
  });

  it('that are not there are asked for', async () => {
    await expect(readPumpFiles('/nowhere', MAPPING, unexpected)).rejects.toMatchObject({
      code: 'wrong_usage',
      message: expect.stringContaining('/nowhere/valve1/*.csv') as string,
    });
  });
});

describe('the protocol', () => {
  it('counts rows from the four hundredth of each file on', () => {
    const files = [recording('a', START_US, 1000, 600, 800)];
    const found = perFile(tallyFiles(calling([0, 450], [700, 900]), files));
    // 100 of 200 found; 50 + 100 of 400 others called wrongly.
    expect(found).toMatchObject({ f1: 0.4444, far: 37.5, mar: 50 });
  });

  it('plays the files of a day as one stream, in the order of their times, and counts events and episodes', () => {
    const late = recording('late', START_US + 2000e6, 1000, 500, 700);
    const early = recording('early', START_US, 1000, 600, 800);
    const { events, eventsFound, far, mar, medianDelaySeconds, falseEpisodesPerHour } = replay(
      calling([100, 300], [410, 420], [630, 800], [2100, 2110]),
      [late, early],
    );
    expect({ events, eventsFound, medianDelaySeconds }).toEqual({ events: 2, eventsFound: 1, medianDelaySeconds: 30 });
    // Of 1600 scored rows 400 are labelled, 170 of which were called; of the others 20, in two episodes.
    expect({ far, mar }).toEqual({ far: 1.67, mar: 57.5 });
    expect(falseEpisodesPerHour).toBeCloseTo(2 / (1598 / 3600), 1);
  });

  it('has no figure where there is nothing to count', () => {
    expect(perFile(tallyFiles(calling(), []))).toEqual({ f1: null, far: null, mar: null, files: {} });
  });
});
