/** `downhole diagnose` on files, as somebody with a recording would use it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { CHANNEL_COUNT, CHANNEL_NAMES } from '../../src/telemetry/channels.js';
import { formatTimestamp } from '../../src/telemetry/timestamp.js';
import { HAND_MADE_FAULTS } from '../support/hand-made-faults.js';
import { handMadeTrace } from '../support/hand-made-trace.js';
import { runCommand } from '../support/service.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const SLOW_MS = 120_000;

/** The rows of a trace, the newest first, as some historians export them. */
function rowsOf(condition: keyof typeof HAND_MADE_FAULTS, device: string | undefined): string[] {
  const batch = handMadeTrace(HAND_MADE_FAULTS[condition][0] as (typeof HAND_MADE_FAULTS)['deadhead'][0]);
  const rows: string[] = [];
  for (let row = batch.length - 1; row >= 0; row--) {
    const values = [...batch.values.subarray(row * CHANNEL_COUNT, (row + 1) * CHANNEL_COUNT)];
    const cells = values.map((value) => (Number.isNaN(value) ? '' : String(Number(value.toFixed(4)))));
    rows.push(
      [...(device === undefined ? [] : [device]), formatTimestamp(batch.timestampUs[row] as number), ...cells].join(),
    );
  }
  return rows;
}

it(
  'names the fault, with evidence, for the devices of one file and for a file that is a device',
  async () => {
    const directory = temporaryDirectory('diagnose');
    const mixed = join(directory, 'mixed.csv');
    const header = ['device_id', 'timestamp', ...CHANNEL_NAMES].join();
    writeFileSync(mixed, [header, ...rowsOf('deadhead', 'b-1'), ...rowsOf('gas_lock', 'a-1')].join('\n'));
    const json = await runCommand(['diagnose', mixed, '--json']);
    expect([json.code, json.stderr]).toEqual([0, '']);
    expect(JSON.parse(json.stdout)).toMatchObject({
      records: 3600,
      rejected: 0,
      devices: 2,
      episodes: [
        { device_id: 'a-1', diagnosis: 'gas_lock', open: true },
        { device_id: 'b-1', diagnosis: 'deadhead', open: true },
      ],
    });
    expect(JSON.parse(json.stdout)).toHaveProperty(
      'episodes.1.evidence.for.0',
      expect.stringMatching(/^wellhead pressure rose by \d+ % \(from \d+ psi to \d+ psi\)$/),
    );

    const alone = join(directory, 'esp-042.csv');
    writeFileSync(alone, [`timestamp,${CHANNEL_NAMES.join()}`, ...rowsOf('broken_shaft', undefined)].join('\n'));
    const text = await runCommand(['diagnose', alone]);
    expect([text.code, text.stderr]).toEqual([0, '']);
    // It broke at midnight; a start is known to some buckets of ten seconds.
    expect(text.stdout).toMatch(
      /^esp-042 {2}(2025-12-31T23:59:[345]|2026-01-01T00:0)\S* … going on \(15 min\) {2}broken shaft, confidence 0\.\d\d$/m,
    );
    expect(text.stdout).toMatch(/^ {2}for {6}motor current fell by 62 %/m);
    expect(text.stdout).toContain('1 episodes in 1800 records of 1 devices\n');
  },
  SLOW_MS,
);

it(
  'says what is wrong with its arguments and files',
  async () => {
    const missing = await runCommand(['diagnose', 'nowhere.csv']);
    expect([missing.code, missing.stdout]).toEqual([1, '']);
    expect(missing.stderr).toContain('nowhere.csv cannot be read: ENOENT');
    expect((await runCommand(['diagnose'])).code).toBe(2);
    const wrong = await runCommand(['diagnose', 'nowhere.csv', '--mapping', 'nowhere.yaml']);
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain('The mapping file nowhere.yaml cannot be read');
  },
  SLOW_MS,
);
